"""The overview: sentences, figures, curves, and the lists behind them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.pricing_sums import CacheSavings, cache_savings
from gateway.core.span import Span
from gateway.dashboard import overview_charts, overview_lists, urls
from gateway.dashboard.charts import Chart
from gateway.dashboard.format import Figure, count, money_sum, plain
from gateway.dashboard.notices import Notice, of_parts, of_traffic
from gateway.dashboard.overview_figures import Parts, Stat, listed, parts, strip
from gateway.dashboard.overview_lists import MODELS_SHOWN, FailureRow, ModelRow, TenantRow, TopTags
from gateway.dashboard.patience import in_time
from gateway.dashboard.render import respond
from gateway.dashboard.rows import Row
from gateway.dashboard.series import COLORS
from gateway.dashboard.tags import Values, leading
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Bucket, Failure, Group, SpanFilter, Stats

COSTLIEST_SHOWN = 6


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
    parts: list[Parts] = field(default_factory=list)
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
    tags: TopTags | None = None
    """None where there are no tags, or they take too long to sum up."""
    tags_href: str = ""
    costliest: list[Row] | None = None
    """None where they take too long to find."""
    costliest_href: str = ""


@dataclass(frozen=True)
class Facts:
    """What the store said."""

    now: Stats
    before: Stats
    buckets: list[Bucket]
    models: list[Group]
    tenants: list[Group]
    failing: list[Failure]
    savings: CacheSavings
    tags: tuple[str, Values] | None
    costliest: list[Span] | None


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
        store.groups(which, "model", limit=100, latency=False),
        store.groups(which, "tenant", limit=100, spark_width_us=width, time_zone=zone),
        store.failures(which, limit=6, spark_width_us=width),
    )
    palette.see([group.key for group in models if group.key])
    served, tags, dear = await asyncio.gather(
        store.groups(which, "provider_model", limit=1000, latency=False),
        in_time(leading(view, which)),
        in_time(store.spans(which, limit=COSTLIEST_SHOWN, order="costliest")),
    )
    savings = cache_savings(served, view.state.catalog, min(view.now_us, period.to_us))
    costliest = None if dear is None else dear.items
    return Facts(now, before, buckets, models, tenants, failing, savings, tags, costliest)


def _page(view: View, shell: Shell, own_trouble: list[Notice], facts: Facts) -> Overview:
    totals = facts.now.totals
    notices = own_trouble + of_traffic(totals, facts.failing, facts.models, view.period)
    return Overview(
        shell=shell,
        notices=[NoticeRow(notice, listed(view, *notice.link) if notice.link else "") for notice in notices],
        stats=strip(view, facts.now, facts.before, facts.buckets),
        parts=parts(view, facts.now, facts.before.totals, facts.savings),
        charts=overview_charts.make(facts.buckets, facts.models, view.period, view.palette(), now_us=view.now_us),
        width_label=view.period.width_label,
        models=overview_lists.models(view, facts.models, totals.cost_nanousd),
        models_more=max(0, len(facts.models) - MODELS_SHOWN),
        spend=money_sum(totals.cost_nanousd),
        unpriced=count(totals.unpriced) if totals.unpriced else None,
        unpriced_href=listed(view, ("unpriced", "true")),
        tenants=overview_lists.tenants(view, facts.tenants, totals.cost_nanousd),
        tenants_total=len(facts.tenants),
        failures=overview_lists.failures(view, facts.failing),
        failures_href=listed(view, ("status", "error")),
        tags=overview_lists.top_tags(view, *facts.tags) if facts.tags and facts.tags[0] else None,
        tags_href=urls.tags((*view.filters.pairs, *view.period.query.items())),
        costliest=None if facts.costliest is None else overview_lists.costliest(view, facts.costliest),
        costliest_href=listed(view, ("order", "costliest")),
    )
