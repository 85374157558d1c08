"""The charts of the Models page: one for each metric, a line for each model that was picked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.control.comparison import error_rate, tokens_per_second
from gateway.control.costs import per_thousand
from gateway.dashboard.charts import Chart, Panel, Series, chart, count_label, duration_label, money_label, y_axis
from gateway.dashboard.format import UNKNOWN, Figure, count, duration, money_sum, plain
from gateway.dashboard.overview_charts import LEAST_FOR_P95, edges_of
from gateway.dashboard.period import Period
from gateway.store.base import Bucket

PARTS_PER_MILLION = 1_000_000


@dataclass(frozen=True)
class Metric:
    id: str
    title: str
    note: str
    value: Callable[[Bucket], float | None]
    """None is a gap."""
    show: Callable[[int | None], Figure]
    axis: Callable[[float], str]


@dataclass(frozen=True)
class MetricChart:
    title: str
    note: str
    chart: Chart


def charts(
    curves: Mapping[str, Sequence[Bucket]], colors: Mapping[str, str], period: Period, now_us: int
) -> list[MetricChart]:
    """`curves` by name, in the order of the legend; at least one."""
    return [
        MetricChart(metric.title, metric.note, _chart(metric, curves, colors, period, now_us)) for metric in METRICS
    ]


def speed(value: float | None) -> Figure:
    """Tokens per second."""
    return UNKNOWN if value is None else plain(f"{value:.0f}" if value >= 10 else f"{value:.1f}")


def _chart(
    metric: Metric, curves: Mapping[str, Sequence[Bucket]], colors: Mapping[str, str], period: Period, now_us: int
) -> Chart:
    series = []
    for name, buckets in curves.items():
        values = [metric.value(bucket) for bucket in buckets]
        shown = [str(metric.show(None if value is None else round(value))) for value in values]
        series.append(Series(name, colors[name], values, shown, draw="line"))
    known = [value for each in series for value in each.values if value is not None]
    top, y = y_axis(max(known, default=0), metric.axis)
    width = max(34, 7 * max(len(tick.label) for tick in y) + 2)
    buckets = next(iter(curves.values()))
    sentence = f"{metric.title} per {period.width_label} of {', '.join(curves)}"
    sentence += f", at most {metric.show(round(max(known)))}." if known else ": nothing is known."
    return chart(
        metric.id,
        sentence,
        edges_of(buckets, period),
        period.zone,
        series,
        [Panel(150, width, f"{top:g}", y)],
        now_us=now_us,
    )


def _p95(bucket: Bucket) -> int | None:
    return bucket.latency.p95 if bucket.latency.count >= LEAST_FOR_P95 else None


def _per_thousand(bucket: Bucket) -> int | None:
    """Not where nothing has a price: it is unknown then, not free."""
    totals = bucket.totals
    if totals.unpriced and not totals.cost_nanousd:
        return None
    return per_thousand(totals.cost_nanousd, totals.requests)


def _error_parts(bucket: Bucket) -> float | None:
    failed = error_rate(bucket.totals)
    return None if failed is None else failed * PARTS_PER_MILLION


def _share(parts: int | None) -> Figure:
    return UNKNOWN if parts is None else Figure((("main", f"{parts / 10_000:.2f}"), ("unit", "%")))


METRICS = (
    Metric("calls", "Calls", "", lambda b: b.totals.requests, count, count_label),
    Metric("spend", "Spend", "", lambda b: b.totals.cost_nanousd, money_sum, money_label),
    Metric("price", "Cost of 1,000 calls", "", _per_thousand, money_sum, money_label),
    Metric("p50", "Latency, p50", "whole answer", lambda b: b.latency.p50, duration, duration_label),
    Metric("p95", "Latency, p95", f"from {LEAST_FOR_P95} calls on", _p95, duration, duration_label),
    Metric("ttft", "First token, p50", "streams", lambda b: b.ttft.p50, duration, duration_label),
    Metric("errors", "Failed", "of what was not cancelled", _error_parts, _share, lambda v: f"{v / 10_000:g}%"),
    Metric(
        "speed",
        "Tokens per second",
        "streams",
        lambda b: tokens_per_second(b.totals),
        speed,
        count_label,
    ),
)
