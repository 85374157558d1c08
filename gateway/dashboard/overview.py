"""The overview: sentences, figures, curves, and the lists behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.dashboard import overview_charts, urls
from gateway.dashboard.charts import Chart, Spark, percent, spark, spark_bars
from gateway.dashboard.failures import kind, title
from gateway.dashboard.format import (
    Delta,
    Figure,
    change,
    change_points,
    count,
    duration,
    money_sum,
    plain,
    rate,
    share,
    short,
)
from gateway.dashboard.notices import Notice, of_parts, of_traffic
from gateway.dashboard.render import respond
from gateway.dashboard.series import COLORS
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Bucket, Failure, Group, SpanFilter, Stats

MODELS_SHOWN = 6
TENANTS_SHOWN = 8


@dataclass(frozen=True)
class Stat:
    label: str
    figures: list[Figure]
    href: str
    delta: Delta | None = None
    note: str = ""
    spark: Spark | None = None


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
class NoticeRow:
    notice: Notice
    href: str


@dataclass(frozen=True)
class Overview:
    template: ClassVar[str] = "overview.html"
    shell: Shell
    notices: list[NoticeRow]
    is_first_time: bool = False
    """Nothing was ever recorded."""
    is_empty: bool = False
    """Nothing in this period."""
    wider: str = ""
    """The link to a longer period, for an empty one."""
    base_url: str = ""
    trouble: str = ""
    """The store's own words where it does not answer."""
    stats: list[Stat] = field(default_factory=list)
    charts: dict[str, Chart] = field(default_factory=dict)
    width_label: str = ""
    models: list[ModelRow] = field(default_factory=list)
    models_more: int = 0
    spend: Figure = field(default_factory=lambda: plain(""))
    unpriced: Figure | None = None
    unpriced_href: str = ""
    tenants: list[TenantRow] = field(default_factory=list)
    tenants_total: int = 0
    failures: list[FailureRow] = field(default_factory=list)
    failures_href: str = ""


@dataclass(frozen=True)
class Facts:
    """What the store said."""

    now: Stats
    before: Stats
    buckets: list[Bucket]
    models: list[Group]
    tenants: list[Group]
    failing: list[Failure]


async def overview(request: Request) -> Response:
    view = open_view(request, path=urls.OVERVIEW)
    shell = await make_shell(view, "Overview", urls.OVERVIEW)
    own_trouble = of_parts(view.state.journal_health(), view.state.recorder_health(), now_us=view.now_us)
    try:
        facts = await _ask(view)
        nothing = facts.now.totals.requests == 0
        first = nothing and not (await view.state.store.spans(view.own(SpanFilter()), limit=1)).items
    except StoreError as exc:
        rows = [NoticeRow(notice, "") for notice in own_trouble]
        return respond(Overview(shell, rows, trouble=str(exc)), 503)
    if nothing:
        rows = [NoticeRow(notice, "") for notice in own_trouble]
        base = f"{request.url.scheme}://{request.url.netloc}"
        wider = urls.overview((*view.filters.pairs, ("period", "30d")))
        return respond(Overview(shell, rows, is_first_time=first, is_empty=True, base_url=base, wider=wider))
    return respond(_page(view, shell, own_trouble, facts))


async def _ask(view: View) -> Facts:
    store, period, which = view.state.store, view.period, view.which()
    width, zone = period.width_us, period.zone.key
    # one after the other: the store has few readers, and a page must not take them all
    palette = view.palette()
    if palette.is_empty:
        palette.see([group.key for group in await store.groups(SpanFilter(), "model", limit=len(COLORS)) if group.key])
    now = await store.stats(which)
    before, buckets, models, tenants, failing = await asyncio.gather(
        store.stats(view.before()),
        store.buckets(which, width_us=width, split="model", time_zone=zone),
        store.groups(which, "model", limit=100, time_zone=zone),
        store.groups(which, "tenant", limit=100, spark_width_us=width, time_zone=zone),
        store.failures(which, limit=6, spark_width_us=width),
    )
    palette.see([group.key for group in models if group.key])
    return Facts(now, before, buckets, models, tenants, failing)


def _page(view: View, shell: Shell, own_trouble: list[Notice], facts: Facts) -> Overview:
    totals = facts.now.totals
    notices = own_trouble + of_traffic(totals, facts.failing, facts.models, view.period)
    return Overview(
        shell=shell,
        notices=[NoticeRow(notice, _list(view, *notice.link) if notice.link else "") for notice in notices],
        stats=_stats(view, facts),
        charts=overview_charts.make(facts.buckets, facts.models, view.period, view.palette(), now_us=view.now_us),
        width_label=view.period.width_label,
        models=_models(view, facts.models, totals.cost_nanousd),
        models_more=max(0, len(facts.models) - MODELS_SHOWN),
        spend=money_sum(totals.cost_nanousd),
        unpriced=count(totals.unpriced) if totals.unpriced else None,
        unpriced_href=_list(view, ("unpriced", "true")),
        tenants=[_tenant(view, group, totals.cost_nanousd) for group in facts.tenants[:TENANTS_SHOWN]],
        tenants_total=len(facts.tenants),
        failures=[_failure(view, failure) for failure in facts.failing],
        failures_href=_list(view, ("status", "error")),
    )


def _list(view: View, *plus: tuple[str, str]) -> str:
    """The rows behind a figure."""
    return urls.requests((*view.filters.query(plus=plus), *view.period.query.items()))


def _stats(view: View, facts: Facts) -> list[Stat]:
    now, before, buckets = facts.now.totals, facts.before.totals, facts.buckets
    latency, ttft, overhead = facts.now.latency, facts.now.ttft, facts.now.overhead
    versus = f"vs {view.period.before_label}"
    answered, answered_before = now.requests - now.cancelled, before.requests - before.cancelled
    cost = change(now.cost_nanousd, before.cost_nanousd)
    p50, p95 = duration(latency.p50), duration(latency.p95)
    return [
        Stat(
            "Spend",
            [money_sum(now.cost_nanousd)],
            _list(view, ("order", "costliest")),
            cost,
            f"{share(now.output_cost_nanousd, now.input_cost_nanousd + now.output_cost_nanousd)} for output"
            if cost is None
            else versus,
            spark([b.totals.cost_nanousd for b in buckets], from_zero=True),
        ),
        Stat(
            "Requests",
            [count(now.requests)],
            _list(view),
            change(now.requests, before.requests),
            f"{short(now.cancelled)} cancelled" if now.cancelled else "",
            spark([b.totals.requests for b in buckets], from_zero=True),
        ),
        Stat(
            "Success",
            [rate(answered - now.errors, answered)],
            _list(view, ("status", "error")),
            change_points(_success(answered, now.errors), _success(answered_before, before.errors)),
            f"{short(now.errors)} failed",
            spark(
                [_success(b.totals.requests - b.totals.cancelled, b.totals.errors) for b in buckets],
                color="var(--success-mark)",
            ),
        ),
        Stat(
            "Tokens",
            [short(now.input_tokens + now.output_tokens)],
            _list(view),
            None,
            f"{share(now.cached_input_tokens, now.input_tokens)} of input cached",
            spark([b.totals.input_tokens + b.totals.output_tokens for b in buckets], from_zero=True),
        ),
        Stat(
            "Latency, p50 · p95",
            [p50, p95] if latency.p50 is not None else [p50],
            _list(view, ("order", "slowest")),
            change(latency.p95, facts.before.latency.p95, better="down"),
            "p95",
            spark([_p95(b) for b in buckets], color="var(--warning-mark)"),
        ),
        Stat(
            "First token, p50",
            [duration(ttft.p50)],
            _list(view, ("stream", "true")),
            change(ttft.p50, facts.before.ttft.p50, better="down"),
            "streams" if ttft.count else "no streams",
            spark([b.ttft.p50 if b.ttft.count else None for b in buckets]),
        ),
        Stat(
            "Gateway adds, p50",
            [duration(overhead.p50)],
            _list(view),
            change(overhead.p50, facts.before.overhead.p50, better="down"),
            f"p99 {duration(overhead.p99)}" if overhead.p99 is not None else "",
        ),
    ]


def _success(answered: int, errors: int) -> float | None:
    return (answered - errors) / answered if answered > 0 else None


def _p95(bucket: Bucket) -> int | None:
    """Under 20 calls a p95 says nothing: a gap."""
    return bucket.latency.p95 if bucket.latency.count >= overview_charts.LEAST_FOR_P95 else None


def _models(view: View, groups: Sequence[Group], spend: int) -> list[ModelRow]:
    palette = view.palette()
    shown = [group for group in groups if group.totals.cost_nanousd or not group.totals.unpriced]
    return [
        ModelRow(
            group.key or "no model",
            palette.color(group.key),
            short(group.totals.requests),
            money_sum(group.totals.cost_nanousd),
            percent(group.totals.cost_nanousd, spend).removesuffix("%"),
            _list(view, ("model", group.key)) if group.key else _list(view),
        )
        for group in shown[:MODELS_SHOWN]
    ]


def _tenant(view: View, group: Group, spend: int) -> TenantRow:
    totals = group.totals
    answered = totals.requests - totals.cancelled
    success = _success(answered, totals.errors)
    return TenantRow(
        name=group.key or "no tenant",
        href=_list(view, ("tenant", group.key)) if group.key else "",
        spend=money_sum(totals.cost_nanousd),
        requests=count(totals.requests),
        success=rate(answered - totals.errors, answered),
        is_failing=success is not None and success < 0.985,
        p95=duration(group.latency.p95),
        spark=spark(group.series, color="var(--chart-before)", height=18),
        part=percent(totals.cost_nanousd, spend),
        part_figure=share(totals.cost_nanousd, spend),
    )


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
        href=_list(view, *plus),
        message=failure.message or "",
    )
