"""The Tenants pages: who uses how much, how near they are to their limits, and of one tenant what it is used for.

Who may call as a tenant is managed under Settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.limits import budgets_seen, limits_seen
from gateway.control.admission_status import BudgetState, LimitState
from gateway.control.comparison import error_rate
from gateway.control.costs import summed
from gateway.control.keys import key_state
from gateway.control.recent import newest_part
from gateway.dashboard import urls
from gateway.dashboard.charts import Chart, percent
from gateway.dashboard.costs_charts import spend_chart
from gateway.dashboard.format import (
    Delta,
    Figure,
    change,
    change_points,
    count,
    duration,
    full,
    moment,
    money_sum,
    rate,
    share,
    short,
    span_of_time,
)
from gateway.dashboard.render import respond
from gateway.dashboard.series import COLORS, OTHER
from gateway.dashboard.settings import urls as settings
from gateway.dashboard.usage_rows import UsedRow, used_row, used_rows
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Bucket, Distribution, Group, SpanFilter, Stats, Totals

TENANTS_SHOWN = 500
TOP = 8


@dataclass(frozen=True)
class Meter:
    """How full a limit or budget is now."""

    label: str
    part: str
    tone: str
    words: str
    title: str = ""


@dataclass(frozen=True)
class TenantRow:
    used: UsedRow
    page: str
    budget: Meter | None
    limit: Meter | None
    keys: int
    statement: str


@dataclass(frozen=True)
class TenantsPage:
    template: ClassVar[str] = "tenants.html"
    shell: Shell
    trouble: str = ""
    rows: list[TenantRow] = field(default_factory=list)
    more: str = ""
    """How many there are, where not all are shown."""
    spend: Figure = field(default_factory=lambda: money_sum(None))
    calls: Figure = field(default_factory=lambda: count(None))
    month: str = ""
    has_budgets: bool = False
    has_limits: bool = False
    manage: str = settings.TENANTS


@dataclass(frozen=True)
class TenantStat:
    label: str
    figure: Figure
    href: str
    delta: Delta | None = None
    note: str = ""


@dataclass(frozen=True)
class TenantKey:
    name: str
    href: str
    environment: str
    state: str
    calls: Figure
    spend: Figure
    calls_href: str


@dataclass(frozen=True)
class TenantPage:
    template: ClassVar[str] = "tenant.html"
    shell: Shell
    tenant: str
    title: str
    """What people call it."""
    back: str = ""
    trouble: str = ""
    is_empty: bool = False
    wider: str = ""
    stats: list[TenantStat] = field(default_factory=list)
    chart: Chart | None = None
    versus: str = ""
    width_label: str = ""
    budgets: list[Meter] = field(default_factory=list)
    limits: list[Meter] = field(default_factory=list)
    keys: list[TenantKey] = field(default_factory=list)
    tops: list[tuple[str, str, list[UsedRow]]] = field(default_factory=list)
    """(title, of which calls, rows)"""
    statement: str = ""
    month: str = ""
    manage: str = ""
    requests: str = ""


async def tenants_page(request: Request) -> Response:
    view = open_view(request, path=urls.TENANTS)
    shell = await make_shell(view, "Tenants", urls.TENANTS)
    period = view.period
    try:
        groups = await view.state.store.groups(
            view.which(), "tenant", limit=1000, spark_width_us=period.width_us, time_zone=period.zone.key
        )
    except StoreError as exc:
        return respond(TenantsPage(shell, trouble=str(exc)), 503)
    groups = [*groups, *_silent(view, groups)]
    whole = summed(group.totals for group in groups)
    budgets, limits = budgets_seen(request), limits_seen(request)
    rows = [_tenant_row(view, group, whole, budgets, limits) for group in groups[:TENANTS_SHOWN]]
    page = TenantsPage(
        shell,
        rows=rows,
        more=f"{len(groups):,}" if len(groups) > TENANTS_SHOWN else "",
        spend=money_sum(whole.cost_nanousd),
        calls=count(whole.requests),
        month=_month(view),
        has_budgets=any(row.budget for row in rows),
        has_limits=any(row.limit for row in rows),
    )
    return respond(page)


def _silent(view: View, groups: Sequence[Group]) -> list[Group]:
    """Tenants that are known and called nothing in the period."""
    if view.filters.pairs:
        return []
    called = {group.key for group in groups}
    own = view.principal.tenant
    known = view.state.identity.directory.tenants
    names = [slug for slug in sorted(known) if slug not in called and own in (None, slug)]
    return [Group(slug, Totals(), Distribution(0)) for slug in names]


def _tenant_row(
    view: View, group: Group, whole: Totals, budgets: Sequence[BudgetState], limits: Sequence[LimitState]
) -> TenantRow:
    name = group.key
    mine = [_budget_meter(view, each) for each in budgets if (each.scope, each.value) == ("tenant", name)]
    bounds = [meter for each in limits if (each.scope, each.value) == ("tenant", name) for meter in limit_meters(each)]
    bounds.sort(key=lambda meter: -float(meter.part.rstrip("%")))
    return TenantRow(
        used=used_row(group, whole, name or "no tenant", _list(view, ("tenant", name)) if name else ""),
        page=urls.tenant(name, view.scope) if name else "",
        budget=mine[0] if mine else None,
        limit=bounds[0] if bounds else None,
        keys=sum(key.tenant == name and key.revoked_at is None for key in view.all_keys()) if name else 0,
        statement=urls.statement(name) if name else "",
    )


# ------------------------------------------------------------------------------------------------ one tenant


@dataclass(frozen=True)
class Facts:
    now: Stats
    before: Stats
    buckets: list[Bucket]
    buckets_before: list[Bucket]
    models: list[Group]
    features: list[Group]
    keys: list[Group]
    users: list[Group]
    users_from: int | None
    """Users are those of the calls since then; None: of all."""


async def tenant_page(request: Request) -> Response:
    tenant = request.path_params["tenant"]
    view = open_view(request, path=urls.tenant(tenant))
    shell = await make_shell(view, tenant, urls.TENANTS)
    which = view.own(structs.replace(view.which(), tenant=(tenant,)))
    known = view.state.identity.directory.tenants.get(tenant)
    title = known.name if known else tenant
    back = urls.tenants(view.scope)
    try:
        facts = await _ask(view, which)
    except StoreError as exc:
        return respond(TenantPage(shell, tenant, title, back, trouble=str(exc)), 503)
    page = TenantPage(
        shell,
        tenant,
        title,
        back,
        is_empty=facts.now.totals.requests == 0,
        wider=urls.tenant(tenant, (*view.filters.pairs, ("period", "30d"))),
        stats=_stats(view, tenant, facts),
        chart=_chart(view, facts),
        versus=view.period.before_label,
        width_label=view.period.width_label,
        budgets=[_budget_meter(view, each) for each in budgets_seen(request) if _is_of(view, each, tenant)],
        limits=[m for each in limits_seen(request) if _is_of(view, each, tenant) for m in limit_meters(each)],
        keys=_keys(view, tenant, facts.keys),
        tops=_tops(view, tenant, facts),
        statement=urls.statement(tenant),
        month=_month(view),
        manage=settings.tenant(tenant) if known else "",
        requests=_list(view, ("tenant", tenant)),
    )
    return respond(page)


async def _ask(view: View, which: SpanFilter) -> Facts:
    """One after the other: the store has few readers, and a page must not take them all."""
    store, period = view.state.store, view.period
    width, zone = period.width_us, period.zone.key
    from_us, to_us = period.before
    earlier = structs.replace(which, from_us=from_us, to_us=to_us)
    models = await store.groups(which, "model", limit=1000, time_zone=zone)
    view.palette().see([group.key for group in models if group.key])
    names = [group.key for group in models if group.key][: len(COLORS) - 1]
    part = await newest_part(store, which, width_us=width, time_zone=zone)
    return Facts(
        await store.stats(which),
        await store.stats(earlier),
        await store.buckets(which, width_us=width, split="model", among=names, time_zone=zone),
        await store.buckets(earlier, width_us=width, time_zone=zone),
        models,
        await store.groups(which, "feature", limit=1000, time_zone=zone),
        await store.groups(which, "key", limit=1000, time_zone=zone),
        await store.groups(part, "user", limit=TOP, time_zone=zone),
        None if part.from_us == which.from_us else part.from_us,
    )


def _stats(view: View, tenant: str, facts: Facts) -> list[TenantStat]:
    now, before = facts.now.totals, facts.before.totals
    own = ("tenant", tenant)
    failed, failed_before = error_rate(now), error_rate(before)
    answered = now.requests - now.cancelled
    stats = [
        TenantStat(
            "Spend",
            money_sum(now.cost_nanousd),
            _list(view, own, ("order", "costliest")),
            change(now.cost_nanousd, before.cost_nanousd),
            f"from {money_sum(before.cost_nanousd)}" if before.requests else "",
        ),
        TenantStat("Requests", count(now.requests), _list(view, own), change(now.requests, before.requests)),
        TenantStat(
            "Success",
            rate(answered - now.errors, answered),
            _list(view, own, ("status", "error")),
            None if failed is None or failed_before is None else change_points(1 - failed, 1 - failed_before),
            f"{short(now.errors)} failed",
        ),
        TenantStat(
            "Tokens",
            short(now.input_tokens + now.output_tokens),
            _list(view, own),
            None,
            f"{share(now.cached_input_tokens, now.input_tokens)} of input cached",
        ),
        TenantStat(
            "Latency, p95",
            duration(facts.now.latency.p95),
            _list(view, own, ("order", "slowest")),
            change(facts.now.latency.p95, facts.before.latency.p95, better="down"),
            f"p50 {duration(facts.now.latency.p50)}",
        ),
    ]
    if now.charge_nanousd != now.cost_nanousd:
        stats.insert(
            1, TenantStat("Charged", money_sum(now.charge_nanousd), urls.statement(tenant), None, "on statements")
        )
    if now.unpriced:
        stats.append(TenantStat("Unpriced", short(now.unpriced), _list(view, own, ("unpriced", "true")), None, "calls"))
    return stats


def _chart(view: View, facts: Facts) -> Chart:
    palette = view.palette()
    names = [group.key for group in facts.models if group.key and group.totals.cost_nanousd]
    return spend_chart(
        facts.buckets,
        facts.buckets_before,
        names,
        lambda name: name,
        lambda name: palette.color(name) or OTHER,
        view.period,
        now_us=view.now_us,
    )


def _tops(view: View, tenant: str, facts: Facts) -> list[tuple[str, str, list[UsedRow]]]:
    own, whole = ("tenant", tenant), facts.now.totals

    def rows(groups: Sequence[Group], of: Totals, name: str, nothing: str) -> list[UsedRow]:
        return used_rows(
            groups[:TOP],
            of,
            name=lambda key: nothing if key is None else key,
            link=lambda key: "" if key is None else _list(view, own, (name, key)),
        )

    since = ""
    if facts.users_from is not None:
        since = f"of the newest calls only, {span_of_time(facts.users_from, view.period.to_us, view.period.zone)}"
    of_users = whole if facts.users_from is None else summed(group.totals for group in facts.users)
    return [
        ("Features", _of(facts.features), rows(facts.features, whole, "tag.feature", "no feature")),
        ("Users", since, rows(facts.users, of_users, "user", "no user")),
        ("Models", _of(facts.models), rows(facts.models, whole, "model", "no model")),
    ]


def _of(groups: Sequence[Group]) -> str:
    return f"{TOP} of {len(groups):,}" if len(groups) > TOP else ""


def _keys(view: View, tenant: str, used: Sequence[Group]) -> list[TenantKey]:
    """Its keys, and any other that called for it; those that work, first."""
    spent = {group.key: group.totals for group in used if group.key}
    named = {key.key_id: key for key in view.all_keys()}
    ids = [key_id for key_id, key in named.items() if key.tenant == tenant and key.owner is None]
    ids += [key_id for key_id in spent if key_id not in ids]
    rows = []
    for key_id in ids:
        key, totals = named.get(key_id), spent.get(key_id, Totals())
        rows.append(
            TenantKey(
                name=key.name if key else key_id,
                href=settings.key(key_id) if key else "",
                environment=(key.environment or "any") if key else "–",
                state=key_state(key, view.now_us) if key else "unknown",
                calls=count(totals.requests),
                spend=money_sum(totals.cost_nanousd),
                calls_href=_list(view, ("tenant", tenant), ("key", key_id)),
            )
        )
    order = {"active": 0, "expired": 1, "revoked": 2, "unknown": 3}
    return sorted(rows, key=lambda row: (order[row.state], row.name))


def _is_of(view: View, state: LimitState | BudgetState, tenant: str) -> bool:
    """The tenant's own, and those of its keys."""
    if state.scope == "key":
        key = view.key(state.value)
        return key is not None and key.tenant == tenant
    return (state.scope, state.value) == ("tenant", tenant)


# ------------------------------------------------------------------------------------------------ limits, budgets


def limit_meters(state: LimitState) -> list[Meter]:
    """One for each bound that is set."""
    of = "" if state.scope == "tenant" else f", {state.scope}"
    bounds = (
        ("Requests a minute", state.requests_used, state.requests_limit),
        ("Tokens a minute", state.tokens_used, state.tokens_limit),
        ("At the same time", state.in_flight, state.concurrent_limit),
    )
    return [
        Meter(label + of, percent(used, limit), _tone(used, limit), f"{short(used)} of {short(limit)}", "last 60 s")
        for label, used, limit in bounds
        if limit is not None and used is not None
    ]


def _budget_meter(view: View, state: BudgetState) -> Meter:
    taken = state.spent + state.reserved
    resets = f", resets {full(state.resets_us, view.period.zone)}" if state.resets_us is not None else ""
    kind = "hard" if state.hard else "soft"
    return Meter(
        state.name,
        percent(taken, state.limit),
        _tone(taken, state.limit),
        f"{money_sum(taken)} of {money_sum(state.limit)}",
        f"{kind}, {money_sum(state.reserved)} of it reserved by calls under way{resets}",
    )


def _tone(used: int, limit: int) -> str:
    """A limit of nothing is always full."""
    if used >= limit:
        return "error"
    return "warning" if used * 5 >= limit * 4 else ""


def _month(view: View) -> str:
    return f"{moment(view.now_us, view.period.zone):%B}"


def _list(view: View, *plus: tuple[str, str]) -> str:
    """The rows behind a figure."""
    return urls.requests((*view.filters.query(without=("tenant",), plus=plus), *view.period.query.items()))
