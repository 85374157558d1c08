"""The cache's side of the store: it never keeps a call waiting, and never fails one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.control import answers as module
from gateway.control.answers import MOST_READS, MOST_UNWRITTEN_BYTES, StoredAnswers
from gateway.core.sealing import Sealer, is_sealed
from gateway.errors import StoreError
from gateway.store.answers import KeptAnswer

KEY = b"k" * 32
LATER = 1 << 60


class Table:
    """A store's table in memory."""

    def __init__(self) -> None:
        self.rows: dict[bytes, KeptAnswer] = {}
        self.writes: list[int] = []
        self.broken = False
        self.held = asyncio.Event()
        self.held.set()

    async def answer(self, key: bytes, now_us: int) -> KeptAnswer | None:
        await self.held.wait()
        if self.broken:
            raise StoreError("it is away")
        return self.rows.get(key)

    async def put_answers(self, answers: Sequence[KeptAnswer], *, max_bytes: int, now_us: int) -> None:
        await self.held.wait()
        if self.broken:
            raise StoreError("it is away")
        self.writes.append(len(answers))
        self.rows.update({each.key: each for each in answers})

    async def clear_answers(self) -> int:
        return 0


async def read(stored: StoredAnswers, key: bytes = KEY) -> bytes | None:
    found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
    stored.read(key, found.set_result)
    return await found


@pytest.mark.parametrize("sealer", [None, Sealer({"one": bytes(32)})], ids=["plain", "sealed"])
def test_what_is_written_is_read(sealer: Sealer | None) -> None:
    async def story() -> None:
        table = Table()
        stored = StoredAnswers(table, lambda: 1000, sealer)
        stored.write(KEY, b"an answer", LATER)
        await stored.close()
        assert await read(stored) == b"an answer"
        assert await read(stored, b"another") is None
        assert is_sealed(table.rows[KEY].body) is (sealer is not None)
        assert b"an answer" not in table.rows[KEY].body or sealer is None

    asyncio.run(story())


def test_what_cannot_be_opened_is_not_there() -> None:
    async def story() -> None:
        table = Table()
        sealed = StoredAnswers(table, lambda: 1000, Sealer({"one": bytes(32)}))
        sealed.write(KEY, b"an answer", LATER)
        await sealed.close()
        assert await read(StoredAnswers(table, lambda: 1000)) is None
        assert await read(StoredAnswers(table, lambda: 1000, Sealer({"one": b"\1" * 32}))) is None
        table.rows[KEY] = KeptAnswer(KEY, b"no frame at all", LATER)
        assert await read(sealed) is None

    asyncio.run(story())


def test_a_store_that_is_away_is_as_good_as_an_empty_one() -> None:
    async def story() -> None:
        table = Table()
        table.broken = True
        stored = StoredAnswers(table, lambda: 1000)
        stored.write(KEY, b"lost", LATER)
        assert await read(stored) is None
        await stored.close()
        table.broken = False
        stored.write(KEY, b"kept", LATER)
        await stored.close()
        assert await read(stored) == b"kept"

    asyncio.run(story())


def test_a_store_that_is_slow_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_WITHIN_S", 0.01)

    async def story() -> None:
        table = Table()
        table.held.clear()
        assert await read(StoredAnswers(table, lambda: 1000)) is None

    asyncio.run(story())


def test_more_reads_than_may_be_under_way_are_answered_at_once() -> None:
    async def story() -> None:
        table = Table()
        table.held.clear()
        stored = StoredAnswers(table, lambda: 1000)
        waiting: list[bytes | None] = []
        for _ in range(MOST_READS):
            stored.read(KEY, waiting.append)
        assert await read(stored) is None
        assert waiting == []
        await stored.close()

    asyncio.run(story())


def test_what_gathers_is_written_together_and_never_without_bound() -> None:
    async def story() -> None:
        table = Table()
        stored = StoredAnswers(table, lambda: 1000)
        table.held.clear()
        stored.write(b"first", b"x", LATER)
        half = bytes(MOST_UNWRITTEN_BYTES // 2)
        for name in (b"second", b"third", b"too much"):
            stored.write(name, half, LATER)
        table.held.set()
        await stored.close()
        assert b"too much" not in table.rows
        assert sum(table.writes) == len(table.rows) == 2

    asyncio.run(story())
