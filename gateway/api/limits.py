"""`/api/limits` and `/api/budgets`: what is used, reserved and left now, over all workers of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.filters import grouped, iso_time, parse_limit
from gateway.api.record import usd
from gateway.api.requests import json_response
from gateway.api.scope import bounds_of, state_of
from gateway.control.admission_status import NAMES_OF, BudgetState, LimitState, Standings, standings
from gateway.control.keys import now_us
from gateway.control.state import AppState


class LimitView(msgspec.Struct):
    """A value that was counted within the time the counters keep. A limit that is not set is null."""

    scope: str
    value: str
    name: str
    """The key's name where the value is a key's id; else the value."""
    requests_per_min: int | None
    requests_used: int
    tokens_per_min: int | None
    tokens_used: int | None
    concurrent: int | None
    in_flight: int


class BudgetView(msgspec.Struct):
    budget: str
    scope: str
    value: str
    name: str
    period: str
    hard: bool
    limit_usd: msgspec.Raw | None
    spent_usd: msgspec.Raw | None
    reserved_usd: msgspec.Raw | None
    remaining_usd: msgspec.Raw | None
    """Neither spent nor reserved; 0 where it is overshot."""
    overshoot_usd: msgspec.Raw | None
    """How far beyond its limit the calls under way could get it, at the very most."""
    in_flight: int
    begins_at: str | None
    resets_at: str | None
    """null for a `total`."""


class LimitList(msgspec.Struct):
    items: list[LimitView]
    next_cursor: None = None
    """Always null: one page of at most a thousand, the fullest."""


class BudgetList(msgspec.Struct):
    items: list[BudgetView]
    next_cursor: None = None


async def list_limits(request: Request) -> Response:
    most, names = _most(request), names_in(state_of(request))
    return json_response(LimitList([_limit_view(each, names) for each in limits_seen(request)[:most]]))


async def list_budgets(request: Request) -> Response:
    most, names = _most(request), names_in(state_of(request))
    return json_response(BudgetList([_budget_view(each, names) for each in budgets_seen(request)[:most]]))


def limits_seen(request: Request) -> list[LimitState]:
    """Those the reader may see, the fullest first."""
    seen = [each for each in standings_in(state_of(request)).limits if _may_see(request, each)]
    return sorted(seen, key=lambda each: (-fullness(each), each.scope, each.value))


def budgets_seen(request: Request) -> list[BudgetState]:
    """Those the reader may see, the fullest first."""
    seen = [each for each in standings_in(state_of(request)).budgets if _may_see(request, each)]
    return sorted(seen, key=lambda each: (-each.spent / each.limit, each.name, each.value))


def _most(request: Request) -> int:
    return parse_limit(grouped(request.query_params.multi_items(), also=("limit",)), default=1000)


def _may_see(request: Request, row: LimitState | BudgetState) -> bool:
    """Who is bound to something sees only what is counted for that by itself."""
    bounds: Mapping[str, str] = bounds_of(reader(request))
    return not bounds or bounds.get(row.scope) == row.value


def standings_in(state: AppState) -> Standings:
    """As they are counted here, or as whoever counts them told."""
    if state.standings is not None:
        return state.standings()
    return standings(state.limiting.limits if state.limiting is not None else None, now_us(), names_in(state))


def names_in(state: AppState) -> NAMES_OF:
    def names(scope: str, value: str) -> tuple[str, ...]:
        key = state.keyring.by_id(value) if scope == "key" else None
        return (value, key.name) if key is not None else (value,)

    return names


def fullness(of: LimitState) -> float:
    """0 to 1 and beyond, of the limit that is nearest."""
    shares: Iterable[tuple[int | None, int | None]] = (
        (of.requests_used, of.requests_limit),
        (of.tokens_used, of.tokens_limit),
        (of.in_flight, of.concurrent_limit),
    )
    return max((used / limit for used, limit in shares if limit and used is not None), default=0.0)


def _limit_view(of: LimitState, names_of: NAMES_OF) -> LimitView:
    return LimitView(
        of.scope,
        of.value,
        names_of(of.scope, of.value)[-1],
        of.requests_limit,
        of.requests_used,
        of.tokens_limit,
        of.tokens_used,
        of.concurrent_limit,
        of.in_flight,
    )


def _budget_view(of: BudgetState, names_of: NAMES_OF) -> BudgetView:
    return BudgetView(
        of.name,
        of.scope,
        of.value,
        names_of(of.scope, of.value)[-1],
        of.period,
        of.hard,
        usd(of.limit),
        usd(of.spent),
        usd(of.reserved),
        usd(max(0, of.limit - of.spent - of.reserved)),
        usd(of.overshoot),
        of.calls,
        iso_time(of.begins_us) if of.begins_us else None,
        iso_time(of.resets_us) if of.resets_us is not None else None,
    )
