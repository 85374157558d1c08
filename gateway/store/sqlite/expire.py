"""Retention: old rows and bodies go in small steps, so that the recorder never waits long. Rollups stay."""

from __future__ import annotations

from typing import Any

import aiosqlite

from gateway.store.sqlite.bills import DELETE_OLD_BILLS
from gateway.store.sqlite.connection import Database
from gateway.store.sqlite.rows import tags_of
from gateway.store.sqlite.series import HOUR, TAG, Series

OLD_SPANS = """
SELECT s.id, s.started_at, d.tags FROM spans s INDEXED BY ix_spans_started_at
JOIN span_details d ON d.span = s.id WHERE s.started_at < ? ORDER BY s.started_at LIMIT ?
"""
DELETE_TAG = """
DELETE FROM span_tags WHERE series = (SELECT id FROM series WHERE labels = ?) AND started_at = ? AND span = ?
"""
DELETE_DETAILS = "DELETE FROM span_details WHERE span = ?"
DELETE_PAYLOAD = "DELETE FROM payloads WHERE span = ?"
DELETE_SPAN = "DELETE FROM spans WHERE id = ?"
DELETE_OLD_PAYLOADS = """
DELETE FROM payloads WHERE span IN (SELECT span FROM payloads WHERE started_at < ? ORDER BY started_at LIMIT ?)
"""
ROWS_FROM = """
INSERT INTO facts (name, value) VALUES ('rows_from_us', ?)
ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
"""
OLD_SPANS_OF_TENANT = """
SELECT s.id, s.started_at, d.tags FROM spans s JOIN span_details d ON d.span = s.id
WHERE s.series IN (SELECT id FROM series WHERE scope = 'call' AND tenant = ?) AND s.started_at < ? LIMIT ?
"""
DELETE_PAYLOADS_OF_TENANT = """
DELETE FROM payloads WHERE span IN (
    SELECT p.span FROM spans s JOIN payloads p ON p.span = s.id
    WHERE s.series IN (SELECT id FROM series WHERE scope = 'call' AND tenant = ?)
    AND s.started_at >= ? AND s.started_at < ? LIMIT ?)
"""
FREE_PAGES = "PRAGMA incremental_vacuum(2000)"


class Expiry:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire(self, *, spans_before_us: int | None, payloads_before_us: int | None, limit: int) -> int:
        """Rows go by whole hours: a period that begins within a deleted hour is answered with that hour's rollup."""
        gone = 0
        async with self._database.writing() as db:
            if spans_before_us is not None:
                gone += await _delete_spans(db, spans_before_us // HOUR * HOUR, limit)
                await db.execute(DELETE_OLD_BILLS, (spans_before_us, limit))
            if payloads_before_us is not None:
                cursor = await db.execute(DELETE_OLD_PAYLOADS, (payloads_before_us, limit))
                gone += cursor.rowcount
            if gone:
                await db.execute_fetchall(FREE_PAGES)  # a page at a time, as its rows are read
        return gone

    async def expire_tenant(
        self, tenant: str, *, spans_before_us: int | None, payloads: tuple[int, int] | None, limit: int
    ) -> int:
        gone = 0
        async with self._database.writing() as db:
            if spans_before_us is not None:
                before_us = spans_before_us // HOUR * HOUR
                old = await db.execute_fetchall(OLD_SPANS_OF_TENANT, (tenant, before_us, limit))
                gone += await _delete_rows(db, list(old), before_us)
            if payloads is not None:
                cursor = await db.execute(DELETE_PAYLOADS_OF_TENANT, (tenant, *payloads, limit))
                gone += cursor.rowcount
            if gone:
                await db.execute_fetchall(FREE_PAGES)
        return gone


async def _delete_spans(db: aiosqlite.Connection, before_us: int, limit: int) -> int:
    return await _delete_rows(db, list(await db.execute_fetchall(OLD_SPANS, (before_us, limit))), before_us)


async def _delete_rows(db: aiosqlite.Connection, old: list[Any], before_us: int) -> int:
    """Rows of (id, started_at, tags)."""
    if not old:
        return 0
    await db.execute(ROWS_FROM, (before_us,))
    tags: list[tuple[Any, ...]] = [
        (Series(TAG + key, value).labels, started_at, number)
        for number, started_at, column in old
        for key, value in tags_of(column).items()
    ]
    await db.executemany(DELETE_TAG, tags)
    numbers = [(number,) for number, _, _ in old]
    for statement in (DELETE_DETAILS, DELETE_PAYLOAD, DELETE_SPAN):
        await db.executemany(statement, numbers)
    return len(old)
