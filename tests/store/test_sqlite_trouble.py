"""A database that is locked, deleted, full or watched over a slow query: said in words, and nothing half done."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.store.base import Batch, CarriedOpen, SpanFilter
from gateway.store.sqlite import SqliteStore, connection
from gateway.store.sqlite.series import OPEN_ENDED_LIMIT
from tests.store import naive
from tests.store.naive import T0, make_span, make_write


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "trouble.db")


def test_a_locked_database_is_a_store_error_and_then_writes(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_S", 0.05)

    async def work() -> None:
        await store.connect()
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process is writing"):
                await store.write(Batch(spans=[make_write(1)]))
            assert await store.count(SpanFilter()) == 0  # readers do not wait
            other.execute("ROLLBACK")
        assert (await store.write(Batch(spans=[make_write(1)]))).new == 1
        await store.close()

    asyncio.run(work())


def test_a_deleted_database_is_made_again(store: SqliteStore) -> None:
    async def work() -> None:
        await store.connect()
        await store.write(Batch(spans=[make_write(1)], carry=[CarriedOpen("w", "a", b"")]))
        assert await store.count(SpanFilter()) == 1
        for file in store.path.parent.glob("trouble.db*"):
            file.unlink()
        assert await store.count(SpanFilter()) == 0
        # all that was remembered of the old file, such as the ids of series, must be forgotten
        assert (await store.write(Batch(spans=[make_write(1), make_write(2)]))).new == 2
        assert (await store.stats(SpanFilter())).totals == naive.totals([make_span(1), make_span(2)])
        assert (await store.tag_keys())[0].calls == 2
        await store.close()

    asyncio.run(work())


def test_a_database_deleted_within_a_write_is_a_store_error(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        await store.connect()
        await store.write(Batch(spans=[make_write(1)]))
        with pytest.raises(StoreError, match="deleted or replaced"):
            async with store._database.writing():
                store.path.unlink()
        assert (await store.write(Batch(spans=[make_write(1)]))).new == 1
        await store.close()

    asyncio.run(work())


def test_a_full_disk_is_a_store_error_and_nothing_is_half_written(store: SqliteStore) -> None:
    async def work() -> None:
        await store.connect()
        await store.write(Batch(spans=[make_write(1)]))
        async with store._database.writing() as db:
            [(pages,)] = await db.execute_fetchall("PRAGMA page_count")
            await db.execute_fetchall(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreError, match="disk is full"):
            await store.write(Batch(spans=[make_write(n) for n in range(2, 500)]))
        assert await store.count(SpanFilter()) == 1
        assert (await store.stats(SpanFilter())).totals.requests == 1
        async with store._database.writing() as db:
            await db.execute_fetchall("PRAGMA max_page_count = 1000000")
        assert (await store.write(Batch(spans=[make_write(n) for n in range(500)]))).new == 499
        assert (await store.stats(SpanFilter())).totals.requests == 500
        await store.close()

    asyncio.run(work())


def test_a_query_that_takes_too_long_is_stopped(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READ_S", -1.0)

    async def work() -> None:
        await store.connect()
        with pytest.raises(StoreError, match="narrow the period"):
            async with store._database.reading() as reader:
                await reader.all(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
                )
        monkeypatch.setattr(connection, "READ_S", 30.0)
        assert await store.count(SpanFilter()) == 0
        await store.close()

    asyncio.run(work())


def test_a_query_that_nobody_waits_for_ends(store: SqliteStore) -> None:
    async def work() -> None:
        await store.connect()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), store._database.reading() as reader:
                await reader.all(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
                )
        assert await store.count(SpanFilter()) == 0
        await store.close()

    async def with_limit() -> None:
        async with asyncio.timeout(connection.READ_S / 2):
            await work()

    asyncio.run(with_limit())


def test_health_of_a_store_that_cannot_be_read(store: SqliteStore) -> None:
    async def work() -> None:
        await store.connect()
        for file in store.path.parent.glob("trouble.db*"):
            file.unlink()
        store.path.mkdir()
        health = await store.health()
        assert not health.ok
        assert "trouble.db" in health.detail
        await store.close()

    asyncio.run(work())


def test_a_clock_that_jumps_back_breaks_nothing(store: SqliteStore) -> None:
    async def work() -> None:
        await store.connect()
        spans = [make_span(1, started_at=T0), make_span(2, started_at=T0 - 10**12), make_span(3, started_at=0)]
        spans[1].latency_us = -5
        for span in spans:
            await store.write(Batch(spans=[naive.SpanWrite(span)]))
        listed = await store.spans(SpanFilter(), limit=10)
        assert [span.started_at for span in listed.items] == [T0, T0 - 10**12, 0]
        stats = await store.stats(SpanFilter())
        assert (stats.totals.requests, stats.latency.min) == (3, 0)
        await store.close()

    asyncio.run(work())


def test_a_tag_whose_values_are_ids_is_answered_from_rows(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.sqlite.rollups.OPEN_ENDED_LIMIT", 20)
    assert OPEN_ENDED_LIMIT > 1000

    async def work() -> None:
        await store.connect()
        spans = [make_span(n, tags={"order": f"o{n % 40}", "sessionId": f"s{n % 7}"}) for n in range(120)]
        for start in range(0, 120, 10):
            await store.write(Batch(spans=[naive.SpanWrite(span) for span in spans[start : start + 10]]))
        for by in ("tag:order", "tag:sessionId"):
            groups = await store.groups(SpanFilter(), by)
            expected = {key: naive.totals(of) for key, of in naive.by_dimension(spans, by).items()}
            assert {group.key: group.totals for group in groups} == expected
        which = SpanFilter(tags=(("order", ("o3",)),))
        assert (await store.stats(which)).totals == naive.totals(s for s in spans if s.tags["order"] == "o3")
        await store.close()

    asyncio.run(work())


def test_free_text_looks_a_bounded_way_and_says_where_it_stopped(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.sqlite.keyset.SEARCHED", 25)

    async def work() -> None:
        await store.connect()
        writes = [make_write(n, started_at=T0 + n, input_preview="ÄRGER" if n == 3 else "-") for n in range(100)]
        await store.write(Batch(spans=writes))
        which = SpanFilter(q="ärger")
        page, pages = await store.spans(which, limit=10), 1
        assert page.items == []
        while page.next_cursor:
            page, pages = await store.spans(which, limit=10, cursor=page.next_cursor), pages + 1
            if page.items:
                break
        assert ([span.started_at for span in page.items], pages) == ([T0 + 3], 4)
        await store.close()

    asyncio.run(work())


def test_the_space_of_deleted_rows_is_given_back(store: SqliteStore) -> None:
    async def work() -> None:
        await store.connect()
        for start in range(0, 1200, 400):
            await store.write(Batch(spans=[make_write(n) for n in range(start, start + 400)]))
        full = (await store.health()).size_bytes
        while await store.expire(spans_before_us=T0 * 2, payloads_before_us=None, limit=500):
            pass
        left = (await store.health()).size_bytes
        assert full is not None
        assert left is not None
        assert left < full
        await store.close()

    asyncio.run(work())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError):
        asyncio.run(SqliteStore(tmp_path / "no.db").connect())
