"""`/api/routes` and `/api/routes/explain`: where calls go, with what chance, and what would come after.

Of the worker that answers: each has its own measurements. The odds are those that a call draws from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.errors import invalid
from gateway.api.filters import single
from gateway.api.requests import json_response
from gateway.api.scope import bounds_of, state_of
from gateway.control.state import AppState, Routing
from gateway.core.key import Key
from gateway.core.routing import Ask, Explained, Member, Route, explain
from gateway.errors import CallError

PARAMETERS = ("model", "key", "session", "cache_key", "region", "tokens")


class TargetView(msgspec.Struct):
    """A member of a route as it stands now, in the order in which it would most likely be tried."""

    provider: str
    model: str
    tier: int
    """0: a target; 1 and up: fallbacks."""
    state: str
    """`closed`, `open`, `half-open`, `probing` or `resting`."""
    ready_in_ms: float
    """Until it is tried while others are live; 0 when it is live."""
    chance: float
    """Of being tried first."""
    why: str
    in_flight: int
    latency_ms: float | None
    """To the first byte, averaged; null until it is measured."""
    keys: int
    keys_ready: int
    weight: float
    share: float | None
    region: str | None
    price_usd: float | None
    """1,000 tokens in and 1,000 out; null without a price."""


class RouteView(msgspec.Struct):
    name: str
    strategy: str
    sticky: str
    region: str | None
    retries: int
    targets: list[TargetView]


class Refusal(msgspec.Struct):
    """What a call would be answered instead."""

    status: int
    code: str
    message: str


class Explanation(msgspec.Struct):
    model: str
    """As it was asked for."""
    key: str | None
    worker: int
    route: RouteView | None
    refused: Refusal | None = None


class RouteList(msgspec.Struct):
    items: list[RouteView]
    worker: int
    next_cursor: None = None
    """Always null: routes are one page."""


async def list_routes(request: Request) -> Response:
    state, routing = _routing(request)
    return json_response(RouteList(route_views(routing), state.worker))


async def explain_route(request: Request) -> Response:
    state, routing = _routing(request)
    values = _values(request)
    model = single(values, "model")
    if model is None:
        raise invalid("model", "Say which model is meant: /api/routes/explain?model=NAME.")
    key = _key(state.keyring.keys(), single(values, "key"), bounds_of(reader(request)))
    tokens = single(values, "tokens")
    if tokens is not None and not tokens.isdecimal():
        raise invalid("tokens", f"'tokens' has the value {tokens[:50]!r}. It takes a whole number.")
    ask = Ask(
        session=single(values, "session"),
        cache_key=single(values, "cache_key"),
        region=single(values, "region"),
        tokens=None if tokens is None else int(tokens[:18]),
    )
    answer = Explanation(model=model, key=key.name if key else None, worker=state.worker, route=None)
    try:
        answer.route = _view(routing.resolve(model, key), ask, routing)
    except CallError as error:
        answer.refused = Refusal(error.status, error.code, error.message)
    return json_response(answer)


def route_views(routing: Routing) -> list[RouteView]:
    """Every route as it stands now, for a call that asks for nothing in particular."""
    return [_view(route, Ask(), routing) for route in routing.all()]


def _routing(request: Request) -> tuple[AppState, Routing]:
    state = state_of(request)
    if state.routing is None:
        raise CallError(503, "no_data_plane", "This process carries no calls, so it has no routes to explain.")
    return state, state.routing


def _values(request: Request) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in PARAMETERS:
            allowed = ", ".join(PARAMETERS)
            raise invalid(name, f"There is no parameter {name[:100]!r}. There are {allowed}.", "unknown_parameter")
        if value and value not in values.setdefault(name, []):
            values[name].append(value)
    return values


def _key(keys: Iterable[Key], which: str | None, bounds: Mapping[str, str]) -> Key | None:
    """By name or id, within what the caller may see; None where none was named."""
    if which is None:
        return None
    for key in keys:
        visible = all(bounds.get(name) in (None, getattr(key, name)) for name in ("tenant", "environment"))
        if visible and which in (key.name, key.key_id):
            return key
    raise invalid("key", f"No key is called {which[:100]!r}. `callgate keys list` shows those there are.")


def _view(route: Route, ask: Ask, routing: Routing) -> RouteView:
    policy = route.policy
    return RouteView(
        name=route.name,
        strategy=policy.strategy,
        sticky=policy.sticky,
        region=policy.region,
        retries=policy.retries,
        targets=[
            _target(found, route.members[found.member], routing.names(route.members[found.member]))
            for found in explain(route, ask, routing.now_us())
        ],
    )


def _target(found: Explained, member: Member, names: tuple[str, str]) -> TargetView:
    return TargetView(
        provider=names[0],
        model=names[1],
        tier=found.tier,
        state=found.state,
        ready_in_ms=found.ready_in_us / 1000,
        chance=round(found.chance, 6),
        why=found.why,
        in_flight=found.in_flight,
        latency_ms=None if found.ewma_us is None else round(found.ewma_us / 1000, 3),
        keys=found.keys,
        keys_ready=found.keys_ready,
        weight=member.weight,
        share=member.share,
        region=member.region,
        price_usd=None if member.price is None else member.price / 1e9,
    )
