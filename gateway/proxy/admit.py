"""Who is calling: the key behind a token, whether it may be used so, and what its call asks of limits and budgets."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gateway.core.key import ALL, Key, permits, within
from gateway.core.limits import Ask
from gateway.errors import CallError
from gateway.proxy.costing import estimated_tokens
from gateway.proxy.door import Door
from gateway.proxy.gateway import Keys
from gateway.proxy.head import Head
from gateway.proxy.plan import Plan

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange


def authenticated(keys: Keys, token: bytes | None) -> Key:
    """The caller's key; CallError 401 that says what is wrong with it."""
    if token is None:
        raise CallError(
            401,
            "missing_api_key",
            "No gateway key was sent. Send one as `Authorization: Bearer cg-…`; `callgate keys create` makes one.",
        )
    key = keys.authenticate(token)
    if key is not None:
        return key
    former = keys.lookup(token)
    if former is None:
        message = "This gateway key is not known; `callgate keys list` shows those that are."
        raise CallError(401, "invalid_api_key", message)
    if former.revoked_at is None and former.tenant in keys.suspended:
        raise suspended(former.tenant)
    what = "was revoked" if former.revoked_at is not None else "has expired"
    raise CallError(401, "invalid_api_key", f"The gateway key {former.name!r} {what}. Ask for a new one.")


def refuse_suspended(keys: Keys, tags: Mapping[str, str]) -> None:
    """CallError 403 for a call in the name of a suspended tenant, whose key is bound to none."""
    tenant = tags.get("tenantSlug")
    if tenant is not None and tenant in keys.suspended:
        raise suspended(tenant)


def suspended(tenant: str | None) -> CallError:
    message = f"The tenant {tenant!r} is suspended: no calls are made for it. Ask whoever runs this gateway."
    return CallError(403, "tenant_suspended", message, error_type="authentication")


def permitted_here(key: Key, head: Head, door: Door, proxies: Sequence[str]) -> None:
    """CallError 403 where the key may not be used on this path, or from where the client is."""
    if key.endpoints == ALL and not key.networks:
        return
    endpoint = head.path.decode("latin-1")
    address = client_address(door.address, head.forwarded_for, tuple(proxies)) if key.networks else ""
    if permits(key, endpoint, address):
        return
    if key.networks and not within(key.networks, address):
        message = f"The key {key.name!r} may not be used from {address or 'an unknown address'}."
        raise CallError(403, "address_not_allowed", message, error_type="authentication")
    message = f"The key {key.name!r} may not call {endpoint}. It may call: {', '.join(key.endpoints) or 'nothing'}."
    raise CallError(403, "endpoint_not_allowed", message, error_type="authentication")


def client_address(address: str, forwarded_for: bytes | None, proxies: tuple[str, ...]) -> str:
    """Where a client is: the nearest address of `x-forwarded-for` that is none of our own proxies. Each proxy adds
    its peer at the end; what stands before the first stranger's address is the stranger's word."""
    hops = forwarded_for.decode("latin-1").split(",") if forwarded_for is not None and proxies else []
    while hops and within(proxies, address):
        address = hops.pop().strip()
    return address


def asked(exchange: Exchange, plan: Plan) -> Ask:
    """What limits and budgets look at. A body that streams through counts by its declared length."""
    key, target, tags = exchange.key, plan.target, plan.tags
    assert key is not None
    size = len(plan.body) if plan.held else exchange.length or 0
    return Ask(
        key,
        tags.get("tenantSlug"),
        tags.get("environment"),
        target.model,
        plan.model_requested,
        tags,
        estimated_tokens(size),
        plan.most_output,
        target.upstream.price_provider if target.model is not None else None,
        tags.get("prompt"),
        zlib.crc32(exchange.raw) if plan.held else None,
    )
