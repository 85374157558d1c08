"""How far an export is, for whoever gave it a token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.api.export import FORMATS, REMEMBERED, Exports, exported
from gateway.core.span import Span
from gateway.errors import StoreError
from gateway.store.base import SpanFilter
from tests.api.fakes import FakeStore, traffic


async def read(chunks: AsyncIterator[bytes]) -> int:
    return sum([len(chunk) async for chunk in chunks])


def test_rows_are_counted_as_they_are_written() -> None:
    spans = traffic(230)
    exports = Exports()
    progress = exports.watched("mine")

    async def run() -> None:
        form = FORMATS["jsonl"]
        body = exports.admitted(exported(FakeStore(spans), SpanFilter(), form, progress), progress)  # type: ignore[arg-type]
        assert progress.state == "running"
        await read(body)

    asyncio.run(run())
    found = exports.progress("mine")
    assert found is progress
    assert (progress.rows, progress.state) == (230, "done")


class Breaking(FakeStore):
    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        yield self.rows[:100]
        raise StoreError("the disk is gone")


def test_one_that_breaks_off_says_so() -> None:
    exports = Exports()
    progress = exports.watched("mine")

    async def run() -> None:
        body = exported(Breaking(traffic(200)), SpanFilter(), FORMATS["csv"], progress)  # type: ignore[arg-type]
        with pytest.raises(StoreError):
            await read(exports.admitted(body, progress))

    asyncio.run(run())
    assert (progress.rows, progress.state, exports.running) == (100, "failed", 0)


def test_only_the_last_ones_are_remembered() -> None:
    exports = Exports()
    for number in range(REMEMBERED + 1):
        exports.watched(str(number))
    assert exports.progress("0") is None
    assert exports.progress(str(REMEMBERED)) is not None
    exports.watched(None)
    assert exports.progress("1") is not None
