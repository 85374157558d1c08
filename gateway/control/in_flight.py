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
STOP = Question("stop", Stop, bool)


def own_calls(state: AppState) -> list[InFlight]:
    """Of this worker, newest first."""
    if state.in_flight is None:
        return []
    return [msgspec.structs.replace(call, worker=state.worker) for call in state.in_flight.calls()]


def stop_own(state: AppState, order: Stop) -> bool:
    """Whether this worker carried it."""
    return state.in_flight is not None and state.in_flight.stop(order.request_id, order.by)


async def calls_in_flight(state: AppState) -> list[InFlight]:
    """Of all workers that answer, newest first."""
    said = await state.fleet.ask(IN_FLIGHT, None)
    calls = [*own_calls(state), *(call for theirs in said.values() for call in theirs)]
    return sorted(calls, key=lambda call: call.request_id, reverse=True)


async def stop_in_flight(state: AppState, request_id: str, by: str) -> bool:
    """Ends it wherever it is carried, as a call that was cancelled; False if it is over."""
    order = Stop(request_id, by)
    return stop_own(state, order) or any((await state.fleet.ask(STOP, order)).values())
