"""Tenants: made, renamed, suspended, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.directory import Tenant
from gateway.control.keys import now_us, usable
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, desk, done, form_of
from gateway.dashboard.urls import requests
from gateway.dashboard.view import Shell
from gateway.errors import ControlError


@dataclass(frozen=True)
class TenantRow:
    slug: str
    name: str
    note: str
    href: str
    calls: str
    """Its requests of the last 30 days."""
    keys: int
    environments: int
    people: int
    source: str
    suspended: str
    """Since when its keys are refused; empty while they are taken."""


@dataclass(frozen=True)
class TenantsPage:
    template: ClassVar[str] = "settings_tenants.html"
    shell: Shell
    frame: Frame
    rows: list[TenantRow]
    may_create: bool


@dataclass(frozen=True)
class TenantPage:
    template: ClassVar[str] = "settings_tenant.html"
    shell: Shell
    frame: Frame
    row: TenantRow
    change: str
    """Where the form goes; empty for one that cannot be changed here."""
    suspend: str
    """Where its keys are refused, or taken again."""
    delete: str
    why_not: str
    back: str = urls.TENANTS


async def tenants_page(request: Request) -> Response:
    here = await desk(request, "Tenants", urls.TENANTS)
    if request.method != "POST":
        return _list(here)
    try:
        form = await form_of(request)
        await here.identity.tenants.create(
            form.get("slug", "").strip(),
            name=form.get("name", ""),
            note=form.get("note", ""),
            actor=here.principal.actor,
        )
    except ControlError as problem:
        return _list(here, problem=str(problem), form=form)
    return done(urls.TENANTS)


async def tenant_page(request: Request) -> Response:
    here = await desk(request, "Tenant", urls.TENANTS)
    return _one(here, _seen(here, request.path_params["slug"]))


async def tenant_action(request: Request) -> Response:
    here, form = await desk(request, "Tenant", urls.TENANTS), await form_of(request)
    slug, action, tenants = request.path_params["slug"], request.path_params["action"], here.identity.tenants
    tenant = _seen(here, slug)
    try:
        if action == "change":
            await tenants.change(slug, name=form.get("name"), note=form.get("note"), actor=here.principal.actor)
            return done(urls.tenant(slug))
        if action in ("suspend", "resume"):
            await (tenants.suspend if action == "suspend" else tenants.resume)(slug, actor=here.principal.actor)
            return done(urls.tenant(slug))
        if action == "delete":
            await tenants.delete(slug, actor=here.principal.actor)
            return done(urls.TENANTS)
    except ControlError as problem:
        return _one(here, tenant, problem=str(problem))
    raise HTTPException(404)


def _seen(here: Desk, slug: str) -> Tenant:
    tenant = here.identity.directory.tenants.get(slug)
    if tenant is None or here.principal.tenant not in (None, slug):
        raise HTTPException(404, "There is no such tenant.")
    return tenant


def _list(here: Desk, *, problem: str = "", form: dict[str, str] | None = None) -> Response:
    tenants = here.identity.directory.tenants
    rows = [_row(here, each) for slug, each in sorted(tenants.items()) if here.principal.tenant in (None, slug)]
    page = TenantsPage(here.shell, here.frame(problem, form=form), rows, here.is_admin)
    return respond(page, 400 if problem else 200)


def _one(here: Desk, tenant: Tenant, *, problem: str = "") -> Response:
    why_not = "" if here.is_admin else "You may look at this tenant, not change it."
    if tenant.declared:
        why_not = "This tenant is declared in the configuration: change it there; a running gateway reloads it."
    page = TenantPage(
        here.shell,
        here.frame(problem),
        _row(here, tenant),
        "" if why_not else urls.tenant(tenant.slug, "change"),
        "" if why_not else urls.tenant(tenant.slug, "suspend" if tenant.suspended_at is None else "resume"),
        "" if why_not else urls.tenant(tenant.slug, "delete"),
        why_not,
    )
    return respond(page, 400 if problem else 200)


def _row(here: Desk, tenant: Tenant) -> TenantRow:
    directory, at, everything = here.identity.directory, now_us(), here.identity.keyring.keys()
    return TenantRow(
        tenant.slug,
        tenant.name,
        tenant.note,
        urls.tenant(tenant.slug),
        requests({"tenant": tenant.slug, "period": "30d"}),
        sum(key.tenant == tenant.slug and key.owner is None and usable(key, at) for key in everything),
        sum(each.tenant == tenant.slug for each in directory.environments.values()),
        sum(user.tenant == tenant.slug for user in directory.users.values()),
        "configuration" if tenant.declared else here.day(tenant.created_at),
        "" if tenant.suspended_at is None else here.when(tenant.suspended_at) or "so says the configuration",
    )
