"""`/api/runaway`: tenants that the guard against runaways leaves alone until a time."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.filters import iso_time
from gateway.api.keys import answer
from gateway.api.reading import Body, read_json
from gateway.api.scope import state_of
from gateway.control.keys import now_us
from gateway.control.runaway_overrides import Override, Overrides
from gateway.errors import CallError


class NewOverride(Body):
    hours: float = 24
    note: str = ""


class OverrideRecord(msgspec.Struct):
    tenant: str
    until: str | None
    note: str
    by: str
    created_at: str | None


async def list_overrides(request: Request) -> Response:
    overrides = _overrides(request)
    await overrides.refresh()
    known = sorted(overrides.by_tenant.items())
    return answer({"items": [_record(each) for _, each in known if each.until_us > now_us()], "next_cursor": None})


async def put_override(request: Request) -> Response:
    new, tenant = await read_json(request, NewOverride), request.path_params["tenant"]
    made = await _overrides(request).put(tenant, new.hours, new.note, actor=reader(request).actor)
    return answer(_record(made), 201)


async def end_override(request: Request) -> Response:
    return answer(_record(await _overrides(request).end(request.path_params["tenant"], actor=reader(request).actor)))


def _overrides(request: Request) -> Overrides:
    limiting = state_of(request).limiting
    if limiting is None:
        raise CallError(503, "no_limits", "This process takes no calls, and limits nothing.")
    return limiting.overrides


def _record(of: Override) -> OverrideRecord:
    return OverrideRecord(of.tenant, iso_time(of.until_us), of.note, of.by, iso_time(of.created_us))
