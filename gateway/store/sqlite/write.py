"""The batch transaction: spans, bodies, tags, dictionaries, rollups, journal positions, carried opens; all or nothing.

Only rows that were not there before count in rollups, so a batch may be written again after any failure.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

import aiosqlite
import msgspec

from gateway.core.sealing import Sealer
from gateway.core.stored import DETAILS, PLAIN
from gateway.store.base import Batch, Rejected, SetAside, SpanWrite, Written, not_billed
from gateway.store.sqlite.bills import enter_bills, reported_before
from gateway.store.sqlite.connection import Database, first_value
from gateway.store.sqlite.rollups import SERIES_VERSION, SeriesBook, add_cells
from gateway.store.sqlite.rows import DERIVED, PayloadCodec, details_of, row_of
from gateway.store.sqlite.series import CALL, TAG, Cells, Series, cube_of, measure

KNOWN_IDS = "SELECT request_id FROM spans WHERE request_id IN (SELECT value FROM json_each(?))"
LAST_ID = "SELECT coalesce(max(id), 0) FROM spans"
ADD_SPAN = f"INSERT INTO spans (id, series, {', '.join(PLAIN + DERIVED)}) VALUES (?, ?{', ?' * len(PLAIN + DERIVED)})"  # noqa: S608  # our own column names
ADD_DETAILS = f"INSERT INTO span_details (span, {', '.join(DETAILS)}) VALUES (?{', ?' * len(DETAILS)})"  # noqa: S608  # our own column names
ADD_PAYLOAD = "INSERT INTO payloads (span, started_at, body) VALUES (?, ?, ?)"
ADD_TAG = "INSERT INTO span_tags (series, started_at, span) VALUES (?, ?, ?)"
SET_POSITION = """
INSERT INTO journal_positions (journal, segment, byte_offset) VALUES (?, ?, ?)
ON CONFLICT (journal) DO UPDATE SET segment = excluded.segment, byte_offset = excluded.byte_offset
"""
CARRY = "INSERT OR REPLACE INTO carried_opens (request_id, journal, frame) VALUES (?, ?, ?)"
CARRY_DONE = "DELETE FROM carried_opens WHERE request_id IN (SELECT value FROM json_each(?))"

ROW_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
    TypeError,
)
"""What a single row can do wrong; a lone surrogate is a UnicodeEncodeError, so a ValueError."""


class Prepared(NamedTuple):
    """A span in the shape of its tables, but for its internal id."""

    write: SpanWrite
    series: Series
    """The combination it belongs to."""
    row: tuple[Any, ...]
    details: list[Any]
    body: bytes | None


class Writer:
    def __init__(self, database: Database, sealer: Sealer | None = None) -> None:
        self._database = database
        self._codec = PayloadCodec(sealer)
        self.book = SeriesBook()

    async def write(self, batch: Batch, set_aside: SetAside | None) -> Written:
        prepared, rejected = self._prepare(batch.spans)
        async with self._database.writing() as db:
            version = await first_value(db, SERIES_VERSION)
            self.book.begin((self._database.generation, version))
            fresh = await _unknown(db, prepared)
            if fresh:
                fresh = await self._billed_once(db, fresh)
                await self.book.enter(db, {one.series for one in fresh})
                stored, refused = await self._insert(db, fresh)
                rejected += refused
                await self._count(db, stored)
                await enter_bills(db, [one.write for _, one in stored])
                fresh = [one for _, one in stored]
            await _move_journal(db, batch)
            if rejected and set_aside is not None:
                await set_aside(rejected)
        self.book.commit()
        return Written(new=len(fresh), rejected=rejected)

    def _prepare(self, writes: Iterable[SpanWrite]) -> tuple[list[Prepared], list[Rejected]]:
        """The first of equal ids counts. Everything that costs CPU happens here, before the write lock is taken."""
        prepared: dict[str, Prepared] = {}
        rejected = []
        for write in writes:
            if write.span.request_id in prepared:
                continue
            try:
                row, series = row_of(write.span), Series(CALL, None, cube_of(write.span))
                series.labels.encode()  # text that is no text is refused here
                prepared[write.span.request_id] = Prepared(
                    write,
                    series,
                    row,
                    details_of(write.span),
                    self._codec.encode(write.payload, write.span.request_id) if write.payload is not None else None,
                )
            except ROW_ERRORS as exc:
                rejected.append(Rejected(write, f"{type(exc).__name__}: {exc}"))
        return list(prepared.values()), rejected

    async def _billed_once(self, db: aiosqlite.Connection, fresh: list[Prepared]) -> list[Prepared]:
        repeats = await reported_before(db, [one.write for one in fresh])
        if not repeats:
            return fresh
        writes = [
            SpanWrite(not_billed(one.write.span), one.write.payload)
            if one.write.span.request_id in repeats
            else one.write
            for one in fresh
        ]
        return self._prepare(writes)[0]

    async def _insert(
        self, db: aiosqlite.Connection, fresh: list[Prepared]
    ) -> tuple[list[tuple[int, Prepared]], list[Rejected]]:
        """All at once; if the database refuses, halves, until the rows at fault are alone."""
        [(last_id,)] = await db.execute_fetchall(LAST_ID)
        numbered = list(enumerate(fresh, last_id + 1))
        rejected: list[Rejected] = []
        stored: list[tuple[int, Prepared]] = []
        parts = [numbered]
        while parts:
            part = parts.pop()
            await db.execute("SAVEPOINT part")
            try:
                await self._insert_rows(db, part)
            except ROW_ERRORS as exc:
                await db.execute("ROLLBACK TO part")
                if len(part) > 1:
                    parts += (part[len(part) // 2 :], part[: len(part) // 2])
                else:
                    rejected.append(Rejected(part[0][1].write, f"{type(exc).__name__}: {exc}"))
            else:
                stored += part
            await db.execute("RELEASE part")
        return stored, rejected

    async def _insert_rows(self, db: aiosqlite.Connection, part: list[tuple[int, Prepared]]) -> None:
        series = self.book.id_of
        await db.executemany(ADD_SPAN, [(number, series(one.series), *one.row) for number, one in part])
        await db.executemany(ADD_DETAILS, [(number, *one.details) for number, one in part])
        bodies = [(number, one.write.span.started_at, one.body) for number, one in part if one.body is not None]
        await db.executemany(ADD_PAYLOAD, bodies)

    async def _count(self, db: aiosqlite.Connection, stored: list[tuple[int, Prepared]]) -> None:
        cells = Cells()
        tagged: list[tuple[Series, int, int]] = []
        for number, one in stored:
            span = one.write.span
            cells.add(span, one.series.cube, measure(span))
            tagged += ((Series(TAG + key, value), span.started_at, number) for key, value in span.tags.items())
        cells.close()
        calls = cells.calls()
        await self.book.enter(db, calls)
        await self.book.count(db, calls)
        await self.book.note_odd(db, cells.odd)
        rows = sorted((self.book.id_of(series), started_at, number) for series, started_at, number in tagged)
        await db.executemany(ADD_TAG, rows)
        await add_cells(db, cells, self.book)


async def _unknown(db: aiosqlite.Connection, prepared: list[Prepared]) -> list[Prepared]:
    """Those whose request_id is not in the store. Ids that are no text at all are left for the insert to refuse."""
    ids = [one.write.span.request_id for one in prepared]
    try:
        known_ids = msgspec.json.encode(ids).decode()
    except ROW_ERRORS:
        known_ids = msgspec.json.encode([request_id for request_id in ids if request_id.isascii()]).decode()
    known = {request_id for (request_id,) in await db.execute_fetchall(KNOWN_IDS, (known_ids,))}
    return [one for one in prepared if one.write.span.request_id not in known]


async def _move_journal(db: aiosqlite.Connection, batch: Batch) -> None:
    await db.executemany(SET_POSITION, [(each.journal, each.segment, each.offset) for each in batch.positions])
    await db.executemany(CARRY, [(each.request_id, each.journal, each.frame) for each in batch.carry])
    if batch.carry_done:
        await db.execute(CARRY_DONE, (msgspec.json.encode(batch.carry_done).decode(),))
