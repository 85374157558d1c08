"""Repricing against a real store: rows and totals follow, and a second run has nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.control.reprice import preview, write
from gateway.core.ids import uuid7
from gateway.core.span import Span
from gateway.store import open_store
from gateway.store.base import Batch, SpanFilter, SpanWrite, Store
from pricing import Catalog, Usage

Result = TypeVar("Result")
HOUR_US = 3_600_000_000
START_US = 1_795_100_000_000_000
SINCE_SECOND_HOUR = SpanFilter(from_us=START_US + HOUR_US, to_us=START_US + 10 * HOUR_US)


def call(number: int, **more: object) -> Span:
    """One of gpt-4o-mini an hour: 750,000 nano-dollars each."""
    fields: dict[str, object] = {
        "request_id": uuid7(),
        "kind": "llm",
        "started_at": START_US + number * HOUR_US,
        "ended_at": START_US + number * HOUR_US + 1_000_000,
        "provider": "openai",
        "model": "gpt-4o-mini-2024-07-18",
        "status_code": 200,
        "latency_us": 1_000_000,
        "usage": Usage(input_tokens=1_000, output_tokens=1_000),
        "usage_source": "reported",
    }
    return Span(**{**fields, **more})  # type: ignore[arg-type]  # every field is one of Span


@pytest.fixture
def in_store(tmp_path: Path) -> Callable[[Callable[[Store], Awaitable[Result]]], Result]:
    """Runs with an open store that holds four calls: three unpriced, one priced wrong."""

    def run(work: Callable[[Store], Awaitable[Result]]) -> Result:
        async def opened() -> Result:
            store = open_store("sqlite:///prices.db", tmp_path)
            await store.connect()
            try:
                spans = [*map(call, range(3)), call(3, cost_nanousd=1_000_000, cost_source="catalog")]
                written = await store.write(Batch(spans=[SpanWrite(span) for span in spans]))
                assert written.new == 4
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())

    return run


def test_rows_and_totals_follow(golden: Catalog, in_store: Callable[..., None]) -> None:
    async def work(store: Store) -> None:
        found = await preview(store, golden, {}, SINCE_SECOND_HOUR)
        assert (found.seen, found.total.calls, found.total.newly_priced) == (3, 3, 2)
        assert (found.total.old_nanousd, found.total.new_nanousd) == (1_000_000, 2_250_000)
        before = (await store.stats(SpanFilter())).totals
        assert (before.cost_nanousd, before.unpriced) == (1_000_000, 3)

        assert await write(store, golden, {"*": 10.0}, SINCE_SECOND_HOUR) == 3

        after = (await store.stats(SpanFilter())).totals
        assert (after.cost_nanousd, after.input_cost_nanousd, after.output_cost_nanousd) == (
            2_250_000,
            450_000,
            1_800_000,
        )
        assert (after.charge_nanousd, after.unpriced, after.requests) == (2_475_000, 1, 4)
        rows = (await store.spans(SINCE_SECOND_HOUR, limit=10)).items
        assert [row.cost_nanousd for row in rows] == [750_000] * 3
        assert {row.price_id for row in rows} == {"gpt-4o-mini@2026-11-01"}

    in_store(work)


def test_a_second_run_has_nothing_to_do(golden: Catalog, in_store: Callable[..., None]) -> None:
    async def work(store: Store) -> None:
        await write(store, golden, {}, SINCE_SECOND_HOUR)
        found = await preview(store, golden, {}, SINCE_SECOND_HOUR)
        assert (found.seen, found.total.calls) == (3, 0)
        assert await write(store, golden, {}, SINCE_SECOND_HOUR) == 0

    in_store(work)
