"""Pages of spans by keyset, one span, its neighbours, a bounded count, and the export."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from gateway.core.span import Span
from gateway.store.base import Page, SpanDetail, SpanFilter, Tail
from gateway.store.sqlite.connection import Database, Reader
from gateway.store.sqlite.period import FOREVER
from gateway.store.sqlite.rows import SPAN_COLUMNS, PayloadCodec, span_of
from gateway.store.sqlite.series import DAY, HOUR
from gateway.store.sqlite.where import FEW, TEXT, RowPlan, plan_rows, selective, tag_matches

SEARCHED = 50_000
"""Free text looks through this many spans a page; a page may then be short, and its cursor goes on from there."""

ORDERS = {
    "newest": ("started_at", True),
    "oldest": ("started_at", False),
    "slowest": ("latency_us", True),
    "costliest": ("cost_nanousd", True),
}
"""Order → column of `spans`, descending. Spans without the figure are not in `slowest` and `costliest`."""
INDEXES = {"latency_us": "ix_spans_latency", "cost_nanousd": "ix_spans_cost"}

READ_SPANS = f"""
SELECT {SPAN_COLUMNS}, s.id FROM json_each(?) p CROSS JOIN spans s ON s.id = p.value
CROSS JOIN span_details d ON d.span = s.id
"""  # noqa: S608  # our own column names
READ_SPAN = f"""
SELECT {SPAN_COLUMNS}, s.id FROM spans s JOIN span_details d ON d.span = s.id WHERE s.request_id = ?
"""  # noqa: S608  # our own column names
READ_TAIL = f"""
SELECT {SPAN_COLUMNS}, s.id FROM spans s JOIN span_details d ON d.span = s.id WHERE s.id > ? ORDER BY s.id LIMIT ?
"""  # noqa: S608  # our own column names
NEWEST_ID = "SELECT coalesce(max(id), 0) FROM spans"
READ_PAYLOAD = "SELECT body FROM payloads WHERE span = ?"
KEY_OF = "SELECT started_at, id FROM spans WHERE request_id = ?"
CALLS_BETWEEN = """
SELECT coalesce(sum(r.requests), 0) FROM series e JOIN rollups_daily r ON r.series = e.id
WHERE e.scope = 'total' AND r.start >= ? AND r.start < ?
"""


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """The place between two spans of an order. `back`: what follows is read against the order."""

    order: str
    back: bool
    value: int
    id: int

    def token(self) -> str:
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @staticmethod
    def parse(token: str, order: str) -> Cursor:
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            cursor = msgspec.msgpack.decode(raw, type=Cursor)
        except (binascii.Error, msgspec.MsgspecError, ValueError) as exc:
            raise ValueError(f"{token!r} is not a cursor of this list") from exc
        if cursor.order != order:
            raise ValueError(f"the cursor is of the order {cursor.order!r}, the list is {order!r}")
        return cursor


class Lists:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._codec = PayloadCodec()

    async def spans(self, which: SpanFilter, *, limit: int, cursor: str | None = None, order: str = "newest") -> Page:
        if order not in ORDERS:
            raise ValueError(f"order {order!r} is none of {', '.join(ORDERS)}")
        place = Cursor.parse(cursor, order) if cursor else None
        async with self._database.reading() as reader:
            keys, scanned_to = await _keys(reader, which, order, place, limit + 1)
            back = place is not None and place.back
            more = len(keys) > limit
            keys = keys[:limit]
            spans = await _read(reader, [number for _, number in keys])
        onward = keys[-1] if more else scanned_to
        if back:
            keys.reverse()
        page = Page([spans[number] for _, number in keys if number in spans])
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
        payload = self._codec.decode(body[0]) if body else None
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
                keys, _ = await _keys(reader, which, "newest", Cursor("newest", back, *key), 1)
                spans = await _read(reader, [number for _, number in keys])
                found.append(next((span.request_id for span in spans.values()), None))
        return found[0], found[1]

    async def count(self, which: SpanFilter, *, at_most: int = 10_000) -> int:
        async with self._database.reading() as reader:
            plan = plan_rows(which, await tag_matches(reader, which))
            text = _add_text(plan, which)
            row = await reader.first(
                f"SELECT count(*) FROM (SELECT 1 FROM {plan.source}{text} WHERE {plan.where} LIMIT ?)",  # noqa: S608  # fragments of where.py
                [*plan.where.parameters, at_most + 1],
            )
        return int(row[0]) if row else 0

    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        cursor: str | None = None
        while True:
            found = await self.spans(which, limit=page, cursor=cursor)
            if found.items:
                yield found.items
            cursor = found.next_cursor
            if cursor is None:
                return


def _add_text(plan: RowPlan, which: SpanFilter) -> str:
    """Adds the condition of `q`; what to join for it."""
    if not which.q:
        return ""
    plan.where.add(TEXT, which.q.casefold())
    return " CROSS JOIN span_details d ON d.span = s.id"


Key = tuple[int, int]
"""The value of the order's column, and the span's internal id."""


async def _keys(
    reader: Reader, which: SpanFilter, order: str, place: Cursor | None, limit: int
) -> tuple[list[Key], Key | None]:
    """The keys that follow `place`, in the direction of reading; and how far free text came if it stopped."""
    column, descending = ORDERS[order]
    descending ^= place is not None and place.back
    way = "DESC" if descending else "ASC"
    by_hour = column != "started_at" and not selective(which) and await _calls(reader, which) > FEW
    plan = plan_rows(which, await tag_matches(reader, which), INDEXES[column] if by_hour else None)
    value = plan.at if column == "started_at" else f"s.{column}"
    number = "t.span" if plan.at == "t.started_at" else "s.id"
    if column != "started_at":
        plan.where.add(f"s.{column} IS NOT NULL")
    if place is not None:
        plan.where.add(f"({value}, {number}) {'<' if descending else '>'} (?, ?)", place.value, place.id)
    if by_hour:
        sql, parameters = _best_of_hours(which, plan, column, way, limit)
    else:
        sql = (
            f"SELECT {value} AS value, {number} AS id FROM {plan.source} WHERE {plan.where} "  # noqa: S608  # fragments of where.py
            f"ORDER BY {value} {way}, {number} {way} LIMIT ?"
        )
        parameters = plan.where.parameters
    if which.q:
        return await _search(reader, sql, parameters, which.q.casefold(), limit)
    return await reader.all(sql, [*parameters, limit]), None


def _best_of_hours(which: SpanFilter, plan: RowPlan, column: str, way: str, limit: int) -> tuple[str, list[Any]]:
    """The first of each hour, through the index by hour and figure; of these the first. Free text looks at more."""
    sql = f"""
SELECT o.{column} AS value, o.id AS id
FROM series e CROSS JOIN rollups_hourly r ON r.series = e.id AND r.start >= ? AND r.start < ?
CROSS JOIN spans o ON o.id IN (
    SELECT s.id FROM {plan.source} WHERE s.started_at / 3600000000 = r.start / 3600000000 AND {plan.where}
    ORDER BY s.{column} {way}, s.id {way} LIMIT ?)
WHERE e.scope = 'total' ORDER BY value {way}, o.id {way} LIMIT ?
"""  # noqa: S608  # fragments of where.py
    first = (which.from_us or 0) // HOUR * HOUR
    last = which.to_us if which.to_us is not None else FOREVER
    return sql, [first, last, *plan.where.parameters, SEARCHED if which.q else limit]


async def _search(
    reader: Reader, candidates: str, parameters: list[Any], needle: str, limit: int
) -> tuple[list[Key], Key | None]:
    """Of the first SEARCHED candidates those with the text. The inner limit keeps its order through the joins."""
    found: list[Key] = await reader.all(
        f"SELECT c.value, c.id FROM ({candidates}) c CROSS JOIN spans s ON s.id = c.id "  # noqa: S608  # as above
        f"CROSS JOIN span_details d ON d.span = c.id WHERE {TEXT} LIMIT ?",
        [*parameters, SEARCHED, needle, limit],
    )
    if len(found) == limit:
        return found, None
    return found, await reader.first(f"{candidates} OFFSET ?", [*parameters, 1, SEARCHED - 1])


async def _calls(reader: Reader, which: SpanFilter) -> int:
    """About how many calls the period has."""
    first = (which.from_us or 0) // DAY * DAY
    row = await reader.first(CALLS_BETWEEN, (first, which.to_us if which.to_us is not None else FOREVER))
    return int(row[0]) if row else 0


async def _read(reader: Reader, ids: list[int]) -> dict[int, Span]:
    rows = await reader.all(READ_SPANS, (msgspec.json.encode(ids).decode(),))
    return {row[-1]: span_of(row[:-1]) for row in rows}
