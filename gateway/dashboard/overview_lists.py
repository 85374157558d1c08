"""The lists of the overview: models, tenants, tags, what fails and what costs most; each row leads to its calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.core.span import Span
from gateway.dashboard import urls
from gateway.dashboard.charts import Spark, percent, spark, spark_bars
from gateway.dashboard.failures import kind, title
from gateway.dashboard.format import Figure, count, day, duration, money_sum, rate, share, short
from gateway.dashboard.overview_figures import listed, success
from gateway.dashboard.rows import Row, rows_of
from gateway.dashboard.tags import Values
from gateway.dashboard.usage_rows import UsedRow
from gateway.dashboard.view import View
from gateway.store.base import Failure, Group

MODELS_SHOWN = 6
TENANTS_SHOWN = 8
TAGS_SHOWN = 6


@dataclass(frozen=True)
class ModelRow:
    name: str
    color: str
    calls: Figure
    spend: Figure
    part: str
    href: str


@dataclass(frozen=True)
class TenantRow:
    name: str
    href: str
    spend: Figure
    requests: Figure
    success: Figure
    is_failing: bool
    p95: Figure
    spark: Spark | None
    part: str
    part_figure: Figure


@dataclass(frozen=True)
class FailureRow:
    title: str
    where: str
    tone: str
    count: Figure
    bars: str
    href: str
    message: str


@dataclass(frozen=True)
class TopTags:
    """The values of one key that cost most."""

    key: str
    href: str
    """Of the key's page."""
    rows: list[UsedRow] = field(default_factory=list)
    note: str = ""


def models(view: View, groups: Sequence[Group], spend: int) -> list[ModelRow]:
    palette = view.palette()
    shown = [group for group in groups if group.totals.cost_nanousd or not group.totals.unpriced]
    return [
        ModelRow(
            group.key or "no model",
            palette.color(group.key),
            short(group.totals.requests),
            money_sum(group.totals.cost_nanousd),
            percent(group.totals.cost_nanousd, spend).removesuffix("%"),
            listed(view, ("model", group.key)) if group.key else listed(view),
        )
        for group in shown[:MODELS_SHOWN]
    ]


def tenants(view: View, groups: Sequence[Group], spend: int) -> list[TenantRow]:
    return [_tenant(view, group, spend) for group in groups[:TENANTS_SHOWN]]


def _tenant(view: View, group: Group, spend: int) -> TenantRow:
    totals = group.totals
    answered = totals.requests - totals.cancelled
    succeeded = success(answered, totals.errors)
    return TenantRow(
        name=group.key or "no tenant",
        href=listed(view, ("tenant", group.key)) if group.key else "",
        spend=money_sum(totals.cost_nanousd),
        requests=count(totals.requests),
        success=rate(answered - totals.errors, answered),
        is_failing=succeeded is not None and succeeded < 0.985,
        p95=duration(group.latency.p95),
        spark=spark(group.series, color="var(--chart-before)", height=18),
        part=percent(totals.cost_nanousd, spend),
        part_figure=share(totals.cost_nanousd, spend),
    )


def failures(view: View, found: Sequence[Failure]) -> list[FailureRow]:
    return [_failure(view, failure) for failure in found]


def _failure(view: View, failure: Failure) -> FailureRow:
    plus = [("status", failure.error_type)]
    plus += [(name, value) for name, value in (("provider", failure.provider), ("model", failure.model)) if value]
    where = "/".join(filter(None, [failure.provider, failure.model]))
    return FailureRow(
        title=title(failure.error_type, failure.status_code),
        where=where or "before a provider was asked",
        tone="warning" if failure.status_code in (402, 429, 499) else kind(failure.error_type).tone,
        count=count(failure.count),
        bars=spark_bars(failure.series),
        href=listed(view, *plus),
        message=failure.message or "",
    )


def top_tags(view: View, key: str, values: Values) -> TopTags:
    named = [row for row in values.rows if row.href]
    scope = (*view.filters.pairs, *view.period.query.items())
    return TopTags(key, urls.tags((*scope, ("of", key))), named[:TAGS_SHOWN], values.note)


def costliest(view: View, spans: Sequence[Span]) -> list[Row]:
    """Calls that cost something, dearest first."""
    zone = view.period.zone
    paid = [span for span in spans if span.cost_nanousd]
    query = (*view.filters.query(), *view.period.query.items())
    return rows_of(paid, query=query, zone=zone, today=day(view.now_us, zone), with_ms=False, key_names={})
