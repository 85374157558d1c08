"""What the response cache keeps in a store: found until its time is over, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.store import open_store
from gateway.store.answers import KeptAnswer
from gateway.store.erasing import Subject
from gateway.store.sqlite.answers import ROW_BYTES

MUCH = 1 << 20


def kept(name: str, size: int = 10, until_us: int = 1000) -> KeptAnswer:
    return KeptAnswer(name.encode(), b"x" * size, until_us)


async def _in_store(path: Path, story: Any) -> Any:
    store = open_store("sqlite:///answers.db", path)
    await store.connect()
    try:
        return await story(store)
    finally:
        await store.close()


def told(path: Path, story: Any) -> Any:
    running: Coroutine[Any, Any, Any] = _in_store(path, story)
    return asyncio.run(running)


def test_an_answer_is_found_until_its_time_is_over(tmp_path: Path) -> None:
    async def story(store: Any) -> list[Any]:
        await store.put_answers([kept("a")], max_bytes=MUCH, now_us=10)
        return [await store.answer(b"a", 999), await store.answer(b"a", 1000), await store.answer(b"b", 10)]

    assert told(tmp_path, story) == [kept("a"), None, None]


def test_a_later_answer_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    async def story(store: Any) -> Any:
        await store.put_answers([kept("a")], max_bytes=MUCH, now_us=10)
        await store.put_answers([kept("a", 20, 2000)], max_bytes=MUCH, now_us=20)
        return await store.answer(b"a", 1500)

    assert told(tmp_path, story) == kept("a", 20, 2000)


@pytest.mark.parametrize(("room", "left"), [(3, "bcd"), (1, "d"), (0, "")])
def test_the_oldest_go_when_there_is_no_room(tmp_path: Path, room: int, left: str) -> None:
    async def story(store: Any) -> str:
        for at, name in enumerate("abcd", 1):
            most = MUCH if name != "d" else room * (100 + ROW_BYTES)
            await store.put_answers([kept(name, 100)], max_bytes=most, now_us=at)
        return "".join([name for name in "abcd" if await store.answer(name.encode(), 10)])

    assert told(tmp_path, story) == left


def test_those_whose_time_is_over_make_room_first(tmp_path: Path) -> None:
    async def story(store: Any) -> int:
        await store.put_answers([kept("old", 100, until_us=50)], max_bytes=MUCH, now_us=1)
        await store.put_answers([kept("new", 100)], max_bytes=MUCH, now_us=60)
        return int(await store.clear_answers())

    assert told(tmp_path, story) == 1


def test_when_somebody_is_erased_all_answers_go_for_nobody_knows_whose_they_are(tmp_path: Path) -> None:
    async def story(store: Any) -> int:
        await store.put_answers([kept("a")], max_bytes=MUCH, now_us=10)
        await store.forget(Subject("tenant", "acme"), totals=True)
        return int(await store.clear_answers())

    assert told(tmp_path, story) == 0
