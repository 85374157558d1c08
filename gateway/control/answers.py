"""The response cache's side of the store: what the data plane asks by callback, done by tasks of the loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import zstandard

from gateway.core.sealing import SealedError, Sealer
from gateway.errors import StoreError
from gateway.store.answers import Answers, KeptAnswer

READ_WITHIN_S = 0.25
"""A call waits so long for the store; then it goes upstream."""
MOST_READS = 64
"""Under way at the same time; beyond it calls go upstream rather than queue for a database."""
MOST_UNWRITTEN_BYTES = 16 * 1024 * 1024
"""Answers that wait to be written; beyond it they are kept in memory only."""

log = logging.getLogger("callgate")

Found = Callable[[bytes | None], None]


class StoredAnswers:
    """A `gateway.proxy.cache.Behind`. With a `sealer` what is written is sealed, as bodies are."""

    def __init__(self, store: Answers, max_bytes: Callable[[], int], sealer: Sealer | None = None) -> None:
        """`max_bytes`: how large the table may be now."""
        self._store = store
        self._max_bytes = max_bytes
        self._sealer = sealer or Sealer()
        self._reading: set[asyncio.Task[None]] = set()
        self._writing: asyncio.Task[None] | None = None
        self._unwritten: dict[bytes, tuple[bytes, int]] = {}
        self._unwritten_bytes = 0

    def read(self, key: bytes, found: Found) -> None:
        if len(self._reading) >= MOST_READS:
            asyncio.get_running_loop().call_soon(found, None)
            return
        task = asyncio.create_task(self._read(key, found))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def write(self, key: bytes, kept: bytes, until_us: int) -> None:
        if self._unwritten_bytes + len(kept) > MOST_UNWRITTEN_BYTES:
            return
        self._unwritten[key] = kept, until_us
        self._unwritten_bytes += len(kept)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def close(self) -> None:
        """What waits to be written is; reading is given up."""
        for task in list(self._reading):
            task.cancel()
        if self._writing is not None:
            await self._writing

    async def _read(self, key: bytes, found: Found) -> None:
        body: bytes | None = None
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                answer = await self._store.answer(key, time.time_ns() // 1000)
            if answer is not None:
                body = self._opened(key, answer.body)
        except (TimeoutError, StoreError, SealedError, zstandard.ZstdError) as exc:
            log.debug("the response cache could not be read: %s", exc or type(exc).__name__)
        found(body)

    async def _write(self) -> None:
        """Whatever has gathered, together, until nothing has."""
        try:
            while self._unwritten:
                waiting, self._unwritten, self._unwritten_bytes = self._unwritten, {}, 0
                answers = await asyncio.to_thread(self._closed, waiting)
                now_us = time.time_ns() // 1000
                await self._store.put_answers(answers, max_bytes=self._max_bytes(), now_us=now_us)
        except StoreError as exc:
            log.warning("answers could not be kept in the store, only in memory: %s", exc)
        finally:
            self._writing = None

    def _closed(self, waiting: dict[bytes, tuple[bytes, int]]) -> list[KeptAnswer]:
        compressor = zstandard.ZstdCompressor(level=3)
        answers = []
        for key, (kept, until_us) in waiting.items():
            body = self._sealer.seal(compressor.compress(kept), key.hex())
            answers.append(KeptAnswer(key, body, until_us))
        return answers

    def _opened(self, key: bytes, body: bytes) -> bytes:
        return zstandard.ZstdDecompressor().decompress(self._sealer.open(body, key.hex()))
