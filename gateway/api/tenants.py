"""`/api/tenants` and `/api/environments`."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.identity_record import EnvironmentRecord, environment_record, tenant_record
from gateway.api.keys import Rotation, answer, overlap_s
from gateway.api.reading import Body, read_json
from gateway.api.scope import state_of
from gateway.control.directory import Environment
from gateway.control.managing import is_within, own_scope, visible_environments
from gateway.errors import Missing


class NewTenant(Body):
    slug: str
    name: str = ""
    note: str = ""


class TenantChange(Body):
    name: str | None = None
    note: str | None = None
    suspended: bool | None = None
    """Whether its keys are refused."""


class NewEnvironment(Body):
    name: str
    tenant: str | None = None
    note: str = ""


class ShownEnvironment(msgspec.Struct):
    """An environment and its secret, this once."""

    secret: str
    environment: EnvironmentRecord


async def list_tenants(request: Request) -> Response:
    principal, tenants = reader(request), state_of(request).identity.directory.tenants
    seen = [tenant_record(each) for slug, each in sorted(tenants.items()) if principal.tenant in (None, slug)]
    return answer({"items": seen, "next_cursor": None})


async def one_tenant(request: Request) -> Response:
    slug = request.path_params["slug"]
    tenant = state_of(request).identity.directory.tenants.get(slug)
    if tenant is None or reader(request).tenant not in (None, slug):
        raise Missing(f"There is no tenant {slug[:100]!r}.")
    return answer(tenant_record(tenant))


async def create_tenant(request: Request) -> Response:
    new = await read_json(request, NewTenant)
    tenants = state_of(request).identity.tenants
    tenant = await tenants.create(new.slug, name=new.name, note=new.note, actor=reader(request).actor)
    return answer(tenant_record(tenant), 201)


async def change_tenant(request: Request) -> Response:
    change = await read_json(request, TenantChange)
    tenants, slug = state_of(request).identity.tenants, request.path_params["slug"]
    actor = reader(request).actor
    tenant = await tenants.change(slug, name=change.name, note=change.note, actor=actor)
    if change.suspended is not None:
        tenant = await (tenants.suspend if change.suspended else tenants.resume)(slug, actor=actor)
    return answer(tenant_record(tenant))


async def delete_tenant(request: Request) -> Response:
    tenants = state_of(request).identity.tenants
    return answer(tenant_record(await tenants.delete(request.path_params["slug"], actor=reader(request).actor)))


# ------------------------------------------------------------------------------------------------ environments


async def list_environments(request: Request) -> Response:
    seen = visible_environments(state_of(request).identity.directory.environments, reader(request))
    return answer({"items": [environment_record(each) for each in seen], "next_cursor": None})


async def create_environment(request: Request) -> Response:
    principal, new = reader(request), await read_json(request, NewEnvironment)
    tenant, name = own_scope(principal, new.tenant, new.name)
    environments = state_of(request).identity.environments
    token, environment = await environments.create(name or "", tenant=tenant, note=new.note, actor=principal.actor)
    return answer(ShownEnvironment(token, environment_record(environment)), 201)


async def rotate_environment(request: Request) -> Response:
    how, environment = await read_json(request, Rotation), named(request)
    token, environment = await state_of(request).identity.environments.rotate(
        environment.tenant, environment.name, overlap_s=overlap_s(how), actor=reader(request).actor
    )
    return answer(ShownEnvironment(token, environment_record(environment)), 201)


async def delete_environment(request: Request) -> Response:
    environment = named(request)
    environments = state_of(request).identity.environments
    await environments.delete(environment.tenant, environment.name, actor=reader(request).actor)
    return answer(environment_record(environment))


def named(request: Request) -> Environment:
    """By the name in the path and `?tenant=`, or the tenant that the principal is bound to. Raises Missing."""
    principal, name = reader(request), request.path_params["name"]
    tenant = request.query_params.get("tenant") or principal.tenant
    environment = state_of(request).identity.environments.get(tenant, name)
    if not is_within(principal, environment.tenant, environment.name):
        raise Missing(f"There is no environment {name[:100]!r}.")
    return environment
