"""How SQLite goes about the hot queries: no page and no menu may walk the table of spans."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.store.base import Batch, SpanFilter, SpanWrite
from gateway.store.sqlite import SqliteStore, walk
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.expire import OLD_SPANS
from tests.store.contract import FILTERS
from tests.store.naive import DAY, T0, make_span, make_write, matches

PERIOD = SpanFilter(from_us=T0, to_us=T0 + 3 * DAY)
ROWS_IN_PERIOD = "ix_spans_started_at (started_at>? AND started_at<?)"

QUERIES: list[tuple[str, Callable[[SqliteStore], Awaitable[Any]], str]] = [
    ("newest", lambda s: s.spans(SpanFilter(), limit=50), "ix_spans_started_at"),
    ("newest of a period", lambda s: s.spans(PERIOD, limit=50), ROWS_IN_PERIOD),
    (
        "tenant",
        lambda s: s.spans(SpanFilter(tenant=("acme",)), limit=50),
        "ix_spans_series (series=? AND started_at>?",
    ),
    ("user", lambda s: s.spans(SpanFilter(user=("ann",)), limit=50), "ix_spans_user (user=?"),
    ("session", lambda s: s.spans(SpanFilter(session=("s1",)), limit=50), "ix_spans_session (session=?"),
    ("trace", lambda s: s.spans(SpanFilter(trace=("t",)), limit=50), "ix_spans_trace (trace_id=?"),
    ("failures", lambda s: s.spans(SpanFilter(status=("error",)), limit=50), "ix_spans_series (series=?"),
    ("a model", lambda s: s.spans(SpanFilter(model=("fast",)), limit=50), "ix_spans_series (series=?"),
    ("not a model", lambda s: s.spans(SpanFilter(exclude=(("model", ("fast",)),)), limit=50), "ix_spans_series"),
    ("unpriced", lambda s: s.spans(SpanFilter(unpriced=True), limit=50), "ix_spans_unpriced"),
    ("slow", lambda s: s.spans(SpanFilter(min_latency_us=9), limit=50), "ix_spans_latency (<expr>=? AND latency_us>?)"),
    (
        "dear",
        lambda s: s.spans(SpanFilter(min_cost_nanousd=9), limit=50),
        "ix_spans_cost (<expr>=? AND cost",
    ),
    ("count", lambda s: s.count(SpanFilter(tenant=("acme",))), "s USING COVERING INDEX ix_spans_series"),
    ("tag", lambda s: s.spans(SpanFilter(tags=(("feature", ("chat",)),)), limit=50), "t USING PRIMARY KEY (series=?"),
    ("free text", lambda s: s.spans(SpanFilter(q="x"), limit=50), "ix_spans_started_at"),
    ("slowest", lambda s: s.spans(SpanFilter(), limit=50, order="slowest"), "ix_spans_latency (<expr>=?"),
    ("costliest", lambda s: s.spans(SpanFilter(), limit=50, order="costliest"), "ix_spans_cost (<expr>=?"),
    ("one", lambda s: s.span("x"), "ix_spans_request_id (request_id=?"),
    ("tail", lambda s: s.tail(5), "USING INTEGER PRIMARY KEY (rowid>?)"),
    ("stats", lambda s: s.stats(PERIOD), "SEARCH r USING PRIMARY KEY (series=? AND start>? AND start<?)"),
    ("groups", lambda s: s.groups(PERIOD, "model"), "SEARCH r USING PRIMARY KEY (series=? AND start>? AND start<?)"),
    ("failure kinds", lambda s: s.failures(PERIOD), "SEARCH r USING PRIMARY KEY"),
    ("menu", lambda s: s.field_values("model"), "ix_series_scope (scope=? AND value>? AND value<?)"),
    ("tag menu", lambda s: s.tag_values("feature"), "ix_series_scope (scope=? AND value>? AND value<?)"),
]


@pytest.mark.parametrize(("ask", "index"), [pytest.param(ask, index, id=name) for name, ask, index in QUERIES])
def test_hot_queries_go_through_an_index(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[SqliteStore], Awaitable[Any]],
    index: str,
) -> None:
    monkeypatch.setattr(walk, "FEW", 1)  # as if there were many
    plans: list[str] = []
    original = Reader.all

    async def explained(reader: Reader, sql: str, parameters: Any = ()) -> Any:
        plans.extend(row[3] for row in await original(reader, f"EXPLAIN QUERY PLAN {sql}", parameters))
        return await original(reader, sql, parameters)

    async def work() -> None:
        store = SqliteStore(tmp_path / "plans.db")
        await store.connect()
        await store.write(Batch(spans=[make_write(n) for n in range(50)]))
        monkeypatch.setattr(Reader, "all", explained)
        await ask(store)
        monkeypatch.setattr(Reader, "all", original)
        await store.close()

    asyncio.run(work())
    assert any(index in plan for plan in plans), plans
    walked = [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in ("s", "d", "spans", "t", "r")]
    assert [plan for plan in walked if "USING INDEX" not in plan and "COVERING" not in plan] == []


@pytest.mark.parametrize("which", FILTERS, ids=repr)
@pytest.mark.parametrize(("order", "figure"), [("slowest", "latency_us"), ("costliest", "cost_nanousd")])
def test_the_best_of_each_hour_hold_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: SpanFilter, order: str, figure: str
) -> None:
    """With many calls the hours are asked one by one; the pages are the same."""
    monkeypatch.setattr(walk, "FEW", 1)
    which = msgspec.structs.replace(which, from_us=T0 + 7, to_us=T0 + 2 * DAY + 7)

    async def work() -> None:
        store = SqliteStore(tmp_path / "best.db")
        await store.connect()
        spans = [make_span(n) for n in range(300)]
        await store.write(Batch(spans=[SpanWrite(span) for span in spans]))
        chosen = [span for span in spans if matches(span, which) and getattr(span, figure) is not None]
        page = await store.spans(which, limit=9, order=order)
        listed = page.items
        while page.next_cursor:
            page = await store.spans(which, limit=9, order=order, cursor=page.next_cursor)
            listed += page.items
        assert [getattr(s, figure) for s in listed] == sorted((getattr(s, figure) for s in chosen), reverse=True)
        await store.close()

    asyncio.run(work())


@pytest.mark.parametrize("which", FILTERS, ids=repr)
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_windows_of_time_hold_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: SpanFilter, order: str
) -> None:
    """What does not come by time is read in windows of time; the pages are the same, forth and back."""
    monkeypatch.setattr(walk, "FEW", 1)

    async def work() -> None:
        store = SqliteStore(tmp_path / "windows.db")
        await store.connect()
        spans = [make_span(n) for n in range(300)]
        await store.write(Batch(spans=[SpanWrite(span) for span in spans]))
        chosen = sorted((span for span in spans if matches(span, which)), key=lambda span: span.started_at)
        page = await store.spans(which, limit=9, order=order)
        forth = [page.items]
        while page.next_cursor:
            page = await store.spans(which, limit=9, order=order, cursor=page.next_cursor)
            forth.append(page.items)
        back = [page.items]
        while page.prev_cursor:
            page = await store.spans(which, limit=9, order=order, cursor=page.prev_cursor)
            back.append(page.items)
        expected = [span.request_id for span in (chosen if order == "oldest" else reversed(chosen))]
        assert [span.request_id for items in forth for span in items] == expected
        assert [span.request_id for items in reversed(back) for span in items] == expected
        await store.close()

    asyncio.run(work())


def test_retention_finds_the_oldest_by_index(tmp_path: Path) -> None:
    async def work() -> str:
        store = SqliteStore(tmp_path / "plans.db")
        await store.connect()
        async with store._database.reading() as reader:
            plan = await reader.all(f"EXPLAIN QUERY PLAN {OLD_SPANS}", (T0, 100))
        await store.close()
        return " | ".join(row[3] for row in plan)

    assert asyncio.run(work()).startswith("SEARCH s USING COVERING INDEX ix_spans_started_at (started_at<?)")
