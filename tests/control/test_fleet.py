"""Workers of one machine that ask each other, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.control.fleet import Fleet, Question

DOUBLE = Question("double", int, int)


@asynccontextmanager
async def three(folder: Path) -> AsyncIterator[list[Fleet]]:
    """Each answers with a hundred times its number more."""
    fleets = [Fleet(folder, number, 3) for number in range(3)]
    for fleet in fleets:
        fleet.answer(DOUBLE, lambda asked, number=fleet.number: 100 * number + 2 * asked)
        await fleet.open()
    try:
        yield fleets
    finally:
        for fleet in fleets:
            await fleet.close()


def test_all_others_are_asked(tmp_path: Path) -> None:
    async def run() -> list[dict[int, int]]:
        async with three(tmp_path) as fleets:
            return [await fleet.ask(DOUBLE, 4) for fleet in fleets]

    assert asyncio.run(run()) == [{1: 108, 2: 208}, {0: 8, 2: 208}, {0: 8, 1: 108}]
    assert list((tmp_path / "run").iterdir()) == []


def test_only_the_owner_can_ask(tmp_path: Path) -> None:
    async def run() -> list[int]:
        async with three(tmp_path):
            paths = [tmp_path / "run", *(tmp_path / "run").iterdir()]
            return [stat.S_IMODE(path.stat().st_mode) for path in paths]

    assert asyncio.run(run()) == [0o700, 0o600, 0o600, 0o600]


def test_a_folder_with_a_long_path_does(tmp_path: Path) -> None:
    """Sockets have 108 bytes for it."""

    async def run() -> dict[int, int]:
        async with three(tmp_path / ("deep" * 20) / ("deep" * 20)) as fleets:
            return await fleets[0].ask(DOUBLE, 1)

    assert asyncio.run(run()) == {1: 102, 2: 202}


def test_who_is_gone_is_left_out_and_may_come_back(tmp_path: Path) -> None:
    async def run() -> list[dict[int, int]]:
        async with three(tmp_path) as fleets:
            said = [await fleets[0].ask(DOUBLE, 1)]
            await fleets[1].close()
            killed = socket.socket(socket.AF_UNIX)
            killed.bind(str(tmp_path / "run" / "worker-1.sock"))  # a worker that is killed takes nothing with it
            killed.close()
            said.append(await fleets[0].ask(DOUBLE, 1))
            await fleets[1].open()
            said.append(await fleets[0].ask(DOUBLE, 1))
            return said

    assert asyncio.run(run()) == [{1: 102, 2: 202}, {2: 202}, {1: 102, 2: 202}]


def test_who_is_busy_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.control.fleet.PATIENCE_S", 0.05)

    async def run() -> dict[int, int]:
        async with three(tmp_path) as fleets:
            await fleets[1].close()
            with socket.socket(socket.AF_UNIX) as silent:
                silent.bind(str(tmp_path / "run" / "worker-1.sock"))
                silent.listen()
                return await fleets[0].ask(DOUBLE, 1)

    assert asyncio.run(run()) == {2: 202}


@pytest.mark.parametrize("handler", [None, lambda asked: 1 // 0, lambda asked: "no number"])
def test_who_cannot_say_is_left_out(handler: object, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> dict[int, int]:
        async with three(tmp_path) as fleets:
            if handler is None:
                fleets[1]._answers.clear()  # of another version, which does not know the question
            else:
                fleets[1].answer(DOUBLE, handler)  # type: ignore[arg-type]
            return await fleets[0].ask(DOUBLE, 1)

    assert asyncio.run(run()) == {2: 202}
    assert caplog.records


def test_telling_does_not_wait(tmp_path: Path) -> None:
    async def run() -> list[int]:
        heard: list[int] = []
        both = asyncio.Event()

        def hear(asked: int) -> int:
            heard.append(asked)
            if len(heard) == 2:
                both.set()
            return 0

        async with three(tmp_path) as fleets:
            for fleet in fleets:
                fleet.answer(DOUBLE, hear)
            fleets[0].tell(DOUBLE, 7)
            assert heard == []
            await asyncio.wait_for(both.wait(), 5)
        return heard

    assert asyncio.run(run()) == [7, 7]


def test_a_process_that_is_no_worker_only_asks(tmp_path: Path) -> None:
    async def run() -> list[dict[int, int]]:
        alone, annex = Fleet(tmp_path), Fleet(tmp_path, None)
        alone.answer(DOUBLE, lambda asked: 2 * asked)
        await alone.open()
        await annex.open()
        try:
            return [await alone.ask(DOUBLE, 1), await annex.ask(DOUBLE, 1)]
        finally:
            await alone.close()

    assert asyncio.run(run()) == [{}, {0: 2}]
    assert list((tmp_path / "run").iterdir()) == []
