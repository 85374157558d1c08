"""Calls to record, and a store in memory to record them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.ids import uuid7
from gateway.core.span import CallClosed, CallOpened
from gateway.journal import JournalWriter
from gateway.store.base import Batch, CarriedOpen, JournalPosition, Rejected, SetAside, SpanWrite, Written
from tests.frames import make_closed, make_opened

MB = 1 << 20


def write_call(writer: JournalWriter, request_id: str | None = None, response: bytes = b"") -> str:
    """A whole call in the journal; its id."""
    request_id = request_id or uuid7()
    writer.open(make_opened(request_id))
    writer.close(make_closed(request_id, response_bytes=len(response)), [], [response])
    return request_id


class MemoryStore:
    """A SpanWriter that keeps everything in memory, and fails on request."""

    def __init__(self) -> None:
        self.rows: dict[str, SpanWrite] = {}
        self.batches: list[Batch] = []
        self.reached: dict[str, JournalPosition] = {}
        self.opens: dict[str, CarriedOpen] = {}
        self.failures: list[Exception] = []
        """Raised one by one by the next writes, before anything is kept."""
        self.refused: dict[str, str] = {}
        """request_id → the error with which the row is rejected."""
        self.poison: set[str] = set()
        """request_ids that make a write fail in a way no store should."""

    async def write(self, batch: Batch, set_aside: SetAside | None = None) -> Written:
        if self.failures:
            raise self.failures.pop(0)
        if any(row.span.request_id in self.poison for row in batch.spans):
            raise RuntimeError("cannot happen")
        self.batches.append(batch)
        rejected = [Rejected(row, self.refused[row.span.request_id]) for row in batch.spans if self._refuses(row)]
        if rejected and set_aside is not None:
            await set_aside(rejected)
        fresh = [row for row in batch.spans if row.span.request_id not in self.rows and not self._refuses(row)]
        self.rows.update((row.span.request_id, row) for row in fresh)
        self.reached.update((position.journal, position) for position in batch.positions)
        self.opens.update((each.request_id, each) for each in batch.carry)
        for request_id in batch.carry_done:
            self.opens.pop(request_id, None)
        return Written(new=len(fresh), rejected=rejected)

    def _refuses(self, row: SpanWrite) -> bool:
        return row.span.request_id in self.refused

    async def positions(self) -> dict[str, JournalPosition]:
        return dict(self.reached)

    async def carried(self, journal: str) -> list[CarriedOpen]:
        return [each for each in self.opens.values() if each.journal == journal]

    async def place(self, limit: int) -> int:
        return 0

    async def expire(self, *, spans_before_us: int | None, payloads_before_us: int | None, limit: int) -> int:
        return 0


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def writer(data: Path) -> JournalWriter:
    return JournalWriter(data / "journal" / "w", segment_bytes=64 << 10, max_bytes=64 * MB)


@pytest.fixture(scope="session")
def opened() -> Callable[..., CallOpened]:
    return make_opened


@pytest.fixture(scope="session")
def closed() -> Callable[..., CallClosed]:
    return make_closed


@pytest.fixture(scope="session")
def call() -> Callable[..., str]:
    return write_call
