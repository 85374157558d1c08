"""Exports that do not come to their end: abandoned, failed, or too many."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import export
from gateway.api.export import FORMATS, Exports, exported
from gateway.core.span import Span
from gateway.errors import CallError, CallgateError, StoreError
from gateway.store.base import SpanFilter
from tests.api.fakes import NOW, FakeStore, ask, make_app, make_state, span, traffic


class HangingStore(FakeStore):
    """Gives one page and no more."""

    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        yield self.rows
        await asyncio.Event().wait()


class FailingStore(FakeStore):
    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        yield self.rows
        raise StoreError("the disk is gone")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The processes that exports start."""
    processes: list[Process] = []
    real = asyncio.create_subprocess_exec

    async def start(*command: str, **options: Any) -> Process:
        process = await real(*command, **options)
        processes.append(process)
        return process

    monkeypatch.setattr(export.asyncio, "create_subprocess_exec", start)
    return processes


async def read_all(store: FakeStore, form: str) -> bytes:
    return b"".join([chunk async for chunk in exported(store, SpanFilter(), FORMATS[form])])


def test_an_abandoned_export_takes_its_process_with_it(started: list[Process]) -> None:
    async def abandon() -> None:
        reading = asyncio.create_task(read_all(HangingStore(traffic(5)), "parquet"))
        async with asyncio.timeout(20):
            while not started:
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
        assert started[0].returncode is not None

    asyncio.run(abandon())


@pytest.mark.parametrize("form", FORMATS)
def test_a_store_that_fails_on_the_way_makes_no_whole_file(form: str, started: list[Process]) -> None:
    with pytest.raises(StoreError, match="the disk is gone"):
        asyncio.run(read_all(FailingStore(traffic(5)), form))
    assert all(process.returncode for process in started)


def test_a_writer_that_dies_is_an_error(started: list[Process]) -> None:
    async def kill() -> None:
        reading = asyncio.create_task(read_all(HangingStore(traffic(5)), "parquet"))
        async with asyncio.timeout(20):
            while not started:
                await asyncio.sleep(0)
            started[0].kill()
            await reading

    with pytest.raises(CallgateError, match="Parquet writer"):
        asyncio.run(kill())


def test_only_so_many_run_at_once(tmp_path: Path) -> None:
    app = make_app(make_state(FakeStore([span(1, NOW)]), tmp_path))
    app.state.exports = Exports(most=1)
    path = "/api/requests/export?format=jsonl"
    assert [ask(app, path).status_code for _ in range(3)] == [200, 200, 200]  # each is over before the next
    app.state.exports.running = 1
    answer = ask(app, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_exports")
    assert answer.headers["retry-after"] == "10"


def test_a_refused_export_counts_nothing() -> None:
    exports = Exports(most=0)
    with pytest.raises(CallError):
        exports.admitted(read_nothing())
    assert exports.running == 0


async def read_nothing() -> AsyncIterator[bytes]:
    return
    yield b""
