"""The Costs page: where the money goes, why it changed, where it is heading, and what else it could have been."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.costs import Summary, per_thousand, summary
from gateway.control.forecast import Forecast
from gateway.dashboard import urls
from gateway.dashboard.charts import Chart
from gateway.dashboard.costs_charts import HeatRow, heat_rows, spend_chart
from gateway.dashboard.costs_parts import (
    CauseBar,
    CostRow,
    Label,
    MoveRow,
    SideRow,
    WhatIfForm,
    cause_bars,
    cost_rows,
    moves,
    side_by_side,
    total_row,
)
from gateway.dashboard.costs_sources import SourceRow, source_rows
from gateway.dashboard.dimensions import MAIN, MORE, TAG, TIMES, Dimension, dimension_of, filters_of
from gateway.dashboard.format import Delta, Figure, change, money_sum, plain, plural, rate, share, short
from gateway.dashboard.overview_charts import STACKED
from gateway.dashboard.patience import in_time
from gateway.dashboard.render import respond
from gateway.dashboard.series import COLORS, OTHER
from gateway.dashboard.view import Choice, Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Bucket, Group, SpanFilter

GROUPS_SHOWN = 50
GROUPS_ASKED = 1000


@dataclass(frozen=True)
class CostStat:
    label: str
    figure: Figure
    delta: Delta | None = None
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class Costs:
    template: ClassVar[str] = "costs.html"
    shell: Shell
    trouble: str = ""
    is_empty: bool = False
    wider: str = ""
    chips: list[tuple[str, str, str]] = field(default_factory=list)
    """(label, value, link without it)"""
    main: list[Choice] = field(default_factory=list)
    more: list[Choice] = field(default_factory=list)
    by_label: str = ""
    versus: str = ""
    stats: list[CostStat] = field(default_factory=list)
    chart: Chart | None = None
    width_label: str = ""
    causes: list[CauseBar] = field(default_factory=list)
    change: Figure = field(default_factory=lambda: plain(""))
    rows: list[CostRow] = field(default_factory=list)
    total: CostRow | None = None
    rows_total: str = ""
    """How many there are, where not all are shown."""
    has_before: bool = False
    is_by_time: bool = False
    heat: list[HeatRow] = field(default_factory=list)
    heat_label: str = ""
    moves: list[MoveRow] = field(default_factory=list)
    what_if: WhatIfForm | None = None
    sources: list[SourceRow] | None = None
    """Calls by where their price came from; None where they take too long to add up."""
    sides: list[SideRow] = field(default_factory=list)
    side_names: tuple[str, str] = ("", "")
    side_choices: list[tuple[str, str]] = field(default_factory=list)
    hidden: tuple[tuple[str, str], ...] = ()
    export: str = ""
    statement: str = ""


@dataclass(frozen=True)
class Facts:
    summary: Summary
    groups: list[Group]
    before: list[Group]
    buckets: list[Bucket]
    buckets_before: list[Bucket]
    tenants: list[Bucket]
    sources: list[Group] | None


async def costs(request: Request) -> Response:
    view = open_view(request, path=urls.COSTS)
    by = dimension_of(request.query_params.get("by"))
    view.kept = (("by", by.key),) if "by" in request.query_params else ()
    view.filters = replace(view.filters, extra=(*view.filters.extra, *view.kept))
    shell = await make_shell(view, "Costs", urls.COSTS)
    try:
        facts = await _ask(view, by)
        tags = [tag.key for tag in await view.state.store.tag_keys() if tag.key != "sessionId"]
    except StoreError as exc:
        return respond(Costs(shell, trouble=str(exc)), 503)
    if facts.summary.now.requests == 0:
        wider = urls.costs((*view.filters.pairs, *view.kept, ("period", "30d")))
        return respond(Costs(shell, is_empty=True, wider=wider, chips=_chips(view)))
    return respond(_page(view, shell, by, facts, tags))


async def _ask(view: View, by: Dimension) -> Facts:
    """A few at a time: the store has few readers, and a page must not take them all."""
    store, period, which = view.state.store, view.period, view.which()
    width, zone, earlier = period.width_us, period.zone.key, view.before()
    palette = view.palette()
    if palette.is_empty:
        palette.see([group.key for group in await store.groups(SpanFilter(), "model", limit=len(COLORS)) if group.key])
    split = None if by.key in TIMES else by.key
    found = await summary(store, which, view.state.catalog, view.now_us, period.zone)
    sides = view.request.query_params.get("a", "") != ""
    groups = await store.groups(which, by.key, limit=GROUPS_ASKED, spark_width_us=width, time_zone=zone, latency=sides)
    shown = [group.key for group in groups if group.key][:STACKED]
    buckets = await store.buckets(which, width_us=width, split=split, among=shown if split else None, time_zone=zone)
    before: list[Group] = []
    if split is not None:
        among = [group.key for group in groups[:GROUPS_SHOWN]]
        before = await store.groups(earlier, by.key, limit=GROUPS_ASKED, time_zone=zone, among=among, latency=False)
    buckets_before, tenants = await asyncio.gather(
        store.buckets(earlier, width_us=width, time_zone=zone),
        store.buckets(which, width_us=width, split="tenant", time_zone=zone),
    )
    sources = await in_time(store.groups(which, "cost_source", time_zone=zone))
    return Facts(found, groups, before, buckets, buckets_before, tenants, sources)


def _page(view: View, shell: Shell, by: Dimension, facts: Facts, tags: Sequence[str]) -> Costs:
    found, period = facts.summary, view.period
    names = [group.key for group in facts.groups if group.key and group.totals.cost_nanousd]
    label = _labels(view, by)
    colors = _colors(view, by, names)
    sides, side_names = _sides(view, facts, label)
    total, bars = total_row(found.now, found.before), cause_bars(found)
    asked = view.request.query_params
    form, rows = moves(
        found.models, view.state.catalog, view.now_us, asked.get("source", ""), asked.get("target", "").strip()
    )
    return Costs(
        shell=shell,
        chips=_chips(view),
        main=[_choice(view, each, by) for each in MAIN],
        more=[_choice(view, each, by) for each in (*MORE, *(dimension_of(TAG + key) for key in tags))],
        by_label=by.label,
        versus=period.before_label,
        stats=_stats(view, found),
        chart=spend_chart(
            facts.buckets,
            facts.buckets_before,
            [] if by.key in TIMES else names,
            label,
            lambda name: colors.get(name, OTHER),
            period,
            now_us=view.now_us,
        ),
        width_label=period.width_label,
        causes=bars,
        change=total.change,
        rows=cost_rows(
            facts.groups[:GROUPS_SHOWN],
            facts.before,
            found.now,
            all_before=found.before.requests > 0,
            name=lambda key: label(key) if key else by.nothing,
            color=lambda key: colors.get(key or "", OTHER),
            link=lambda key: _list(view, *filters_of(by, key)) if key and by.key not in TIMES else "",
        ),
        total=total,
        rows_total=_more(len(facts.groups)),
        has_before=found.before.requests > 0,
        is_by_time=by.key in TIMES,
        heat=heat_rows(facts.tenants, period, lambda name: _list(view, ("tenant", name))),
        heat_label=period.width_label,
        moves=rows,
        what_if=form,
        sources=None if facts.sources is None else source_rows(facts.sources, _list(view, ("unpriced", "true"))),
        sides=sides,
        side_names=side_names,
        side_choices=[] if by.key in TIMES else [(name, label(name)) for name in names[:GROUPS_SHOWN]],
        hidden=(*view.filters.pairs, *view.period.query.items(), *view.kept),
        export=urls.with_query("/api/costs", _api_query(view, by)),
        statement=_statement_link(view),
    )


def _labels(view: View, by: Dimension) -> Label:
    if by.key in TIMES:
        pattern = "%a %-d %b %Y" if by.key == "day" else "%a %-d %b, %H:%M"
        return lambda key: f"{datetime.fromisoformat(key):{pattern}}"
    if by.key != "key":
        return lambda key: key
    names = view.key_names()
    return lambda key: names.get(key, key)


def _colors(view: View, by: Dimension, names: Sequence[str]) -> dict[str, str]:
    """Models have theirs on every page; other names by rank."""
    if by.key in ("model", "provider_model"):
        palette = view.palette()
        return {name: palette.color(name if by.key == "model" else name.partition("/")[2]) for name in names}
    return dict(zip(names, COLORS, strict=False))


def _sides(view: View, facts: Facts, label: Label) -> tuple[list[SideRow], tuple[str, str]]:
    chosen = [view.request.query_params.get(name, "") for name in ("a", "b")]
    groups = {group.key: group for group in facts.groups}
    left, right = (groups.get(name) for name in chosen)
    if left is None or right is None:
        return [], (chosen[0], chosen[1])
    return side_by_side(left, right), (label(chosen[0]), label(chosen[1]))


def _stats(view: View, found: Summary) -> list[CostStat]:
    now, before, forecast = found.now, found.before, found.forecast
    tokens, tokens_before = (each.input_tokens + each.output_tokens for each in (now, before))
    each, each_before = per_thousand(now.cost_nanousd, now.requests), per_thousand(before.cost_nanousd, before.requests)
    token, token_before = per_thousand(now.cost_nanousd, tokens), per_thousand(before.cost_nanousd, tokens_before)
    ahead = "needs 3 complete days"
    if forecast.expected_nanousd is not None:
        ahead = f"80%: {money_sum(forecast.low_nanousd)} – {money_sum(forecast.high_nanousd)}"
    saved = f"{share(now.cached_input_tokens, now.input_tokens)} of input"
    if found.savings.without_price:
        saved += f", {plural(found.savings.without_price, 'call')} without a price"
    stats = [
        CostStat(
            "Spend",
            money_sum(now.cost_nanousd),
            change(now.cost_nanousd, before.cost_nanousd),
            _from(before.cost_nanousd if before.requests else None),
            _list(view, ("order", "costliest")),
        ),
        CostStat("Month to date", money_sum(forecast.spent_nanousd), None, _burn(forecast)),
        CostStat("Forecast for the month", money_sum(forecast.expected_nanousd), None, ahead),
        CostStat("Per 1,000 requests", money_sum(each), change(each, each_before), _from(each_before)),
        CostStat("Per 1,000 tokens", money_sum(token), change(token, token_before), _from(token_before)),
        CostStat("Saved by prompt caches", money_sum(found.savings.saved_nanousd), None, saved),
        CostStat(
            "Spent on failures",
            money_sum(found.failed.cost_nanousd),
            None,
            f"{rate(found.failed.cost_nanousd, now.cost_nanousd)} of spend",
            _list(view, ("status", "error")),
        ),
    ]
    if now.unpriced:
        stats.append(CostStat("Unpriced", short(now.unpriced), None, "calls", _list(view, ("unpriced", "true"))))
    return stats


def _from(before: int | None) -> str:
    return "" if before is None else f"from {money_sum(before)}"


def _burn(forecast: Forecast) -> str:
    burn = forecast.burn_nanousd_per_day
    return "" if burn is None else f"{money_sum(burn)} a day"


def _list(view: View, *plus: tuple[str, str]) -> str:
    """The rows behind a figure."""
    return urls.requests((*view.filters.narrowed(plus), *view.period.query.items()))


def _choice(view: View, each: Dimension, chosen: Dimension) -> Choice:
    query = (*view.filters.pairs, *view.period.query.items(), ("by", each.key))
    return Choice(each.label, urls.costs(query), each.key == chosen.key)


def _more(groups: int) -> str:
    if groups <= GROUPS_SHOWN:
        return ""
    return f"{groups:,}" if groups < GROUPS_ASKED else f"{GROUPS_ASKED:,}+"


def _chips(view: View) -> list[tuple[str, str, str]]:
    chips = [chip for chip in view.filters.chips if chip.name != "environment"]
    return [(f"{chip.label} {chip.op}", chip.value, chip.without) for chip in chips]


def _api_query(view: View, by: Dimension) -> tuple[tuple[str, str], ...]:
    return (
        *view.filters.pairs,
        *view.period.shifted(0).items(),
        ("group_by", by.key),
        ("time_zone", view.period.zone.key),
    )


def _statement_link(view: View) -> str:
    """Of the one tenant that is looked at."""
    tenants = view.which().tenant
    return urls.statement(tenants[0]) if len(tenants) == 1 else ""
