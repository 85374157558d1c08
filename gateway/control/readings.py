"""What a worker counts and how it is, as figures with names: asked for by `/metrics`, of all workers at once.

A worker that is killed is started again and counts from nothing. So that what it had counted is not lost from the
sums, each writes its counters to a file in `run/` of the data folder, every other second and before it tells anybody;
its successor adds them to its own, and until there is one whoever is asked reads the file. Hence a counter never
falls while the gateway as a whole runs. When that is started again they begin at 0, as Prometheus expects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway.control.fleet import Question
from gateway.control.state import AppState
from gateway.core.health import JournalHealth

if TYPE_CHECKING:
    from gateway.control.limiting import Limiting
from gateway.control.local_socket import FOLDER

WORKER_COUNTERS = {
    "calls": "Model calls taken, since the start.",
    "rejected": "Calls answered by the gateway itself before anything was dispatched.",
    "retried_stale": "Kept-alive upstream connections found dead and replaced.",
    "client_gone": "Calls whose client went away.",
    "upstream_errors": "Calls that ended with an error of the upstream or of the way to it.",
    "bytes_in": "Bytes received from clients.",
    "bytes_out": "Bytes sent to clients.",
    "cache_hits": "Calls answered from the response cache, or with the answer of an identical one under way.",
    "cache_misses": "Calls that the response cache might have answered, and could not.",
}
WORKER_GAUGES = {
    "in_flight": "Model calls being served now.",
    "client_connections": "Open connections of clients.",
    "cache_bytes": "Memory that the response cache takes.",
}
JOURNAL_STATES = ("ok", "dropping_bodies", "refusing")
TRANSLATION_STATES = ("not loaded", "loading", "loaded", "missing")
NOTHING_REFUSED = {"rate": 0, "budget": 0, "runaway": 0}
KEEP_EVERY_S = 2.0

log = logging.getLogger(__name__)


class Reading(msgspec.Struct, frozen=True):
    """One figure of one worker."""

    name: str
    """As Prometheus has it, without the `_total` of a counter."""
    text: str
    value: float
    labels: dict[str, str] = {}
    """Without the worker's number."""
    is_counter: bool = False


class Kept(msgspec.Struct, frozen=True):
    began_at: int
    """Of the gateway as a whole: the counters of an earlier one are nobody's."""
    counters: list[Reading]


READINGS = Question("readings", type(None), list[Reading])
_decode_kept = msgspec.json.Decoder(Kept).decode


class Meter:
    """This worker's readings, with what its predecessors under the same number had counted."""

    def __init__(self, state: AppState, data: Path, began_at: int) -> None:
        """`began_at` is when the gateway as a whole was started, the same for all its workers."""
        self._state = state
        self._folder = data / FOLDER
        self._began_at = began_at
        self._before = {_identity(each): each for each in self.kept(state.worker)}
        self._written: list[Reading] = []

    def readings(self) -> list[Reading]:
        """Written down before anybody is told, or a successor could say less."""
        found = self._read()
        self._keep(found)
        return found

    def kept(self, number: int) -> list[Reading]:
        """The counters that the worker of this number last wrote; none where it is not of this gateway."""
        try:
            kept = _decode_kept(self._file(number).read_bytes())
        except (OSError, msgspec.DecodeError):
            return []
        return kept.counters if kept.began_at == self._began_at else []

    async def run(self, every_s: float = KEEP_EVERY_S) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            self._keep(self._read())

    def _read(self) -> list[Reading]:
        before = dict(self._before)
        found = []
        for each in own_readings(self._state):
            earlier = before.pop(_identity(each), None) if each.is_counter else None
            found.append(each if earlier is None else msgspec.structs.replace(each, value=each.value + earlier.value))
        return found + list(before.values())  # of a provider that was not called since, say

    def _keep(self, readings: list[Reading]) -> None:
        counters = [each for each in readings if each.is_counter]
        if counters == self._written or not self._state.fleet.others:
            return
        file = self._file(self._state.worker)
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = file.with_suffix(".new")
            beside.write_bytes(msgspec.json.encode(Kept(self._began_at, counters)))
            beside.replace(file)
        except OSError as exc:
            log.debug("counters were not written down: %s", exc)
        else:
            self._written = counters

    def _file(self, number: int) -> Path:
        return self._folder / f"worker-{number}.json"


async def readings_of_all(state: AppState) -> tuple[dict[int, list[Reading]], set[int]]:
    """By worker's number, and the numbers of those that did not answer, of whom there are counters only."""
    own = list(own_readings(state)) if state.meter is None else state.meter.readings()
    said = await state.fleet.ask(READINGS, None)
    silent = set(state.fleet.others) - set(said)
    kept = {number: state.meter.kept(number) if state.meter is not None else [] for number in silent}
    return {state.worker: own, **said, **kept}, silent


# ------------------------------------------------------------------------------------------------ what there is


def own_readings(state: AppState) -> Iterator[Reading]:
    """Of this worker since its start."""
    for name, text in WORKER_COUNTERS.items():
        yield Reading(f"callgate_{name}", text, getattr(state.counters, name), is_counter=True)
    for name, text in WORKER_GAUGES.items():
        yield Reading(f"callgate_{name}", text, getattr(state.counters, name))
    yield Reading("callgate_start_time_seconds", "When it started.", state.started_at / 1e6)
    yield from _journal(state.journal_health())
    yield from _providers(state)
    yield from _limits(state.limiting)
    if state.translation is not None:
        text = "1 for the state that litellm is in, which translates between dialects."
        yield from _states("callgate_translation_state", text, state.translation().state, TRANSLATION_STATES)


def _journal(health: JournalHealth) -> Iterator[Reading]:
    yield from _states("callgate_journal_state", "1 for the state it is in.", health.state, JOURNAL_STATES)
    yield Reading("callgate_journal_backlog_bytes", "On disk, not in the store.", health.backlog_bytes)
    yield Reading("callgate_journal_opened", "Calls dispatched.", health.opened, is_counter=True)
    yield Reading("callgate_journal_closed", "Calls ended.", health.closed, is_counter=True)
    text = "Bodies given up for lack of room."
    yield Reading("callgate_journal_bodies_dropped", text, health.bodies_dropped, is_counter=True)


def _providers(state: AppState) -> Iterator[Reading]:
    for name, health in state.provider_health().items():
        of = {"provider": name}
        yield Reading(
            "callgate_provider_calls", "Calls that reached a provider.", health.calls, labels=of, is_counter=True
        )
        text = "Calls that failed by its fault."
        yield Reading("callgate_provider_failures", text, health.failures, labels=of, is_counter=True)
        failing = health.state == "failing"
        yield Reading("callgate_provider_failing", "1 when the last three calls failed.", int(failing), labels=of)


def _limits(limiting: Limiting | None) -> Iterator[Reading]:
    limits = limiting.limits if limiting is not None else None
    for reason, count in (limits.refused if limits is not None else NOTHING_REFUSED).items():
        text = "Calls refused, by what."
        yield Reading("callgate_limits_refused", text, count, labels={"reason": reason}, is_counter=True)
    waiting = sum(map(len, limits.lines.values())) if limits is not None else 0
    yield Reading("callgate_limits_waiting", "Calls that wait for their turn.", waiting)


def _states(name: str, text: str, current: str, states: tuple[str, ...]) -> Iterator[Reading]:
    for state in states:
        yield Reading(name, text, int(state == current), labels={"state": state})


def _identity(reading: Reading) -> tuple[str, tuple[tuple[str, str], ...]]:
    return reading.name, tuple(sorted(reading.labels.items()))
