"""New costs for stored spans, and the difference in the rollups, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.store.base import Repricing
from gateway.store.sqlite.connection import Database, first_value
from gateway.store.sqlite.places import UNPLACED_TO
from gateway.store.sqlite.rollups import SeriesBook, add_cells
from gateway.store.sqlite.rows import SPAN_COLUMNS, is_unpriced, span_of
from gateway.store.sqlite.series import Cells

PRICED_SPANS = f"""
SELECT {SPAN_COLUMNS}, s.id FROM spans s JOIN span_details d ON d.span = s.id
WHERE s.request_id IN (SELECT value FROM json_each(?))
"""  # noqa: S608  # our own column names
SET_PRICE = """
UPDATE spans SET cost_nanousd = ?, input_cost_nanousd = ?, output_cost_nanousd = ?, charge_nanousd = ?,
    cost_source = ?, price_id = ?, unpriced = ? WHERE request_id = ?
"""


class Repricer:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def reprice(self, changes: Sequence[Repricing]) -> int:
        wanted = {change.request_id: change for change in changes}
        book = SeriesBook()
        cells = Cells()
        rows = []
        async with self._database.writing() as db:
            unplaced_to = await first_value(db, UNPLACED_TO)
            ids = msgspec.json.encode(list(wanted)).decode()
            for row in await db.execute_fetchall(PRICED_SPANS, (ids,)):
                old = span_of(tuple(row[:-1]))
                change = wanted[old.request_id]
                new = msgspec.structs.replace(old, **msgspec.structs.asdict(change))
                if new == old:
                    continue
                cells.add_repriced(old, new, placed=row[-1] > unplaced_to)
                rows.append((*msgspec.structs.astuple(change)[1:], is_unpriced(new, new.cost_nanousd), old.request_id))
            cells.close()
            await db.executemany(SET_PRICE, rows)
            book.begin((self._database.generation, 0))  # of this transaction only
            await book.enter(db, cells.calls())
            await book.count(db, cells.calls())
            await add_cells(db, cells, book)
        return len(rows)
