"""The filters of a dashboard URL as the store's filter, read by the API's own language."""

from __future__ import annotations

from msgspec import structs

from gateway.api.filters import parse_filter
from gateway.control.sessions import Principal
from gateway.dashboard.filters import Pairs
from gateway.errors import CallError
from gateway.store.base import SpanFilter


def span_filter(pairs: Pairs, *, now_us: int) -> tuple[SpanFilter, list[str]]:
    """The filter, and what could not be read: a page drops it and says so, where the API refuses the call."""
    problems: list[str] = []
    while True:
        try:
            return parse_filter(pairs, now_us=now_us), problems
        except CallError as exc:
            problems.append(exc.message)
            pairs = tuple(pair for pair in pairs if exc.param and pair[0] != exc.param)


def bounded(which: SpanFilter, principal: Principal) -> SpanFilter:
    """Within what this person may see: their tenant, their environment, and for an `app` key its own calls."""
    if principal.tenant is not None:
        which = structs.replace(which, tenant=(principal.tenant,))
    if principal.environment is not None:
        which = structs.replace(which, environment=(principal.environment,))
    if principal.role == "app" and principal.key_id is not None:
        which = structs.replace(which, key=(principal.key_id,))
    return which


def may_see(principal: Principal, tenant: str | None, environment: str | None, key_id: str | None) -> bool:
    """Whether one record is within `bounded`."""
    return (
        principal.tenant in (None, tenant)
        and principal.environment in (None, environment)
        and (principal.role != "app" or principal.key_id == key_id)
    )
