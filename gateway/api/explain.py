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
from gateway.control.route_view import RouteView, route_view, route_views
from gateway.control.state import AppState, Routing
from gateway.core.key import Key
from gateway.core.routing import Ask
from gateway.errors import CallError

PARAMETERS = ("model", "key", "session", "cache_key", "region", "tokens")


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
        answer.route = route_view(routing.resolve(model, key), ask, routing)
    except CallError as error:
        answer.refused = Refusal(error.status, error.code, error.message)
    return json_response(answer)


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
