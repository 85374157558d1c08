"""The charts of the Costs page: spend over time stacked by a dimension, and each tenant's days as a row of cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.dashboard.charts import QUIET, Chart, Panel, Series, chart, money_label, percent, stack_top, texts, y_axis
from gateway.dashboard.format import Figure, money_sum, span_of_time
from gateway.dashboard.overview_charts import OTHERS, STACKED, edges_of
from gateway.dashboard.period import Period
from gateway.store.base import Bucket

HEAT_ROWS = 8
FAINTEST = 8
"""Percent of the colour that the least spend of a row has, so that it is told from none."""


@dataclass(frozen=True)
class HeatCell:
    title: str
    strength: str
    """For a custom property: `46%`; empty where nothing was spent."""


@dataclass(frozen=True)
class HeatRow:
    name: str
    href: str
    cells: list[HeatCell]
    total: Figure


def spend_chart(
    buckets: Sequence[Bucket],
    before: Sequence[Bucket],
    names: Sequence[str],
    shown: Callable[[str], str],
    color: Callable[[str], str],
    period: Period,
    *,
    now_us: int,
) -> Chart:
    """At most six of the names, by rank, the rest is "other"; the time before as a dashed line."""
    series = []
    named = list(names[:STACKED])
    for name in named:
        values: list[float] = [bucket.cost_by.get(name, 0) for bucket in buckets]
        series.append(Series(shown(name), color(name), values, texts(values, money_sum)))
    rest: list[float] = [b.totals.cost_nanousd - sum(b.cost_by.get(name, 0) for name in named) for b in buckets]
    if any(rest) or not series:
        series.append(Series(OTHERS if series else "Spend", QUIET, rest, texts(rest, money_sum)))
    past: list[float | None] = [bucket.totals.cost_nanousd for bucket in before[: len(buckets)]]
    past += [None] * (len(buckets) - len(past))
    if any(past):
        series.append(Series("Before", "var(--text-2)", past, texts(past, money_sum), draw="dash"))
    total: list[float] = [bucket.totals.cost_nanousd for bucket in buckets]
    series.append(Series("Total", "transparent", [None] * len(buckets), texts(total, money_sum), draw=""))
    highest = max([stack_top(series), *(value or 0 for value in past)])
    top, y = y_axis(highest, money_label)
    width = max(30, 7 * max(len(tick.label) for tick in y) + 2)
    sentence = f"Spend per {period.width_label}: {money_sum(round(sum(total)))} in all."
    panel = Panel(250, width, f"{top:g}", y)
    return chart("costs", sentence, edges_of(buckets, period), period.zone, series, [panel], now_us=now_us)


def heat_rows(buckets: Sequence[Bucket], period: Period, link: Callable[[str], str]) -> list[HeatRow]:
    """The tenants that spent most, each on its own scale."""
    totals: dict[str, int] = {}
    for bucket in buckets:
        for name, amount in bucket.cost_by.items():
            totals[name] = totals.get(name, 0) + amount
    ranked = sorted((name for name in totals if name), key=lambda name: -totals[name])[:HEAT_ROWS]
    edges = edges_of(buckets, period)
    times = [span_of_time(start, end, period.zone) for start, end in pairwise(edges)]
    rows = []
    for name in ranked:
        highest = max(bucket.cost_by.get(name, 0) for bucket in buckets)
        cells = [_cell(time, bucket.cost_by.get(name, 0), highest) for time, bucket in zip(times, buckets, strict=True)]
        rows.append(HeatRow(name, link(name), cells, money_sum(totals[name])))
    return rows


def _cell(time: str, amount: int, highest: int) -> HeatCell:
    title = f"{time}: {money_sum(amount)}"
    return HeatCell(title, percent(max(amount, highest * FAINTEST // 100), highest) if amount > 0 else "")
