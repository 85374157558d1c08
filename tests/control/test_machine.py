"""What several workers say, as one machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.control.fleet import Fleet
from gateway.control.machine import WORKING, Provider, Working, all_working, own_in, own_working
from gateway.control.state import AppState, PoolUse
from gateway.control.vitals import Sample
from gateway.core.health import ProviderHealth
from tests.api.fakes import FakeStore, make_state

TEN_S = 10_000_000


def sample(at: int, calls: int, lag: int = 0) -> Sample:
    return Sample(at, 1, 2, calls, 500, 7, 1.5, lag)


def worker(folder: Path, number: int, samples: list[Sample], **providers: ProviderHealth) -> AppState:
    state = make_state(FakeStore(), folder)
    state.worker, state.fleet = number, Fleet(folder, number, 3)
    state.vitals = SimpleNamespace(samples=samples, processes=[])  # type: ignore[assignment]
    state.provider_health = lambda: providers
    state.pools = lambda: {name: PoolUse(3, 100) for name in providers}
    state.fleet.answer(WORKING, lambda _: own_working(state))
    return state


def together(workers: list[AppState]) -> Working:
    async def run() -> Working:
        for each in workers:
            await each.fleet.open()
        try:
            return await all_working(workers[0], own_in(workers[0]))
        finally:
            for each in workers:
                await each.fleet.close()

    return asyncio.run(run())


def test_counts_are_summed_and_a_provider_is_as_the_last_met_it(tmp_path: Path) -> None:
    early = ProviderHealth(calls=5, failures=4, failures_in_a_row=4, last_at=100, last_error="timeout")
    late = ProviderHealth(calls=7, last_at=200, last_latency_us=9)
    found = together([worker(tmp_path, 0, [], lab=early, own=early), worker(tmp_path, 1, [], lab=late, far=late)])
    assert (found.in_flight, found.client_connections) == (4, 8)
    assert list(found.providers) == ["lab", "own", "far"]
    expected = ProviderHealth(calls=12, failures=4, failures_in_a_row=4, last_at=200, last_latency_us=9)
    assert found.providers["lab"] == Provider(expected, 6, 200)
    assert found.providers["lab"].health.state == "failing"
    assert found.providers["far"] == Provider(late, 3, 100)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ([sample(TEN_S + 4, 10, 5), sample(2 * TEN_S + 9, 20)], [(13, 2, 5), (24, 2, 1)]),
        ([sample(2 * TEN_S + 1, 20)], [(3, 1, 1), (24, 2, 1)]),
        ([], [(3, 1, 1), (4, 1, 1)]),
    ],
)
def test_samples_of_the_same_ten_seconds_are_summed(
    theirs: list[Sample], expected: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    own = [sample(TEN_S + 8, 3, 1), sample(2 * TEN_S + 8, 4, 1)]
    found = together([worker(tmp_path, 0, own), worker(tmp_path, 1, theirs)]).samples
    assert [(each.calls, each.in_flight, each.loop_lag_us) for each in found] == expected
    assert [(each.at, each.backlog_bytes) for each in found] == [(each.at, 500) for each in own]
