"""What stands over the list of requests: how many there are, what they came to, and when they were."""

from __future__ import annotations

from gateway.dashboard.charts import QUIET, Chart, Panel, Series, chart, count_label, texts, y_axis
from gateway.dashboard.format import count, duration, money_sum, plural, rate
from gateway.dashboard.period import Period
from gateway.store.base import Outline, Totals

COUNTED_TO = 10_000
NOT_ADDED_UP = "These filters find too much to add up while you wait. A shorter period has its totals and chart."


def heading(number: int | None) -> str:
    """`number` is None where it could not be counted in time."""
    if number is None:
        return "Requests"
    return f"{counted(number)} requests" if number > COUNTED_TO else plural(number, "request")


def counted(number: int | None) -> str:
    if number is None:
        return "many"
    return f"{COUNTED_TO:,}+" if number > COUNTED_TO else f"{number:,}"


def summary(outline: Outline) -> str:
    totals = outline.totals
    parts = [f"{rate(totals.errors, totals.requests - totals.cancelled)} failed", str(money_sum(totals.cost_nanousd))]
    if outline.latency.p95 is not None:
        parts.append(f"p95 {duration(outline.latency.p95)}")
    return " · ".join(parts)


def volume(parts: list[tuple[int, Totals]], period: Period, *, now_us: int) -> Chart:
    """Calls over time, those that failed at the bottom. `parts` as in `Outline`."""
    errors: list[float] = [totals.errors for _, totals in parts]
    calls: list[float] = [totals.requests for _, totals in parts]
    rest: list[float] = [total - failed for total, failed in zip(calls, errors, strict=True)]
    series = [
        Series("Failed", "var(--error-mark)", errors, texts(errors, count)),
        Series("Succeeded", QUIET, rest, texts(rest, count)),
        Series("Total", "transparent", [None] * len(parts), texts(calls, count), draw=""),
    ]
    top, y = y_axis(max(calls, default=0), count_label, most=2)
    sums = f"{plural(round(sum(calls)), 'call')}, {round(sum(errors)):,} of them failed"
    sentence = f"Requests per {period.width_label}: {sums}."
    panel = Panel(52, 34, f"{top:g}", y)
    starts = [start for start, _ in parts]
    edges = [*starts, starts[-1] + period.width_us]
    return chart("volume", sentence, edges, period.zone, series, [panel], now_us=now_us)
