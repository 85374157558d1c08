"""The calls in flight in all workers of the machine: seen, and stopped, from whichever is asked."""

from __future__ import annotations

import msgspec

from gateway.control.fleet import Question
from gateway.control.state import AppState
from gateway.core.inflight import InFlight


class Stop(msgspec.Struct, frozen=True):
    request_id: str
    by: str
    """Who stops it, for the client and the log."""


IN_FLIGHT = Question("in flight", type(None), list[InFlight])
FIND = Question("find", str, list[InFlight])
STOP = Question("stop", Stop, bool)


def own_calls(state: AppState) -> list[InFlight]:
    """Of this worker, the newest first, and not all where there are very many."""
    return _named(state, state.in_flight.calls() if state.in_flight is not None else [])


def own_call(state: AppState, request_id: str) -> list[InFlight]:
    """None or one."""
    found = state.in_flight.call(request_id) if state.in_flight is not None else None
    return _named(state, [] if found is None else [found])


def _named(state: AppState, calls: list[InFlight]) -> list[InFlight]:
    return [msgspec.structs.replace(call, worker=state.worker) for call in calls]


def stop_own(state: AppState, order: Stop) -> bool:
    """Whether this worker carried it."""
    return state.in_flight is not None and state.in_flight.stop(order.request_id, order.by)


async def calls_in_flight(state: AppState) -> list[InFlight]:
    """Of all workers that answer, newest first."""
    said = await state.fleet.ask(IN_FLIGHT, None)
    calls = [*own_calls(state), *(call for theirs in said.values() for call in theirs)]
    return sorted(calls, key=lambda call: call.request_id, reverse=True)


async def call_in_flight(state: AppState, request_id: str) -> InFlight | None:
    """Whichever worker carries it, however many others there are."""
    found = own_call(state, request_id)
    if not found:
        found = [call for theirs in (await state.fleet.ask(FIND, request_id)).values() for call in theirs]
    return found[0] if found else None


async def stop_in_flight(state: AppState, request_id: str, by: str) -> bool:
    """Ends it wherever it is carried, as a call that was cancelled; False if it is over."""
    order = Stop(request_id, by)
    return stop_own(state, order) or any((await state.fleet.ask(STOP, order)).values())
