"""The write side of rollups: the dictionary of series, and adding cells to the hours and days."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import aiosqlite
import msgspec

from gateway.store.sqlite.series import (
    COUNTERS,
    CUBE,
    OPEN_ENDED_LIMIT,
    PLACED,
    SPREADS,
    SUMMED_AS_USER,
    UNCOUNTED,
    Cells,
    Series,
)

CACHED_SERIES = 100_000
SERIES_VERSION = "SELECT value FROM facts WHERE name = 'series_version'"
"""Grows when series are renamed or deleted: what was remembered of them does not hold."""

SERIES_IDS = "SELECT labels, id FROM series WHERE labels IN (SELECT value FROM json_each(?))"
LAST_SERIES = "SELECT coalesce(max(id), 0) FROM series"
ADD_SERIES = (
    f"INSERT INTO series (id, labels, scope, value, calls, {', '.join(CUBE)}) "  # noqa: S608  # our own names
    f"VALUES (?, ?, ?, ?, 0{', ?' * len(CUBE)})"
)
ADD_CALLS = "UPDATE series SET calls = calls + ? WHERE id = ?"
SCOPES = "SELECT scope FROM scopes WHERE NOT rolled_up"
ADD_ODD = "INSERT INTO facts (name, value) VALUES (?, 1) ON CONFLICT (name) DO NOTHING"
ODD = "odd_tag:"
"""Prefix of facts: a tag of TOLD that is not told by its column in every span."""
ADD_SCOPE = """
INSERT INTO scopes (scope, value_count, calls, rolled_up) VALUES (:scope, :values, :calls, :counted)
ON CONFLICT (scope) DO UPDATE SET value_count = value_count + :values, calls = calls + :calls,
    rolled_up = rolled_up AND value_count + :values <= :limit
"""


def _add_cell(table: str) -> str:
    columns = ["series", "start", *COUNTERS]
    updates = [f"{name} = {name} + excluded.{name}" for name in COUNTERS]
    for name in SPREADS:
        columns += (f"{name}_sum", f"{name}_min", f"{name}_max", f"{name}_histogram")
        updates += (
            f"{name}_sum = {name}_sum + excluded.{name}_sum",
            # SQLite's two-argument min and max are null if either is
            f"{name}_min = min(coalesce({name}_min, excluded.{name}_min), coalesce(excluded.{name}_min, {name}_min))",
            f"{name}_max = max(coalesce({name}_max, excluded.{name}_max), coalesce(excluded.{name}_max, {name}_max))",
            f"{name}_histogram = merge_histograms({name}_histogram, excluded.{name}_histogram)",
        )
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES (?{', ?' * (len(columns) - 1)}) "  # noqa: S608  # our own names
        f"ON CONFLICT (series, start) DO UPDATE SET {', '.join(updates)}"
    )


ADD_HOURLY = _add_cell("rollups_hourly")
ADD_DAILY = _add_cell("rollups_daily")


class SeriesBook:
    """The ids of series, remembered across batches, but only once they are committed."""

    def __init__(self) -> None:
        self._known: dict[Series, int] = {}
        self._entered: dict[Series, int] = {}
        self._made: set[Series] = set()
        self._not_rolled_up: set[str] = set()
        self._odd: set[str] = set()
        self._newly_odd: set[str] = set()
        self._generation = (-1, -1)

    def begin(self, generation: tuple[int, int]) -> None:
        """`generation` changes where what was remembered no longer holds."""
        if generation != self._generation or len(self._known) > CACHED_SERIES:
            self._known.clear()
            self._odd.clear()
            self._generation = generation
        self._entered = {}
        self._newly_odd = set()
        self._made = set()

    def commit(self) -> None:
        self._known.update(self._entered)
        self._odd |= self._newly_odd

    def id_of(self, series: Series) -> int:
        return self._known.get(series) or self._entered[series]

    def rolls_up(self, series: Series) -> bool:
        scope = series.scope.removeprefix(PLACED)
        return scope not in UNCOUNTED and scope != SUMMED_AS_USER and scope not in self._not_rolled_up

    async def enter(self, db: aiosqlite.Connection, wanted: Iterable[Series]) -> None:
        """Finds or makes the series."""
        missing = {
            series.labels: series for series in wanted if series not in self._known and series not in self._entered
        }
        if not missing:
            return
        labels = msgspec.json.encode(list(missing)).decode()
        for label, number in await db.execute_fetchall(SERIES_IDS, (labels,)):
            self._entered[missing.pop(label)] = number
        [(last,)] = await db.execute_fetchall(LAST_SERIES)
        new = list(enumerate(missing.values(), last + 1))
        self._entered.update((series, number) for number, series in new)
        self._made.update(series for _, series in new)
        await db.executemany(ADD_SERIES, [_series_row(number, series) for number, series in new])

    async def count(self, db: aiosqlite.Connection, calls: dict[Series, int]) -> None:
        """Adds the calls to their series, which were entered before, and to their scopes."""
        await db.executemany(ADD_CALLS, [(count, self.id_of(series)) for series, count in calls.items()])
        scopes: dict[str, dict[str, Any]] = {}
        for series, count in calls.items():
            if series.open_ended and series.value is not None:
                scope = scopes.setdefault(series.scope, _scope_row(series.scope))
                scope["calls"] += count
                scope["values"] += series in self._made
        await db.executemany(ADD_SCOPE, list(scopes.values()))
        self._not_rolled_up = {scope for (scope,) in await db.execute_fetchall(SCOPES)}

    async def note_odd(self, db: aiosqlite.Connection, tags: set[str]) -> None:
        self._newly_odd |= tags - self._odd
        await db.executemany(ADD_ODD, [(ODD + tag,) for tag in self._newly_odd])


def _series_row(number: int, series: Series) -> tuple[Any, ...]:
    return number, series.labels, series.scope, series.value, *series.columns


def _scope_row(scope: str) -> dict[str, Any]:
    counted = scope not in UNCOUNTED
    return {"scope": scope, "values": 0, "calls": 0, "counted": counted, "limit": OPEN_ENDED_LIMIT}


async def add_cells(db: aiosqlite.Connection, cells: Cells, book: SeriesBook) -> None:
    for statement, places in zip((ADD_HOURLY, ADD_DAILY), cells.folded(book.rolls_up), strict=True):
        rows = [(book.id_of(series), start, *cell) for series, start, cell in places]
        rows.sort(key=itemgetter(0, 1))  # in the order of the table, so that each page is touched once
        await db.executemany(statement, rows)
