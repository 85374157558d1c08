"""Environments: each with its one secret, to be rotated or ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.directory import Environment
from gateway.control.managing import is_within, own_scope, visible_environments
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, Secret, desk, done, form_of
from gateway.dashboard.settings.keys import OVERLAPS, overlap_s
from gateway.dashboard.view import Shell
from gateway.errors import CallError, ControlError, Missing


@dataclass(frozen=True)
class EnvironmentRow:
    name: str
    tenant: str
    """Empty for one of no tenant."""
    note: str
    secret: str
    """The last characters of its secret; empty once that was revoked."""
    last_used: str
    made: str
    """When; or that the configuration has it."""
    declared: bool


@dataclass(frozen=True)
class EnvironmentsPage:
    template: ClassVar[str] = "settings_environments.html"
    shell: Shell
    frame: Frame
    rows: list[EnvironmentRow]
    tenants: list[str]
    own_tenant: str
    may_change: bool
    rotate: str = urls.environment("rotate")
    delete: str = urls.environment("delete")
    overlaps: tuple[tuple[str, str], ...] = OVERLAPS


async def environments_page(request: Request) -> Response:
    here = await desk(request, "Environments", urls.ENVIRONMENTS)
    if request.method != "POST":
        return await _list(here)
    try:
        form = await form_of(request)
        tenant, name = own_scope(here.principal, form.get("tenant") or None, form.get("name", "").strip() or None)
        token, made = await here.identity.environments.create(
            name or "", tenant=tenant, note=form.get("note", ""), actor=here.principal.actor
        )
    except (ControlError, CallError) as problem:
        return await _list(here, problem=str(problem), form=form)
    return await _list(here, secret=_secret(made, token))


async def environment_action(request: Request) -> Response:
    here, form = await desk(request, "Environments", urls.ENVIRONMENTS), await form_of(request)
    tenant, name, actor = form.get("tenant") or None, form.get("name", ""), here.principal.actor
    try:
        if not is_within(here.principal, tenant, name):
            raise Missing(f"There is no environment {name!r}.")
        if request.path_params["action"] == "delete":
            await here.identity.environments.delete(tenant, name, actor=actor)
            return done(urls.ENVIRONMENTS)
        if request.path_params["action"] == "rotate":
            token, made = await here.identity.environments.rotate(tenant, name, overlap_s=overlap_s(form), actor=actor)
            return await _list(here, secret=_secret(made, token))
    except (ControlError, CallError) as problem:
        return await _list(here, problem=str(problem))
    raise HTTPException(404)


def _secret(made: Environment, token: str) -> Secret:
    return Secret(f"The secret of {made.id.lstrip('/')}", token, "Shown this once: only its hash is kept.")


async def _list(
    here: Desk, *, problem: str = "", secret: Secret | None = None, form: dict[str, str] | None = None
) -> Response:
    used, environments = await here.identity.last_used.all(), here.identity.environments
    rows = []
    for each in visible_environments(here.identity.directory.environments, here.principal):
        key = environments.secret_of(each)
        rows.append(
            EnvironmentRow(
                each.name,
                each.tenant or "",
                each.note,
                key.hint if key else "",
                here.when(used.get(each.key_id)),
                "configuration" if each.declared else here.day(each.created_at),
                each.declared,
            )
        )
    page = EnvironmentsPage(
        here.shell,
        here.frame(problem, secret, form),
        rows,
        sorted(here.identity.directory.tenants) if here.principal.tenant is None else [],
        here.principal.tenant or "",
        here.is_manager,
    )
    return respond(page, 400 if problem else 200)
