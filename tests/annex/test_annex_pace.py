from __future__ import annotations

import asyncio

import pytest

from gateway.annex import pace
from gateway.annex.pace import Pace


@pytest.fixture
def classes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the process asked for: the idle class, or out of it."""
    asked: list[bool] = []

    def set_idle_class(*, idle: bool) -> bool:
        asked.append(idle)
        return True

    monkeypatch.setattr(pace, "set_idle_class", set_idle_class)
    monkeypatch.setattr(pace.os, "nice", lambda _: None)
    return asked


def test_it_hurries_only_while_somebody_waits_for_long(classes: list[bool]) -> None:
    async def look() -> None:
        own = Pace(patience_s=0.01)
        with own.waited_for():
            pass  # a quick page
        assert classes == [True]
        with own.waited_for(), own.waited_for():
            async with asyncio.timeout(10):
                while own.is_idle:
                    await asyncio.sleep(0.001)
        assert own.is_idle

    asyncio.run(look())
    assert classes == [True, False, True]


@pytest.mark.parametrize(("ran", "waited", "asked"), [(10, 30, [True]), (10, 50, [True, False, True])])
def test_over_long_work_it_hurries_only_while_it_is_starved(
    ran: int, waited: int, asked: list[bool], classes: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def schedstat() -> tuple[int, int]:
        nonlocal looks
        looks += 1
        return (ran, waited) if looks > 1 else (0, 0)  # all of it before the second look, and nothing from then on

    async def look() -> None:
        own = Pace(look_s=0.001)
        with own.at_work():
            async with asyncio.timeout(10):
                while looks < 4:
                    await asyncio.sleep(0.001)
        assert own.is_idle

    monkeypatch.setattr(pace, "ran_and_waited_ns", schedstat)
    asyncio.run(look())
    assert classes == asked
