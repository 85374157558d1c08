"""Rows of usage: what a value of a tag, a tenant, a user or a feature used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.control.comparison import error_rate
from gateway.control.costs import per_thousand
from gateway.dashboard.charts import Spark, percent, spark
from gateway.dashboard.format import Figure, count, duration, money_sum, rate, share
from gateway.store.base import Group, Totals

FAILING = 0.015
"""The share of failures that is marked."""


@dataclass(frozen=True)
class UsedRow:
    name: str
    href: str
    """Of the calls; empty where no filter finds them."""
    spend: Figure
    is_unpriced: bool
    """Nothing of it has a price."""
    part: str
    part_figure: Figure
    per_thousand: Figure
    calls: Figure
    failed: Figure
    is_failing: bool
    p95: Figure
    spark: Spark | None = None


def used_rows(
    groups: Sequence[Group],
    whole: Totals,
    *,
    name: Callable[[str | None], str],
    link: Callable[[str | None], str],
) -> list[UsedRow]:
    """Shares are of `whole`."""
    return [used_row(group, whole, name(group.key), link(group.key)) for group in groups]


def used_row(group: Group, whole: Totals, name: str, href: str) -> UsedRow:
    totals = group.totals
    failed = error_rate(totals)
    is_unpriced = bool(totals.unpriced and not totals.cost_nanousd)
    return UsedRow(
        name=name,
        href=href,
        spend=money_sum(totals.cost_nanousd),
        is_unpriced=is_unpriced,
        part=percent(totals.cost_nanousd, whole.cost_nanousd),
        part_figure=share(totals.cost_nanousd, whole.cost_nanousd),
        per_thousand=money_sum(None if is_unpriced else per_thousand(totals.cost_nanousd, totals.requests)),
        calls=count(totals.requests),
        failed=rate(totals.errors, totals.requests - totals.cancelled),
        is_failing=failed is not None and failed > FAILING,
        p95=duration(group.latency.p95),
        spark=spark([float(value) for value in group.series], color="var(--chart-before)", height=18),
    )
