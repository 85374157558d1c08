"""The Tenants page: who uses how much, and how near they are to their limits.

Who may call as a tenant is managed under Settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.limits import budgets_seen, limits_seen
from gateway.control.admission_status import BudgetState, LimitState
from gateway.control.costs import summed
from gateway.dashboard import urls
from gateway.dashboard.format import (
    Figure,
    count,
    moment,
    money_sum,
)
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls as settings
from gateway.dashboard.tenant_meters import Meter, budget_meter, limit_meters
from gateway.dashboard.usage_rows import UsedRow, used_row
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Distribution, Group, Totals

TENANTS_SHOWN = 500


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
        month=this_month(view),
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
    mine = [budget_meter(view, each) for each in budgets if (each.scope, each.value) == ("tenant", name)]
    bounds = [meter for each in limits if (each.scope, each.value) == ("tenant", name) for meter in limit_meters(each)]
    bounds.sort(key=lambda meter: -float(meter.part.rstrip("%")))
    return TenantRow(
        used=used_row(group, whole, name or "no tenant", tenant_list(view, ("tenant", name)) if name else ""),
        page=urls.tenant(name, view.scope) if name else "",
        budget=mine[0] if mine else None,
        limit=bounds[0] if bounds else None,
        keys=sum(key.tenant == name and key.revoked_at is None for key in view.all_keys()) if name else 0,
        statement=urls.statement(name) if name else "",
    )


def this_month(view: View) -> str:
    return f"{moment(view.now_us, view.period.zone):%B}"


def tenant_list(view: View, *plus: tuple[str, str]) -> str:
    """The rows behind a figure."""
    return urls.requests((*view.filters.narrowed(plus), *view.period.query.items()))
