"""Tenants that the guard leaves alone: every worker hears of it, for as long as was said; the audit log keeps it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.control.limiting import Limiting
from gateway.control.runaway_overrides import HOUR_US, KIND, MOST_HOURS, Overrides
from gateway.core.key import Key
from gateway.core.limits import Ask
from gateway.errors import CallError, ControlError, Missing
from gateway.settings import Settings
from gateway.settings.limits import Runaway
from pricing import Catalog
from tests.api.fakes import FakeStore

T = TypeVar("T")
LOOP = 20
SETTINGS = Settings(runaway=Runaway(same_prompt_per_min=LOOP))


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def admitted(limiting: Limiting, tenant: str, times: int) -> int:
    """How many get in of so many calls with the same body."""
    assert limiting.limits is not None
    ask = Ask(Key(key_id="k", name="k"), tenant, None, "m", "m", {}, 10, 10, None, None, 99)
    count = 0
    for _ in range(times):
        try:
            limiting.limits.admit(ask, time.time_ns() // 1000)
        except CallError:
            continue
        count += 1
    return count


def test_what_one_worker_was_told_another_knows_after_its_next_look(store: FakeStore) -> None:
    mine, other = Overrides(store), Overrides(store)
    made = run(mine.put("acme", 2, " load test ", actor="ann"))
    assert made.until_us - made.created_us == 2 * HOUR_US
    run(other.refresh())
    assert other.by_tenant == {"acme": made}
    assert (made.note, made.by) == ("load test", "ann")
    run(other.end("acme", actor="bob"))
    run(mine.refresh())
    assert mine.by_tenant == {}


def test_each_change_is_in_the_audit_log(store: FakeStore) -> None:
    overrides = Overrides(store)
    run(overrides.put("acme", 1, "", actor="ann"))
    run(overrides.put("acme", 3, "longer", actor="ann"))
    run(overrides.end("acme", actor="bob"))
    assert [(each.actor, each.action, each.kind, each.id) for each in store.entries] == [
        ("ann", "created", KIND, "acme"),
        ("ann", "changed", KIND, "acme"),
        ("bob", "deleted", KIND, "acme"),
    ]


@pytest.mark.parametrize("hours", [0, -1, MOST_HOURS + 1])
def test_an_override_is_for_a_while_and_not_for_good(store: FakeStore, hours: float) -> None:
    with pytest.raises(ControlError, match=f"up to {MOST_HOURS} hours"):
        run(Overrides(store).put("acme", hours, "", actor="ann"))


def test_what_is_not_there_cannot_be_ended(store: FakeStore) -> None:
    with pytest.raises(Missing, match="acme"):
        run(Overrides(store).end("acme", actor="ann"))


def test_a_worker_lets_the_tenant_pass_and_no_other_until_it_is_ended(store: FakeStore, tmp_path: Path) -> None:
    """As it runs: what another process wrote into the store is followed, within seconds."""

    async def work() -> None:
        limiting = Limiting(SETTINGS, Catalog.load(), store, tmp_path, 0, lambda: True)
        assert limiting.limits is not None
        following = asyncio.create_task(limiting.run())
        elsewhere = Overrides(store)
        try:
            assert admitted(limiting, "acme", LOOP + 5) == LOOP
            await elsewhere.put("acme", 1, "", actor="ann")
            await _until(lambda: admitted(limiting, "acme", 1) == 1)
            assert admitted(limiting, "acme", 3 * LOOP) == 3 * LOOP
            assert admitted(limiting, "globex", LOOP + 5) == LOOP
            await elsewhere.end("acme", actor="ann")
            await _until(lambda: admitted(limiting, "acme", 1) == 0)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await limiting.close()

    run(work())


async def _until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)
