"""A level of a budget whose event was lost with its worker is found by its counter, and is the same notice."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from gateway.control.alerts_budgets import reached
from gateway.control.limiting import Limiting
from gateway.core.alerts.notice import of_event
from gateway.core.key import Key
from gateway.core.limits import Ask
from gateway.core.limits.events import Event
from gateway.settings import Settings
from gateway.settings.limits import Budget
from pricing import Catalog
from tests.api.fakes import FakeStore, make_state

SETTINGS = Settings(
    budgets=[
        Budget(name="each-key", scope="key", usd=0.001, period="day", hard=False),
        Budget(name="acme", scope="tenant", match="acme", usd=0.01, period="total", hard=False, alerts=[3, 90]),
    ]
)
CATALOG = Catalog.load(None, {"lab/m": {"input_per_mtok": 1, "output_per_mtok": 1}})


def test_what_counters_have_reached_is_what_admission_said(tmp_path: Path) -> None:
    state = make_state(FakeStore(), tmp_path, settings=SETTINGS)
    state.limiting = Limiting(SETTINGS, CATALOG, state.store, tmp_path, 0, lambda: True)
    heard: list[Event] = []
    state.limiting.sinks.append(heard.append)
    now = time.time_ns() // 1000
    limits = state.limiting.limits
    assert limits is not None

    async def found() -> list[Event]:
        return [event async for event in reached(state, now + 5)]

    async def work() -> None:
        assert await found() == []
        for number in range(120):  # more than are looked at in one go; each spends 0.00085 dollars
            key = Key(key_id=f"k{number}", name="app")
            lease = limits.admit(Ask(key, "acme" if number == 7 else None, "e", "m", "m", {}, 100, 400, "lab"), now)
            assert lease is not None
            lease.settle(200, 850_000, now)
        assert len(heard) == 241
        assert {of_event(event).id for event in await found()} == {of_event(event).id for event in heard}

    asyncio.run(work())
    asyncio.run(state.limiting.close())


def test_without_limits_nothing_is_reached(tmp_path: Path) -> None:
    state = make_state(FakeStore(), tmp_path)

    async def found() -> list[Event]:
        return [event async for event in reached(state, 5)]

    assert asyncio.run(found()) == []
