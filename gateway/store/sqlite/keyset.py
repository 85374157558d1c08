"""The keys of a page of spans: which rows follow a place in an order, found without reading many others.

By time, rows come in windows that grow until a page is full. By a figure, the hours are asked for their best, with the
figure that is already in as the bound for the next. Either way a page does only so much work, and says how far it got.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from gateway.store.base import SpanFilter
from gateway.store.sqlite.connection import Reader, TooMuchError
from gateway.store.sqlite.series import DAY, HOUR
from gateway.store.sqlite.walk import Walk, selective, walk_day, walk_hour, walk_rows
from gateway.store.sqlite.where import TEXT, Matches, has_row_filters, match

SEARCHED = 20_000
"""Free text looks through this many spans a page; a page may then be short, and its cursor goes on from there."""
MOST_TICKS = 40
"""A page looks no further when it has taken so much work (`Reader.ticks`): some 100,000 rows, if each is looked up."""
MINUTE = 60_000_000
WIDER = 4
"""Each window of time is so many times the one before: a page needs few, and no window reads much more than it must."""

ORDERS = {
    "newest": ("started_at", True),
    "oldest": ("started_at", False),
    "slowest": ("latency_us", True),
    "costliest": ("cost_nanousd", True),
}
"""Order → column of `spans`, descending. Spans without the figure are not in `slowest` and `costliest`."""

BOUNDS = """
SELECT (SELECT min(started_at) FROM spans INDEXED BY ix_spans_started_at WHERE started_at >= 0),
       (SELECT max(started_at) FROM spans INDEXED BY ix_spans_started_at WHERE started_at >= 0)
"""
WITH_DETAILS = " CROSS JOIN span_details d ON d.span = s.id"

Key = tuple[int, int]
"""The value of the order's column, and the span's internal id."""


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


class Found(NamedTuple):
    """The next keys of an order. `onward` is where to go on if it stopped before there were enough, and `looked_to` the
    time up to which it has all that match."""

    keys: list[Key]
    onward: Key | None = None
    looked_to: int | None = None


async def keys_of(reader: Reader, which: SpanFilter, order: str, place: Cursor | None, limit: int) -> Found:
    """The keys that follow `place`, in the direction of reading."""
    column, descending = ORDERS[order]
    descending ^= place is not None and place.back
    matches = await match(reader, which)
    asking = _Asking(reader, which, matches, column, descending, place, limit)
    if column == "started_at":
        return await asking.by_time()
    return await asking.by_figure()


async def count_of(reader: Reader, which: SpanFilter, at_most: int) -> int:
    """How many rows match, up to `at_most`; free text up to what a page looks through."""
    walk = walk_rows(which, await match(reader, which))
    rows, details = f"SELECT {walk.number} AS id FROM {walk.source} WHERE {walk.where}", ""  # noqa: S608  # fragments of where.py
    parameters = [*walk.where.parameters, at_most]
    if which.q:
        order = f" ORDER BY {walk.at} DESC" if walk.in_order else ""
        rows, parameters = f"{rows}{order} LIMIT ?", [*walk.where.parameters, SEARCHED, which.q.casefold(), at_most]
        details = f" CROSS JOIN spans s ON s.id = c.id{WITH_DETAILS} WHERE {TEXT}"
    sql = f"SELECT count(*) FROM (SELECT 1 FROM ({rows}) c{details} LIMIT ?)"  # noqa: S608  # as above
    row = await reader.first(sql, parameters)
    return int(row[0]) if row else 0


class _Asking:
    """One page."""

    def __init__(
        self,
        reader: Reader,
        which: SpanFilter,
        matches: Matches,
        column: str,
        descending: bool,
        place: Cursor | None,
        limit: int,
    ) -> None:
        self.reader, self.which, self.matches, self.column = reader, which, matches, column
        self.descending, self.place, self.limit = descending, place, limit
        self.way = "DESC" if descending else "ASC"
        self.left = SEARCHED
        """How many spans free text may still look through."""

    async def by_time(self) -> Found:
        if selective(self.which, self.matches):
            keys, stopped = await self._sorted(walk_rows(self.which, self.matches), self.limit)
            return Found(keys, stopped, stopped and stopped[0])
        from_us, to_us = await self._period()
        found: list[Key] = []
        began, width = self.reader.ticks, HOUR
        while from_us < to_us:
            edge = max(from_us, to_us - width) if self.descending else min(to_us, from_us + width)
            part = (edge, to_us) if self.descending else (from_us, edge)
            from_us, to_us = (from_us, edge) if self.descending else (edge, to_us)
            before = self.reader.ticks
            window = msgspec.structs.replace(self.which, from_us=part[0], to_us=part[1])
            keys, stopped = await self._sorted(walk_rows(window, self.matches), self.limit - len(found))
            found += keys
            if len(found) >= self.limit or stopped:
                return Found(found, stopped, stopped and stopped[0])
            if self.reader.ticks - began > MOST_TICKS and from_us < to_us:
                return Found(found, (edge, -1), edge)
            width = _next_width(width, self.reader.ticks - before)
        return Found(found)

    async def _period(self) -> tuple[int, int]:
        """What lies before the place, of the time that has spans."""
        [(oldest, newest)] = await self.reader.all(BOUNDS)
        if oldest is None:
            return 0, 0
        from_us = oldest if self.which.from_us is None else max(self.which.from_us, oldest)
        to_us = newest + 1 if self.which.to_us is None else min(self.which.to_us, newest + 1)
        if self.place is not None and self.descending:
            to_us = min(to_us, self.place.value + 1)
        elif self.place is not None:
            from_us = max(from_us, self.place.value)
        return from_us, to_us

    async def _sorted(self, walk: Walk, limit: int) -> tuple[list[Key], Key | None]:
        value = walk.at if self.column == "started_at" else f"s.{self.column}"
        if self.column != "started_at":
            walk.where.add(f"s.{self.column} IS NOT NULL")
        if self.place is not None:
            after = "<" if self.descending else ">"
            walk.where.add(f"({value}, {walk.number}) {after} (?, ?)", self.place.value, self.place.id)
        sql = (
            f"SELECT {value} AS value, {walk.number} AS id FROM {walk.source} WHERE {walk.where} "  # noqa: S608  # fragments of where.py
            f"ORDER BY {value} {self.way}, {walk.number} {self.way} LIMIT ?"
        )
        if self.which.q:
            return await self._search(sql, walk.where.parameters, limit)
        return await self.reader.all(sql, [*walk.where.parameters, limit]), None

    async def by_figure(self) -> Found:
        if self.which.unpriced and self.column == "cost_nanousd":
            return Found([])
        if selective(self.which, self.matches):
            return Found(*await self._sorted(walk_rows(self.which, self.matches), self.limit))
        began = self.reader.ticks
        try:
            if has_row_filters(self.which) or self.matches.tags:
                # no index has their figures in order, but they may be few enough to be read and sorted
                self.reader.most_ticks = began + MOST_TICKS
                with suppress(TooMuchError):
                    return Found(*await self._sorted(walk_rows(self.which, self.matches), self.limit))
            self.reader.most_ticks = self.reader.ticks + MOST_TICKS // 2
            return await self._by_hours()
        finally:
            self.reader.most_ticks = None

    async def _by_hours(self) -> Found:
        found: list[Key] = []
        looked_to: int | None = None
        for from_us, to_us in await self._hours():
            try:
                best = await self._best_of(from_us, to_us, found[-1] if len(found) == self.limit else None)
            except TooMuchError:
                return Found(found, None, to_us if looked_to is None else looked_to)
            found = sorted(found + best, reverse=self.descending)[: self.limit]
            looked_to = from_us
        return Found(found)

    async def _hours(self) -> Iterator[tuple[int, int]]:
        [(oldest, newest)] = await self.reader.all(BOUNDS)
        if oldest is None:
            return iter(())
        from_us = oldest if self.which.from_us is None else max(self.which.from_us, oldest)
        to_us = newest + 1 if self.which.to_us is None else min(self.which.to_us, newest + 1)
        unit = HOUR if self.matches.cube is None else DAY
        return growing(from_us // unit * unit, -(-to_us // unit) * unit, unit)

    async def _best_of(self, from_us: int, to_us: int, bound: Key | None) -> list[Key]:
        """The first of each hour, or of each day of each series, through the index by figure; of these the first."""
        cube = self.matches.cube
        walk = (walk_hour if cube is None else walk_day)(self.which, self.matches, self.column)
        walk.where.add(f"s.{self.column} IS NOT NULL")
        after = "<" if self.descending else ">"
        if self.place is not None:
            walk.where.add(f"s.{self.column} {after}= ?", self.place.value)
            walk.where.add(f"(s.{self.column}, s.id) {after} (?, ?)", self.place.value, self.place.id)
        if bound is not None:
            walk.where.add(f"s.{self.column} {'>' if self.descending else '<'}= ?", bound[0])
        details = ""
        if self.which.q:
            details = WITH_DETAILS
            walk.where.add(TEXT, self.which.q.casefold())
        level, which = (
            ("hourly", "e.scope = 'total'") if cube is None else ("daily", "e.id IN (SELECT value FROM json_each(?))")
        )
        sql = f"""
SELECT o.{self.column} AS value, o.id AS id
FROM series e CROSS JOIN rollups_{level} r ON r.series = e.id AND r.start >= ? AND r.start < ?
CROSS JOIN spans o ON o.id IN (
    SELECT s.id FROM {walk.source}{details} WHERE {walk.where}
    ORDER BY s.{self.column} {self.way}, s.id {self.way} LIMIT ?)
WHERE {which} ORDER BY value {self.way}, o.id {self.way} LIMIT ?
"""  # noqa: S608  # fragments of where.py
        series = [] if cube is None else [cube.as_json]
        return await self.reader.all(sql, [from_us, to_us, *walk.where.parameters, self.limit, *series, self.limit])

    async def _search(self, candidates: str, parameters: list[Any], limit: int) -> tuple[list[Key], Key | None]:
        """Of the next candidates those with the text. The inner limit keeps its order through the joins."""
        needle = (self.which.q or "").casefold()
        found: list[Key] = await self.reader.all(
            f"SELECT c.value, c.id FROM ({candidates}) c CROSS JOIN spans s ON s.id = c.id{WITH_DETAILS} "  # noqa: S608  # as above
            f"WHERE {TEXT} LIMIT ?",
            [*parameters, self.left, needle, limit],
        )
        if len(found) >= limit:
            return found, None
        last = await self.reader.first(f"{candidates} OFFSET ?", [*parameters, 1, self.left - 1])
        if last is None:
            looked_at = await self.reader.first(
                f"SELECT count(*) FROM ({candidates})",  # noqa: S608  # as above
                [*parameters, self.left],
            )
            self.left -= int(looked_at[0]) if looked_at else 0
        return found, last


def growing(from_us: int, to_us: int, first: int) -> Iterator[tuple[int, int]]:
    """`[from_us, to_us)` cut into windows from its end, each WIDER than the one before."""
    width = first
    while from_us < to_us:
        begin = max(from_us, to_us - width)
        yield begin, to_us
        to_us = begin
        width *= WIDER


def _next_width(width: int, ticks: int) -> int:
    """Of a window of time, after one that took so long."""
    if ticks < MOST_TICKS // 16:
        return width * WIDER
    return width if ticks < MOST_TICKS // 4 else max(MINUTE, width // 2)
