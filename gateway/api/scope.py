"""What a principal may see, put into the filter of every question, and what a handler was asked.

A key bound to a tenant or environment sees that tenant or environment; a key of role `app` sees its own calls.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request

from gateway.api.access import reader
from gateway.api.filters import grouped, parse_filter
from gateway.control.keys import now_us
from gateway.control.principal import Principal
from gateway.control.state import AppState
from gateway.core.span import Span
from gateway.errors import CallError
from gateway.store.base import SpanFilter


class Question(msgspec.Struct):
    """A query string, read: the scoped filter, and every parameter's values for what else the handler takes."""

    which: SpanFilter
    values: dict[str, list[str]]
    narrowed: bool
    """Whether anything, filter or scope, leaves something out."""


def asked(request: Request, *also: str) -> Question:
    """Raises CallError: 400 for parameters that cannot be read, 403 for asking beyond what may be seen."""
    params = request.query_params.multi_items()
    which = scoped(parse_filter(params, now_us=now_us(), also=also), reader(request))
    return Question(which, grouped(params, also=also), which != SpanFilter())


def state_of(request: Request) -> AppState:
    state: AppState = request.app.state.callgate
    return state


def scoped(which: SpanFilter, principal: Principal) -> SpanFilter:
    """The filter within what the principal may see. Raises CallError 403 where it asks for something else by name,
    so that nobody takes their own numbers for somebody else's."""
    bounds = bounds_of(principal)
    for name, own in bounds.items():
        wanted = getattr(which, name)
        if wanted and own not in wanted:
            message = f"The key {principal.name!r} sees only {name}={own}, not {', '.join(wanted)}."
            raise CallError(403, "out_of_scope", message, param=name)
    return msgspec.structs.replace(which, **{name: (own,) for name, own in bounds.items()})


def sees(principal: Principal, span: Span) -> bool:
    columns = {"tenant": span.tenant, "environment": span.environment, "key": span.key_id}
    return all(columns[name] == own for name, own in bounds_of(principal).items())


def bounds_of(principal: Principal) -> dict[str, str]:
    """Filter names and the one value each may have."""
    bounds: dict[str, str] = {}
    if principal.tenant is not None:
        bounds["tenant"] = principal.tenant
    if principal.environment is not None:
        bounds["environment"] = principal.environment
    if principal.role == "app" and principal.key_id is not None:
        bounds["key"] = principal.key_id
    return bounds
