"""The four charts of the overview, from the buckets of its period."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.dashboard.charts import (
    QUIET,
    Chart,
    Panel,
    Series,
    chart,
    count_label,
    duration_label,
    line_ends,
    money_label,
    stack_top,
    texts,
    y_axis,
)
from gateway.dashboard.failures import FAMILIES, kind
from gateway.dashboard.format import count, duration, money_sum, plural, rate, short
from gateway.dashboard.period import Period
from gateway.dashboard.series import Palette
from gateway.store.base import Bucket, Group

LEAST_FOR_P95 = 20
"""Under so many calls in a bucket a p95 or p99 is noise: a gap (look.md, Charts)."""
CACHED = "color-mix(in oklab, var(--series-1) 45%, var(--surface))"
STACKED = 6
OTHERS = "other"


def make(
    buckets: Sequence[Bucket], models: Sequence[Group], period: Period, palette: Palette, *, now_us: int
) -> dict[str, Chart]:
    edges = edges_of(buckets, period)
    charts = [
        requests_chart(buckets, edges, period, now_us=now_us),
        _latency(buckets, edges, period, now_us=now_us),
        _tokens(buckets, edges, period, now_us=now_us),
        _spend(buckets, edges, period, models, palette, now_us=now_us),
    ]
    return {made.id: made for made in charts}


def edges_of(buckets: Sequence[Bucket], period: Period) -> list[int]:
    """The starts of the buckets and the end of the last, which may lie after the period's."""
    starts = [bucket.from_us for bucket in buckets]
    return [*starts, starts[-1] + period.width_us]


def requests_chart(buckets: Sequence[Bucket], edges: list[int], period: Period, *, now_us: int) -> Chart:
    """Volume, and under it the errors on a scale of their own: 1 % is invisible in a stack."""
    volume: list[float] = [b.totals.requests for b in buckets]
    series = [Series("Requests", QUIET, volume, texts(volume, count))]
    for family, color in FAMILIES:
        values: list[float] = [_of_family(b, family) for b in buckets]
        if any(values):
            series.append(Series(family, color, values, texts(values, count), panel=1))
    answered = [b.totals.requests - b.totals.cancelled for b in buckets]
    success = [str(rate(n - b.totals.errors, n)) for n, b in zip(answered, buckets, strict=True)]
    series.append(Series("Success", "transparent", [None] * len(buckets), success, draw="", panel=0))
    top, y = y_axis(max(volume, default=0), count_label)
    panels = [Panel(140, 34, f"{top:g}", y)]
    errors = sum(sum(v or 0 for v in s.values) for s in series if s.panel == 1)
    if errors:
        error_top, error_y = y_axis(stack_top(series, 1), count_label, most=2)
        panels.append(Panel(58, 34, f"{error_top:g}", error_y, title="Errors"))
    sentence = (
        f"Requests per {period.width_label}: {plural(round(sum(volume)), 'call')}, {plural(round(errors), 'error')}."
    )
    return chart("requests", sentence, edges, period.zone, series, panels, now_us=now_us)


def _of_family(bucket: Bucket, family: str) -> int:
    return sum(number for name, number in bucket.errors_by_type.items() if kind(name).family == family)


def _latency(buckets: Sequence[Bucket], edges: list[int], period: Period, *, now_us: int) -> Chart:
    def values(name: str, least: int) -> list[float | None]:
        return [getattr(b.latency, name) if b.latency.count >= least else None for b in buckets]

    lines = (
        ("p50", "var(--series-1)", values("p50", 1), "line"),
        ("p95", "var(--series-1)", values("p95", LEAST_FOR_P95), "thin"),
        ("p99", "var(--chart-before)", values("p99", LEAST_FOR_P95), "dash"),
    )
    series = [Series(label, color, v, texts(v, duration), draw=draw) for label, color, v, draw in lines]
    highest = max((v for s in series for v in s.values if v is not None), default=0)
    top, y = y_axis(highest, duration_label)
    panel = Panel(158, 26, f"{top:g}", y[1:], ends=line_ends(series, top), inside=True)
    sentence = f"Latency per {period.width_label}: p50, p95 and p99, at most {duration(highest)}."
    return chart("latency", sentence, edges, period.zone, series, [panel], now_us=now_us)


def _tokens(buckets: Sequence[Bucket], edges: list[int], period: Period, *, now_us: int) -> Chart:
    cached: list[float] = [min(b.totals.cached_input_tokens, b.totals.input_tokens) for b in buckets]
    fresh: list[float] = [b.totals.input_tokens - c for b, c in zip(buckets, cached, strict=True)]
    output: list[float] = [b.totals.output_tokens for b in buckets]
    total: list[float] = [b.totals.input_tokens + b.totals.output_tokens for b in buckets]
    series = [
        Series("Cached", CACHED, cached, texts(cached, short)),
        Series("Input", "var(--series-1)", fresh, texts(fresh, short)),
        Series("Output", "var(--series-2)", output, texts(output, short)),
        Series("Total", "transparent", [None] * len(buckets), texts(total, short), draw=""),
    ]
    top, y = y_axis(stack_top(series), count_label)
    sums = f"{short(round(sum(total)))} in all, {short(round(sum(output)))} of them output"
    sentence = f"Tokens per {period.width_label}: {sums}."
    return chart("tokens", sentence, edges, period.zone, series, [Panel(158, 38, f"{top:g}", y)], now_us=now_us)


def _spend(
    buckets: Sequence[Bucket],
    edges: list[int],
    period: Period,
    models: Sequence[Group],
    palette: Palette,
    *,
    now_us: int,
) -> Chart:
    """At most six names, the rest is "other"; stacked in the order of their rank."""
    named = [g.key for g in models if g.key and g.totals.cost_nanousd][:STACKED]
    series = []
    for name in named:
        values: list[float] = [b.cost_by.get(name, 0) for b in buckets]
        series.append(Series(name, palette.color(name), values, texts(values, money_sum)))
    rest: list[float] = [b.totals.cost_nanousd - sum(b.cost_by.get(name, 0) for name in named) for b in buckets]
    if any(rest):
        series.append(Series(OTHERS, QUIET, rest, texts(rest, money_sum)))
    total: list[float] = [b.totals.cost_nanousd for b in buckets]
    series.append(Series("Total", "transparent", [None] * len(buckets), texts(total, money_sum), draw=""))
    top, y = y_axis(stack_top(series), money_label)
    longest = max((len(tick.label) for tick in y), default=2)
    panel = Panel(158, max(26, 7 * longest + 2), f"{top:g}", y)
    sentence = f"Spend per {period.width_label} by model: {money_sum(round(sum(total)))} in all."
    return chart("spend", sentence, edges, period.zone, series, [panel], now_us=now_us)
