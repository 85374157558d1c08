"""The page of one tenant: what it uses and what for, against the time before, and how near it is to its limits."""

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
from gateway.dashboard.charts import Chart
from gateway.dashboard.costs_charts import spend_chart
from gateway.dashboard.format import (
    Delta,
    Figure,
    change,
    change_points,
    count,
    duration,
    money_sum,
    rate,
    share,
    short,
    span_of_time,
)
from gateway.dashboard.render import respond
from gateway.dashboard.series import COLORS, OTHER
from gateway.dashboard.settings import urls as settings
from gateway.dashboard.tenant_meters import Meter, budget_meter, limit_meters
from gateway.dashboard.tenants import tenant_list, this_month
from gateway.dashboard.usage_rows import UsedRow, used_rows
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Bucket, Group, SpanFilter, Stats, Totals

TOP = 8


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
        budgets=[budget_meter(view, each) for each in budgets_seen(request) if _is_of(view, each, tenant)],
        limits=[m for each in limits_seen(request) if _is_of(view, each, tenant) for m in limit_meters(each)],
        keys=_keys(view, tenant, facts.keys),
        tops=_tops(view, tenant, facts),
        statement=urls.statement(tenant),
        month=this_month(view),
        manage=settings.tenant(tenant) if known else "",
        requests=tenant_list(view, ("tenant", tenant)),
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
            tenant_list(view, own, ("order", "costliest")),
            change(now.cost_nanousd, before.cost_nanousd),
            f"from {money_sum(before.cost_nanousd)}" if before.requests else "",
        ),
        TenantStat("Requests", count(now.requests), tenant_list(view, own), change(now.requests, before.requests)),
        TenantStat(
            "Success",
            rate(answered - now.errors, answered),
            tenant_list(view, own, ("status", "error")),
            None if failed is None or failed_before is None else change_points(1 - failed, 1 - failed_before),
            f"{short(now.errors)} failed",
        ),
        TenantStat(
            "Tokens",
            short(now.input_tokens + now.output_tokens),
            tenant_list(view, own),
            None,
            f"{share(now.cached_input_tokens, now.input_tokens)} of input cached",
        ),
        TenantStat(
            "Latency, p95",
            duration(facts.now.latency.p95),
            tenant_list(view, own, ("order", "slowest")),
            change(facts.now.latency.p95, facts.before.latency.p95, better="down"),
            f"p50 {duration(facts.now.latency.p50)}",
        ),
    ]
    if now.charge_nanousd != now.cost_nanousd:
        stats.insert(
            1, TenantStat("Charged", money_sum(now.charge_nanousd), urls.statement(tenant), None, "on statements")
        )
    if now.unpriced:
        stats.append(
            TenantStat("Unpriced", short(now.unpriced), tenant_list(view, own, ("unpriced", "true")), None, "calls")
        )
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
            link=lambda key: "" if key is None else tenant_list(view, own, (name, key)),
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
                calls_href=tenant_list(view, ("tenant", tenant), ("key", key_id)),
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
