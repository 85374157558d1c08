"""A page that would have to look at too much stops, says how far it looked, and goes on from there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store.base import Batch, SpanFilter, SpanWrite
from gateway.store.sqlite import SqliteStore, connection, keyset
from tests.store import naive
from tests.store.naive import HOUR, make_span

SPANS = [make_span(number) for number in range(400)]
RARE = [
    SpanFilter(min_input_tokens=1900),
    SpanFilter(q="req-no-such"),
    SpanFilter(tags=(("team", ("a",)),), max_latency_us=60_000),
    SpanFilter(exclude=(("tag:feature", ("chat", "search")),), status=("429",)),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bounded") / "bounded.db"
    using(path, lambda store: store.write(Batch(spans=[SpanWrite(span) for span in SPANS])))
    return path


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """So little may be done for a page that no question is answered by one."""
    monkeypatch.setattr(connection, "TICK_STEPS", 100)
    monkeypatch.setattr(keyset, "MOST_TICKS", 1)
    monkeypatch.setattr(keyset, "SEARCHED", 40)
    monkeypatch.setattr("gateway.store.sqlite.walk.FEW", 0)


def using(path: Path, work: Callable[[SqliteStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = SqliteStore(path)
        await store.connect()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("which", RARE, ids=repr)
def test_pages_go_on_from_where_they_looked(path: Path, which: SpanFilter, order: str) -> None:
    async def work(store: SqliteStore) -> None:
        found, cursor, short = [], None, 0
        while True:
            page = await store.spans(which, limit=20, cursor=cursor, order=order)
            found += page.items
            if page.looked_to is not None:
                short += 1
                assert page.next_cursor
                ahead = [span.started_at - page.looked_to for span in page.items]
                assert all(each >= 0 if order == "newest" else each <= 0 for each in ahead)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert short > 1
        expected = [span for span in SPANS if naive.matches(span, which)]
        assert found == sorted(expected, key=lambda span: span.started_at, reverse=order == "newest")

    using(path, work)


@pytest.mark.parametrize("which", [RARE[0], RARE[3]], ids=repr)
def test_the_costliest_are_those_of_what_was_looked_at(path: Path, which: SpanFilter) -> None:
    async def work(store: SqliteStore) -> None:
        page = await store.spans(which, limit=1000, order="costliest")
        assert page.looked_to is not None
        assert page.next_cursor is None
        seen = [span for span in SPANS if naive.matches(span, which) and span.started_at >= page.looked_to]
        costs = [span.cost_nanousd for span in seen if span.cost_nanousd is not None]
        assert [span.cost_nanousd for span in page.items] == sorted(costs, reverse=True)

    using(path, work)


def test_what_has_no_price_has_no_costliest(path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        page = await store.spans(SpanFilter(unpriced=True), limit=5, order="costliest")
        assert (page.items, page.next_cursor, page.looked_to) == ([], None, None)

    using(path, work)


def test_a_page_that_is_full_says_nothing_of_it(path: Path) -> None:
    newest = max(span.started_at for span in SPANS)

    async def work(store: SqliteStore) -> None:
        page = await store.spans(SpanFilter(from_us=newest - HOUR), limit=1)
        assert (len(page.items), page.looked_to) == (1, None)

    using(path, work)
