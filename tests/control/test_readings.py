"""What workers count, together, and beyond the end of one of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.control.fleet import Fleet
from gateway.control.readings import READINGS, Meter, readings_of_all
from gateway.control.state import AppState
from gateway.core.health import ProviderHealth
from tests.api.fakes import FakeStore, make_state

BEGAN = 1_700_000_000_000_000


def worker(folder: Path, number: int, calls: int, *, began_at: int = BEGAN, openai: int | None = None) -> AppState:
    state = make_state(FakeStore([]), folder)
    state.worker = number
    state.fleet = Fleet(folder, number, 2)
    state.counters.calls = calls
    state.provider_health = lambda: {} if openai is None else {"openai": ProviderHealth(calls=openai)}
    meter = state.meter = Meter(state, folder, began_at)
    state.fleet.answer(READINGS, lambda _: meter.readings())
    return state


def value(state: AppState, name: str) -> float | None:
    assert state.meter is not None
    return next((each.value for each in state.meter.readings() if each.name == name), None)


def test_a_successor_goes_on_where_the_killed_one_was(tmp_path: Path) -> None:
    assert value(worker(tmp_path, 1, calls=40, openai=5), "callgate_calls") == 40
    successor = worker(tmp_path, 1, calls=2)
    assert value(successor, "callgate_calls") == 42
    assert value(successor, "callgate_in_flight") == 2, "a gauge is of now"
    assert value(successor, "callgate_provider_calls") == 5, "of a provider that it has not called itself"
    assert value(worker(tmp_path, 1, calls=1, openai=3), "callgate_provider_calls") == 8


def test_another_number_and_another_gateway_begin_at_nothing(tmp_path: Path) -> None:
    value(worker(tmp_path, 1, calls=40), "callgate_calls")
    assert value(worker(tmp_path, 0, calls=2), "callgate_calls") == 2
    assert value(worker(tmp_path, 1, calls=2, began_at=BEGAN + 1), "callgate_calls") == 2


def test_a_broken_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "worker-1.json").write_bytes(b'{"began_at": 17')
    assert value(worker(tmp_path, 1, calls=2), "callgate_calls") == 2


def test_all_are_asked_and_a_dead_one_is_read(tmp_path: Path) -> None:
    async def run() -> None:
        one, other = worker(tmp_path, 0, calls=3), worker(tmp_path, 1, calls=40)
        await one.fleet.open()
        await other.fleet.open()
        try:
            readings, silent = await readings_of_all(one)
            assert _calls(readings) == {0: 3, 1: 40}
            assert silent == set()
            other.counters.calls = 50
            await other.fleet.close()
            readings, silent = await readings_of_all(one)
            assert _calls(readings) == {0: 3, 1: 40}, "what it had last told"
            assert silent == {1}
            assert all(each.is_counter for each in readings[1])
        finally:
            await one.fleet.close()

    def _calls(readings: dict[int, list]) -> dict[int, float]:  # type: ignore[type-arg]
        return {n: each.value for n, found in readings.items() for each in found if each.name == "callgate_calls"}

    asyncio.run(run())


def test_it_is_written_down_without_being_asked(tmp_path: Path) -> None:
    async def run() -> None:
        state = worker(tmp_path, 0, calls=7)
        assert state.meter is not None
        keeping = asyncio.create_task(state.meter.run(every_s=0.001))
        while not state.meter.kept(0):
            await asyncio.sleep(0.001)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(run(), 5))
