"""`/api/keys`: gateway keys: listed, made, changed, rotated, revoked. A secret is in one answer, that of its making."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.errors import invalid
from gateway.api.identity_record import KeyRecord, key_record
from gateway.api.reading import Body, read_json
from gateway.api.record import encode
from gateway.api.scope import state_of
from gateway.control.key_bounds import Bounds
from gateway.control.keys import moment_us
from gateway.control.managing import manageable_key, may_give, own_scope, visible_keys
from gateway.core.key import Key
from gateway.errors import Missing

MOST_OVERLAP_H = 24 * 30


class NewKey(Body):
    name: str
    role: str = "app"
    tenant: str | None = None
    environment: str | None = None
    models: list[str] = msgspec.field(default_factory=lambda: ["*"])
    endpoints: list[str] = msgspec.field(default_factory=lambda: ["*"])
    configs: list[str] = msgspec.field(default_factory=lambda: ["*"])
    networks: list[str] = msgspec.field(default_factory=list)
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    expires_at: str | None = None
    """ISO 8601"""


class KeyChange(Body):
    """What is left out stays as it is."""

    name: str | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    endpoints: list[str] | UnsetType = UNSET
    configs: list[str] | UnsetType = UNSET
    networks: list[str] | UnsetType = UNSET
    tags: dict[str, str] | UnsetType = UNSET
    expires_at: str | UnsetType | None = UNSET
    """ISO 8601; null: never."""


class Rotation(Body):
    overlap_hours: float = 24
    """How long the old secret still works."""


class Shown(msgspec.Struct):
    """A key and its secret, this once."""

    secret: str
    key: KeyRecord


async def list_keys(request: Request) -> Response:
    identity = state_of(request).identity
    used = await identity.last_used.all()
    keys = visible_keys(identity.keyring, reader(request))
    return answer({"items": [key_record(key, used) for key in keys], "next_cursor": None})


async def one_key(request: Request) -> Response:
    identity, key_id = state_of(request).identity, request.path_params["key_id"]
    key = next((key for key in visible_keys(identity.keyring, reader(request)) if key.key_id == key_id), None)
    if key is None:
        raise Missing(f"There is no key with the id {key_id[:100]!r}.")
    return answer(key_record(key, await identity.last_used.all()))


async def create_key(request: Request) -> Response:
    principal, new = reader(request), await read_json(request, NewKey)
    may_give(principal, new.role)
    tenant, environment = own_scope(principal, new.tenant, new.environment)
    token, key = await state_of(request).identity.keyring.create(
        new.name,
        role=new.role,
        tenant=tenant,
        environment=environment,
        models=new.models,
        tags=new.tags,
        expires_at=None if new.expires_at is None else expiry(new.expires_at),
        endpoints=new.endpoints,
        configs=new.configs,
        networks=new.networks,
        actor=principal.actor,
    )
    return shown(token, key)


async def change_key(request: Request) -> Response:
    principal, identity = reader(request), state_of(request).identity
    given = await read_json(request, KeyChange)
    bounds = Bounds(
        name=given.name,
        models=given.models if given.models is UNSET else tuple(given.models),
        endpoints=given.endpoints if given.endpoints is UNSET else tuple(given.endpoints),
        configs=given.configs if given.configs is UNSET else tuple(given.configs),
        networks=given.networks if given.networks is UNSET else tuple(given.networks),
        tags=given.tags,
        expires_at=expiry(given.expires_at) if isinstance(given.expires_at, str) else given.expires_at,
    )
    key = manageable_key(identity.keyring, principal, request.path_params["key_id"])
    changed = await identity.keyring.change(key.key_id, bounds, actor=principal.actor)
    return answer(key_record(changed, await identity.last_used.all()))


async def rotate_key(request: Request) -> Response:
    principal, keyring = reader(request), state_of(request).identity.keyring
    how = await read_json(request, Rotation)
    key = manageable_key(keyring, principal, request.path_params["key_id"])
    token, key = await keyring.rotate(key.key_id, overlap_s=overlap_s(how), actor=principal.actor)
    return shown(token, key)


async def revoke_key(request: Request) -> Response:
    principal, identity = reader(request), state_of(request).identity
    key = manageable_key(identity.keyring, principal, request.path_params["key_id"])
    revoked = await identity.keyring.revoke(key.key_id, actor=principal.actor)
    return answer(key_record(revoked, await identity.last_used.all()))


def overlap_s(how: Rotation) -> float:
    if not 0 <= how.overlap_hours <= MOST_OVERLAP_H:
        raise invalid("overlap_hours", f"'overlap_hours' goes from 0 to {MOST_OVERLAP_H}.")
    return how.overlap_hours * 3600


def expiry(text: str) -> int:
    try:
        return moment_us(text)
    except ValueError as exc:
        raise invalid("expires_at", f"'expires_at' has the value {text[:100]!r}. It takes ISO 8601.") from exc


def shown(token: str, key: Key) -> Response:
    return answer(Shown(token, key_record(key, {})), 201)


def answer(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")
