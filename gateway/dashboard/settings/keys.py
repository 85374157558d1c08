"""Gateway keys: who has one, what it may do, when it was last used; making, changing, rotating, revoking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.keys import key_state, now_us, usable
from gateway.control.managing import manageable_key, may_give, own_scope, visible_keys
from gateway.core.key import ALL, ROLES, Key
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, Secret, desk, done, form_of
from gateway.dashboard.settings.key_form import PATTERNS, bounds_in, changes_in, fields_of
from gateway.dashboard.view import Shell
from gateway.errors import CallError, ControlError, Missing

OVERLAPS = (("0", "ends now"), ("1", "works for an hour"), ("24", "works for a day"), ("168", "works for a week"))


@dataclass(frozen=True)
class KeyRow:
    name: str
    href: str
    hint: str
    role: str
    tenant: str
    environment: str
    bounds: str
    """What it may not do, in few words; empty for a key without bounds."""
    state: str
    tone: str
    last_used: str
    source: str
    """When it was made, or that the configuration has it."""


@dataclass(frozen=True)
class KeysPage:
    template: ClassVar[str] = "settings_keys.html"
    shell: Shell
    frame: Frame
    rows: list[KeyRow]
    ended: int
    """Revoked and expired ones that are not shown."""
    all_href: str
    roles: list[str]
    tenants: list[str]
    own_tenant: str
    may_create: bool


@dataclass(frozen=True)
class KeyPage:
    template: ClassVar[str] = "settings_key.html"
    shell: Shell
    frame: Frame
    name: str
    facts: list[tuple[str, str]]
    change: str
    """Where the form goes; empty for a key that cannot be changed here."""
    rotate: str
    revoke: str
    why_not: str
    overlaps: tuple[tuple[str, str], ...] = OVERLAPS
    back: str = urls.KEYS


async def keys_page(request: Request) -> Response:
    here = await desk(request, "Keys", urls.KEYS)
    if request.method != "POST":
        return await _list(here)
    try:
        form = await form_of(request)
        token, key = await _create(here, form)
    except (ControlError, CallError) as problem:
        return await _list(here, problem=str(problem), form=form)
    secret = Secret(f"The key {key.name}", token, "Shown this once: only its hash is kept. It works at once.")
    return await _list(here, secret=secret)


async def key_page(request: Request) -> Response:
    here = await desk(request, "Key", urls.KEYS)
    return await _one(here, _seen(here, request.path_params["key_id"]))


async def key_action(request: Request) -> Response:
    here, form = await desk(request, "Key", urls.KEYS), await form_of(request)
    key_id, action, keyring = request.path_params["key_id"], request.path_params["action"], here.identity.keyring
    key = _seen(here, key_id)
    try:
        key = manageable_key(keyring, here.principal, key_id)
        if action == "revoke":
            await keyring.revoke(key_id, actor=here.principal.actor)
            return done(urls.KEYS)
        if action == "change":
            await keyring.change(key_id, changes_in(form, key), actor=here.principal.actor)
            return done(urls.key(key_id))
        if action == "rotate":
            token, key = await keyring.rotate(key_id, overlap_s=overlap_s(form), actor=here.principal.actor)
            return await _one(here, key, secret=Secret(f"The new secret of {key.name}", token, "Shown this once."))
    except (ControlError, CallError) as problem:
        return await _one(here, key, problem=str(problem), form=form)
    raise HTTPException(404)


def overlap_s(form: dict[str, str]) -> float:
    hours = form.get("overlap", "24")
    if hours not in dict(OVERLAPS):
        raise ControlError("Choose how long the old secret still works.")
    return float(hours) * 3600


def _seen(here: Desk, key_id: str) -> Key:
    found = [key for key in visible_keys(here.identity.keyring, here.principal) if key.key_id == key_id]
    if not found:
        raise HTTPException(404, "There is no such key.")
    at = now_us()
    return next((key for key in found if usable(key, at)), found[0])


async def _create(here: Desk, form: dict[str, str]) -> tuple[str, Key]:
    role = form.get("role") or "app"
    may_give(here.principal, role)
    tenant, environment = own_scope(here.principal, form.get("tenant") or None, form.get("environment") or None)
    given = msgspec.structs.asdict(bounds_in(form))
    name = given.pop("name")
    return await here.identity.keyring.create(
        name, role=role, tenant=tenant, environment=environment, actor=here.principal.actor, **given
    )


async def _list(
    here: Desk, *, problem: str = "", secret: Secret | None = None, form: dict[str, str] | None = None
) -> Response:
    at, used = now_us(), await here.identity.last_used.all()
    keys = visible_keys(here.identity.keyring, here.principal)
    with_ended = here.view.request.query_params.get("all") == "1"
    shown = [key for key in keys if with_ended or usable(key, at)]
    page = KeysPage(
        here.shell,
        here.frame(problem, secret, form),
        [_row(here, key, used.get(key.key_id), at) for key in shown],
        len(keys) - len(shown),
        f"{urls.KEYS}?all=1",
        list(ROLES) if here.principal.role == "admin" else ["app"],
        sorted(here.identity.directory.tenants) if here.principal.tenant is None else [],
        here.principal.tenant or "",
        here.is_manager,
    )
    return respond(page, 400 if problem else 200)


def _row(here: Desk, key: Key, used_at: int | None, at: int) -> KeyRow:
    state = key_state(key, at)
    until = f"until {here.when(key.expires_at)}" if state == "active" and key.expires_at else state
    tone = {"active": "success", "expired": "warning", "revoked": "error"}[state]
    if state == "active" and key.tenant in here.identity.directory.suspended:
        until, tone = "tenant suspended", "warning"
    return KeyRow(
        key.name,
        urls.key(key.key_id),
        key.hint,
        key.role,
        key.tenant or "any",
        key.environment or "any",
        ", ".join(f"{len(values)} {name}" for name, values in _bounds(key)),
        until,
        tone,
        here.when(used_at),
        "configuration" if key.declared else here.day(key.created_at),
    )


def _bounds(key: Key) -> list[tuple[str, tuple[str, ...]]]:
    bounded = [(name, getattr(key, name)) for name in PATTERNS if getattr(key, name) != ALL]
    return bounded + ([("networks", key.networks)] if key.networks else [])


async def _one(
    here: Desk, key: Key, *, problem: str = "", secret: Secret | None = None, form: dict[str, str] | None = None
) -> Response:
    used = await here.identity.last_used.all()
    state = key_state(key, now_us())
    tags = " ".join(f"{name}={value}" for name, value in key.tags.items())
    facts = [
        ("Ends in", f"…{key.hint}"),
        ("State", state),
        ("Role", key.role),
        ("Tenant", key.tenant or "any"),
        ("Environment", key.environment or "any"),
        *((name.capitalize(), " ".join(values)) for name, values in _bounds(key)),
        ("Default tags", tags),
        ("Last used", here.when(used.get(key.key_id)) or "–"),
        ("Made", "in the configuration" if key.declared else here.when(key.created_at)),
        ("Expires", here.when(key.expires_at)),
        ("Id", key.key_id),
    ]
    why_not = _why_not(here, key, state)
    page = KeyPage(
        here.shell,
        here.frame(problem, secret, {**fields_of(key), **(form or {})}),
        key.name,
        [(label, value) for label, value in facts if value],
        "" if why_not else urls.key(key.key_id, "change"),
        "" if why_not else urls.key(key.key_id, "rotate"),
        "" if why_not else urls.key(key.key_id, "revoke"),
        why_not,
    )
    return respond(page, 400 if problem else 200)


def _why_not(here: Desk, key: Key, state: str) -> str:
    if key.declared:
        return "This key is declared in the configuration: change it there; a running gateway reloads it."
    if state != "active":
        return f"This key is {state}."
    try:
        manageable_key(here.identity.keyring, here.principal, key.key_id)
    except (CallError, Missing):
        return "You may look at this key, not change it."
    return "" if here.is_manager else "You may look at this key, not change it."
