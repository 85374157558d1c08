"""`/api/requests/inflight`: the calls that are not over yet; `/api/requests/{id}/stop`: the end of one.

Of all workers of this machine that answer (`gateway.control.fleet`).
"""

from __future__ import annotations

import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.filters import iso_time
from gateway.api.requests import json_response
from gateway.api.scope import bounds_of, state_of
from gateway.control.in_flight import call_in_flight, calls_in_flight, stop_in_flight
from gateway.control.principal import Principal
from gateway.control.state import AppState
from gateway.core.inflight import InFlight
from gateway.errors import CallError


class InFlightRecord(msgspec.Struct):
    request_id: str
    started_at: str
    elapsed_ms: float
    kind: str
    endpoint: str
    stream: bool
    provider: str | None
    model_requested: str | None
    model: str | None
    key_id: str | None
    tenant: str | None
    environment: str | None
    tags: dict[str, str]
    is_answering: bool
    worker: int
    """Who carries it."""


class InFlightList(msgspec.Struct):
    items: list[InFlightRecord]
    worker: int
    """Who answers."""
    workers: int


class Stopped(msgspec.Struct):
    request_id: str
    stopped: bool = True


async def in_flight(request: Request) -> Response:
    state, now_us = state_of(request), time.time_ns() // 1000
    items = [_record(call, now_us) for call in await visible_calls(state, reader(request))]
    return json_response(InFlightList(items, state.worker, state.settings.server.workers))


async def stop(request: Request) -> Response:
    request_id = request.path_params["request_id"]
    await stop_call(state_of(request), reader(request), request_id)
    return json_response(Stopped(request_id))


async def visible_calls(state: AppState, principal: Principal) -> list[InFlight]:
    """Of all workers, newest first; those that this person may see in the log once they are over."""
    return [call for call in await calls_in_flight(state) if _is_visible(call, principal)]


def _is_visible(call: InFlight, principal: Principal) -> bool:
    columns = {"tenant": "tenant", "environment": "environment", "key": "key_id"}
    return all(getattr(call, columns[name]) == own for name, own in bounds_of(principal).items())


async def stop_call(state: AppState, principal: Principal, request_id: str) -> None:
    """Raises CallError 404 for a call that is over or not theirs to see."""
    found = await call_in_flight(state, request_id)
    if (
        found is None
        or not _is_visible(found, principal)
        or not await stop_in_flight(state, request_id, principal.name)
    ):
        message = f"There is no call {request_id[:100]!r} in flight."
        raise CallError(404, "not_in_flight", message, param="request_id")


def _record(call: InFlight, now_us: int) -> InFlightRecord:
    return InFlightRecord(
        request_id=call.request_id,
        started_at=iso_time(call.started_at),
        elapsed_ms=max(0, now_us - call.started_at) / 1000,
        kind=call.kind,
        endpoint=call.endpoint,
        stream=call.stream,
        provider=call.provider,
        model_requested=call.model_requested,
        model=call.model,
        key_id=call.key_id,
        tenant=call.tenant,
        environment=call.environment,
        tags=call.tags,
        is_answering=call.is_answering,
        worker=call.worker,
    )
