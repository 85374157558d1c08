"""Pages of spans by keyset, one span, its neighbours, a bounded count, and the export."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import msgspec

from gateway.core.sealing import SealedError, Sealer
from gateway.core.span import Span
from gateway.core.stored import StoredRow
from gateway.store.base import Page, SpanDetail, SpanFilter, Tail
from gateway.store.sqlite.connection import Database, Reader
from gateway.store.sqlite.keyset import ORDERS, Cursor, count_of, keys_of
from gateway.store.sqlite.rows import SPAN_COLUMNS, PayloadCodec, span_of

READ_SPANS = f"""
SELECT {SPAN_COLUMNS}, s.id FROM json_each(?) p CROSS JOIN spans s ON s.id = p.value
CROSS JOIN span_details d ON d.span = s.id
"""  # noqa: S608  # our own column names
READ_ROWS = f"""
SELECT {SPAN_COLUMNS} FROM json_each(?) p CROSS JOIN spans s ON s.id = p.value
CROSS JOIN span_details d ON d.span = s.id
"""  # noqa: S608  # our own column names
"""In the order of the ids: a cross join is not turned round."""
READ_SPAN = f"""
SELECT {SPAN_COLUMNS}, s.id FROM spans s JOIN span_details d ON d.span = s.id WHERE s.request_id = ?
"""  # noqa: S608  # our own column names
READ_TAIL = f"""
SELECT {SPAN_COLUMNS}, s.id FROM spans s JOIN span_details d ON d.span = s.id WHERE s.id > ? ORDER BY s.id LIMIT ?
"""  # noqa: S608  # our own column names
NEWEST_ID = "SELECT coalesce(max(id), 0) FROM spans"
READ_PAYLOAD = "SELECT body FROM payloads WHERE span = ?"
KEY_OF = "SELECT started_at, id FROM spans WHERE request_id = ?"
EXPORTED_KEYS = 5_000


class Lists:
    def __init__(self, database: Database, sealer: Sealer | None = None) -> None:
        self._database = database
        self._codec = PayloadCodec(sealer)

    async def spans(self, which: SpanFilter, *, limit: int, cursor: str | None = None, order: str = "newest") -> Page:
        if order not in ORDERS:
            raise ValueError(f"order {order!r} is none of {', '.join(ORDERS)}")
        place = Cursor.parse(cursor, order) if cursor else None
        async with self._database.reading() as reader:
            keys, scanned_to, looked_to = await keys_of(reader, which, order, place, limit + 1)
            back = place is not None and place.back
            more = len(keys) > limit
            keys = keys[:limit]
            spans = await _read(reader, [number for _, number in keys])
        onward = keys[-1] if more else scanned_to
        if back:
            keys.reverse()
        page = Page([spans[number] for _, number in keys if number in spans], looked_to=None if more else looked_to)
        if back:
            page.prev_cursor = Cursor(order, True, *onward).token() if onward else None
            page.next_cursor = Cursor(order, False, *keys[-1]).token() if keys else None
        else:
            page.next_cursor = Cursor(order, False, *onward).token() if onward else None
            page.prev_cursor = Cursor(order, True, *keys[0]).token() if keys and place else None
        return page

    async def span(self, request_id: str) -> SpanDetail | None:
        async with self._database.reading() as reader:
            row = await reader.first(READ_SPAN, (request_id,))
            if row is None:
                return None
            body = await reader.first(READ_PAYLOAD, (row[-1],))
        try:
            payload = self._codec.decode(body[0], request_id) if body else None
        except SealedError as sealed:
            return SpanDetail(span_of(row[:-1]), None, sealed_with=sealed.key_id)
        return SpanDetail(span_of(row[:-1]), payload, payload.redactions if payload else {})

    async def tail(self, after: int | None, *, limit: int = 500) -> Tail:
        """Marks are the internal ids, which are given in the order of writing."""
        async with self._database.reading() as reader:
            if after is not None:
                rows = await reader.all(READ_TAIL, (after, limit))
                if rows:
                    return Tail([(row[-1], span_of(row[:-1])) for row in rows], rows[-1][-1])
            [(newest,)] = await reader.all(NEWEST_ID)
        return Tail([], newest)

    async def neighbours(self, request_id: str, which: SpanFilter) -> tuple[str | None, str | None]:
        async with self._database.reading() as reader:
            key = await reader.first(KEY_OF, (request_id,))
            if key is None:
                return None, None
            found: list[str | None] = []
            for back in (True, False):
                keys, *_ = await keys_of(reader, which, "newest", Cursor("newest", back, *key), 1)
                spans = await _read(reader, [number for _, number in keys])
                found.append(next((span.request_id for span in spans.values()), None))
        return found[0], found[1]

    async def count(self, which: SpanFilter, *, at_most: int = 10_000) -> int:
        async with self._database.reading() as reader:
            return await count_of(reader, which, at_most + 1)

    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        async with aclosing(self.export_rows(which, page=page)) as pages:
            async for rows in pages:
                yield [span_of(row) for row in rows]

    async def export_rows(self, which: SpanFilter, *, page: int = 2000) -> AsyncGenerator[list[StoredRow], None]:
        """Keys are read many at a time: finding where a page begins costs more than walking on from there."""
        place: Cursor | None = None
        while True:
            async with self._database.reading() as reader:
                keys, onward, _ = await keys_of(reader, which, "newest", place, EXPORTED_KEYS)
            for start in range(0, len(keys), page):
                part = [number for _, number in keys[start : start + page]]
                async with self._database.reading() as reader:
                    rows = await reader.all(READ_ROWS, (_as_json(part),))
                yield rows
            if len(keys) == EXPORTED_KEYS:
                onward = keys[-1]
            if onward is None:
                return
            place = Cursor("newest", False, *onward)


async def _read(reader: Reader, ids: list[int]) -> dict[int, Span]:
    rows = await reader.all(READ_SPANS, (_as_json(ids),))
    return {row[-1]: span_of(row[:-1]) for row in rows}


def _as_json(ids: list[int]) -> str:
    return msgspec.json.encode(ids).decode()
