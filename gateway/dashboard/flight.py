"""The calls in flight as rows above the list, each with a button that stops it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.api.filters import AMOUNTS
from gateway.api.inflight import stop_call, visible_calls
from gateway.api.matching import matches
from gateway.core.inflight import InFlight
from gateway.core.span import Span
from gateway.dashboard import urls
from gateway.dashboard.columns import shown_columns
from gateway.dashboard.format import Figure, clock, duration, full
from gateway.dashboard.period import iso
from gateway.dashboard.render import respond
from gateway.dashboard.view import View, open_view
from gateway.errors import CallError
from gateway.store.base import SpanFilter

MOST_ROWS = 20
UNKNOWN_YET = ("status", *(field for field, _, _ in AMOUNTS.values()), "unpriced", "q")
"""Filters on what a call has only when it is over: with one of them none in flight is shown."""


@dataclass(frozen=True)
class FlightRow:
    request_id: str
    iso: str
    time: str
    time_title: str
    provider: str | None
    model: str | None
    tenant: str
    key: str
    endpoint: str
    state: str
    elapsed: Figure
    started_ms: int
    """Unix time, for the clock that counts on in the browser."""
    stop: str
    """Where it is stopped; empty for who may not."""


@dataclass(frozen=True)
class Flight:
    rows: list[FlightRow]
    more: int
    """In flight beyond those shown."""
    shown: tuple[str, ...]


@dataclass(frozen=True)
class FlightRows:
    template: ClassVar[str] = "_in_flight_rows.html"
    flight: Flight


async def in_flight(request: Request) -> Response:
    """A part of the list, asked for every few seconds while somebody watches it live."""
    view = open_view(request)
    return respond(FlightRows(await flight_of(view, shown_columns(request))))


async def stop(request: Request) -> Response:
    """From a form: back to where it was sent from; from script: nothing more to say."""
    view = open_view(request)
    try:
        await stop_call(view.state, view.principal, request.path_params["request_id"])
    except CallError as exc:
        raise HTTPException(exc.status, exc.message) from exc
    if request.headers.get("hx-request"):
        return Response(status_code=204)
    return RedirectResponse(urls.requests(), 303)


async def flight_of(view: View, shown: tuple[str, ...]) -> Flight:
    which = view.which(period=False)
    calls = [call for call in await visible_calls(view.state, view.principal) if _fits(which, call)]
    may_stop = view.principal.role == "admin"
    names = view.key_names()
    rows = [_row(view, call, names, may_stop=may_stop) for call in calls[:MOST_ROWS]]
    return Flight(rows, max(0, len(calls) - MOST_ROWS), shown)


def _fits(which: SpanFilter, call: InFlight) -> bool:
    if any(getattr(which, name) for name in UNKNOWN_YET) or any(name == "status" for name, _ in which.exclude):
        return False
    return matches(which, _as_span(call))


def _as_span(call: InFlight) -> Span:
    """What the log would hold of it if it ended now."""
    tags = call.tags
    return Span(
        request_id=call.request_id,
        kind=call.kind,
        started_at=call.started_at,
        tenant=call.tenant,
        environment=call.environment,
        key_id=call.key_id,
        user=tags.get("userId"),
        session=tags.get("sessionId"),
        provider=call.provider,
        model_requested=call.model_requested,
        model=call.model,
        stream=call.stream,
        tags=tags,
    )


def _row(view: View, call: InFlight, names: dict[str, str], *, may_stop: bool) -> FlightRow:
    zone = view.period.zone
    return FlightRow(
        request_id=call.request_id,
        iso=iso(call.started_at),
        time=clock(call.started_at, zone),
        time_title=full(call.started_at, zone),
        provider=call.provider,
        model=call.model or call.model_requested,
        tenant=call.tenant or "",
        key=names.get(call.key_id or "", call.key_id or ""),
        endpoint=call.endpoint,
        state="answering" if call.is_answering else "waiting",
        elapsed=duration(max(0, view.now_us - call.started_at)),
        started_ms=call.started_at // 1000,
        stop=urls.stop(call.request_id) if may_stop else "",
    )
