"""Counting by place the spans that were stored before anything was: in small steps, newest first, until none is left.

Until then questions that only these sums could answer are answered from rows.
"""

from __future__ import annotations

from gateway.store.sqlite.connection import Database, first_value
from gateway.store.sqlite.rollups import SERIES_VERSION, SeriesBook, add_cells
from gateway.store.sqlite.rows import SPAN_COLUMNS, span_of
from gateway.store.sqlite.series import Cells, measure

UNPLACED_TO = "SELECT value FROM facts WHERE name = 'unplaced_to'"
"""The newest internal id of a span that is not counted by place; there is none where all are."""
MOVE_ON = "UPDATE facts SET value = ? WHERE name = 'unplaced_to'"
DONE = "DELETE FROM facts WHERE name = 'unplaced_to'"
SPANS = f"""
SELECT {SPAN_COLUMNS} FROM spans s CROSS JOIN span_details d ON d.span = s.id WHERE s.id > ? AND s.id <= ?
"""  # noqa: S608  # our own column names


class Placing:
    """`book` is the writer's: series that it knows need not be looked for."""

    def __init__(self, database: Database, book: SeriesBook) -> None:
        self._database = database
        self._book = book

    async def place(self, limit: int) -> int:
        async with self._database.writing() as db:
            unplaced_to = await first_value(db, UNPLACED_TO)
            if not unplaced_to:
                return 0
            self._book.begin((self._database.generation, await first_value(db, SERIES_VERSION)))
            rest = max(0, unplaced_to - limit)
            cells = Cells()
            for row in await db.execute_fetchall(SPANS, (rest, unplaced_to)):
                span = span_of(tuple(row))
                cells.add_placed(span, measure(span))
            calls = cells.calls()
            await self._book.enter(db, calls)
            await self._book.count(db, calls)
            await self._book.note_odd(db, cells.odd)
            await add_cells(db, cells, self._book)
            await (db.execute(MOVE_ON, (rest,)) if rest else db.execute(DONE))
        self._book.commit()
        return unplaced_to - rest
