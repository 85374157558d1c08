"""The filters of a dashboard URL as the store's filter, read by the API's own language."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from msgspec import structs

from gateway.control.sessions import Principal
from gateway.dashboard.filters import Pairs
from gateway.store.base import SpanFilter

_LISTS = ("model", "provider", "tenant", "environment", "config", "variant", "status", "kind")
_LISTS += ("user", "session", "trace", "prompt", "key")


def span_filter(pairs: Pairs, zone: ZoneInfo) -> SpanFilter:
    lists = {name: tuple(value for key, value in pairs if key == name) for name in _LISTS}
    tags: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.startswith("tag."):
            tags.setdefault(name[4:], []).append(value)
    single = dict(pairs)
    return SpanFilter(
        **lists,  # type: ignore[arg-type]
        stream={"true": True, "false": False}.get(single.get("stream", "")),
        min_latency_us=_scaled(single.get("min_latency_ms"), 1000),
        min_cost_nanousd=_scaled(single.get("min_cost_usd"), 10**9),
        unpriced=single.get("unpriced") == "true",
        q=single.get("q"),
        tags=tuple((name, tuple(values)) for name, values in tags.items()),
    )


def _scaled(text: str | None, factor: int) -> int | None:
    try:
        return None if text is None else round(float(text) * factor)
    except ValueError:
        return None


def bounded(which: SpanFilter, principal: Principal) -> SpanFilter:
    """Within what this person may see: their tenant, their environment, and for an `app` key its own calls."""
    if principal.tenant is not None:
        which = structs.replace(which, tenant=(principal.tenant,))
    if principal.environment is not None:
        which = structs.replace(which, environment=(principal.environment,))
    if principal.role == "app" and principal.key_id is not None:
        which = structs.replace(which, key=(principal.key_id,))
    return which
