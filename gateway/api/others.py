"""What this worker says when another one asks, for whoever asked that one: see `gateway.control.fleet`."""

from __future__ import annotations

from starlette.applications import Starlette

from gateway.api.requests import PROGRESS, own_progress
from gateway.control.alerts_measure import PART, own_part
from gateway.control.in_flight import FIND, IN_FLIGHT, STOP, own_call, own_calls, stop_own
from gateway.control.machine import WORKING, own_working
from gateway.control.readings import READINGS, own_readings
from gateway.control.state import AppState


def answer_others(app: Starlette) -> None:
    state: AppState = app.state.callgate
    fleet = state.fleet
    fleet.answer(IN_FLIGHT, lambda _: own_calls(state))
    fleet.answer(FIND, lambda request_id: own_call(state, request_id))
    fleet.answer(STOP, lambda order: stop_own(state, order))
    fleet.answer(PART, lambda metric: own_part(state, metric))
    fleet.answer(PROGRESS, lambda token: own_progress(app, token))
    fleet.answer(WORKING, lambda _: own_working(state))
    fleet.answer(READINGS, lambda _: list(own_readings(state)) if state.meter is None else state.meter.readings())
    state.sessions.share_failures(fleet)
