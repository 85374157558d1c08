"""Everything of a tenant or a user goes, in small steps. What is deleted is overwritten in the file as well.

Totals are kept or deleted with their series; a series that is kept loses the name and gets `erased-…` in its place,
which says nothing and is never given twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import aiosqlite
import msgspec

from gateway.core.span import RESERVED_TAGS
from gateway.store.erasing import Erased, Subject
from gateway.store.sqlite.answers import DELETE_ANSWERS
from gateway.store.sqlite.connection import Database
from gateway.store.sqlite.expire import DELETE_DETAILS, DELETE_PAYLOAD, DELETE_SPAN, DELETE_TAG, FREE_PAGES
from gateway.store.sqlite.rows import tags_of
from gateway.store.sqlite.series import CALL, CUBE, PLACE, PLACED, TAG, USER, Series

SPANS_OF_USER = """
SELECT s.id, s.started_at, s.request_id, s.user, d.tags FROM spans s JOIN span_details d ON d.span = s.id
WHERE s.user = ? LIMIT ?
"""
SPANS_OF_TENANT = """
SELECT s.id, s.started_at, s.request_id, s.user, d.tags FROM spans s JOIN span_details d ON d.span = s.id
WHERE s.series IN (SELECT id FROM series WHERE scope = 'call' AND tenant = ?) LIMIT ?
"""
DELETE_BILLS = "DELETE FROM billed WHERE request_id IN (SELECT value FROM json_each(?))"
IS_TAG_USED = """
SELECT 1 FROM span_tags WHERE series = (SELECT id FROM series WHERE labels = ?) LIMIT 1
"""
IS_USER_USED = "SELECT 1 FROM spans WHERE user = ? LIMIT 1"
SERIES_OF_NAME = """
SELECT id, scope, tenant, environment FROM series WHERE scope IN (?, ?) AND value = ?
"""
SERIES_OF_USER = """
SELECT id, scope, tenant, environment FROM series
WHERE value = ? AND (scope IN ('user', 'placed:user') OR scope LIKE 'tag:%' OR scope LIKE 'placed:tag:%')
"""
SERIES_OF_TENANT = """
SELECT id, scope, tenant, environment FROM series WHERE value = ? AND scope IN ('tenant', 'tag:tenantSlug')
"""
CUBES_OF_TENANT = f"""
SELECT id, scope, value, {", ".join(CUBE)} FROM series WHERE (scope = 'call' OR scope LIKE 'placed:%') AND tenant = ?
"""  # noqa: S608  # our own names
RENAME = "UPDATE series SET value = ?, labels = ? WHERE id = ?"
RENAME_CUBE = "UPDATE series SET tenant = ?, labels = ? WHERE id = ?"
DELETE_SERIES = "DELETE FROM series WHERE id = ?"
DELETE_HOURS = "DELETE FROM rollups_hourly WHERE series = ?"
DELETE_DAYS = "DELETE FROM rollups_daily WHERE series = ?"
KEYS_OF_TENANT = "DELETE FROM keys WHERE json_extract(key, '$.tenant') = ?"
KEYS_OF_OWNERS = "DELETE FROM keys WHERE json_extract(key, '$.owner') IN (SELECT value FROM json_each(?))"
BUMP = """
INSERT INTO facts (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1
"""
REBUILD = "REINDEX series"
"""When SQLite moves what is left of an index from page to page, bytes of what was deleted can stay in the gaps,
`secure_delete` or not. Names are what people are known by, so their index is made anew."""


class Eraser:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase_spans(self, subject: Subject, *, totals: bool, limit: int) -> Erased:
        sql = SPANS_OF_USER if subject.kind == "user" else SPANS_OF_TENANT
        async with self._database.writing() as db:
            rows = list(await db.execute_fetchall(sql, (subject.value, limit)))
            erased = await _delete(db, rows)
            if rows:
                names = {Series(TAG + key, value) for *_, column in rows for key, value in tags_of(column).items()}
                names |= {Series(USER, user) for *_, user, _ in rows if user is not None}
                others = {series for series in names if series.value != subject.value}  # its own: see `forget`
                erased.add(await _forget_unused(db, others, totals=totals))
                await db.execute_fetchall(FREE_PAGES)
        return erased

    async def forget(self, subject: Subject, *, totals: bool, owners: Sequence[str] = ()) -> Erased:
        erased = Erased()
        async with self._database.writing() as db:
            await db.execute(DELETE_ANSWERS)  # nobody knows whose they are
            sql = SERIES_OF_USER if subject.kind == "user" else SERIES_OF_TENANT
            name = _pseudonym()
            erased.add(await _forget_named(db, sql, (subject.value,), name, totals=totals))
            if subject.kind == "tenant":
                erased.rollups += await _forget_cubes(db, subject.value, name, totals=totals)
                erased.keys += (await db.execute(KEYS_OF_TENANT, (subject.value,))).rowcount
            tokens = (msgspec.json.encode(owners).decode(),)
            erased.keys += (await db.execute(KEYS_OF_OWNERS, tokens)).rowcount
            await db.execute(BUMP, ("keys_version",))
            await db.execute(BUMP, ("series_version",))
            await db.execute(REBUILD)
            await db.execute_fetchall(FREE_PAGES)
        await self._database.checkpoint()
        return erased


async def _delete(db: aiosqlite.Connection, rows: list[Any]) -> Erased:
    tags = [
        (Series(TAG + key, value).labels, started_at, number)
        for number, started_at, _, _, column in rows
        for key, value in tags_of(column).items()
    ]
    await db.executemany(DELETE_TAG, tags)
    numbers = [(row[0],) for row in rows]
    before = db.total_changes
    await db.executemany(DELETE_PAYLOAD, numbers)
    bodies = db.total_changes - before
    await db.executemany(DELETE_DETAILS, numbers)
    await db.executemany(DELETE_SPAN, numbers)
    ids = msgspec.json.encode([row[2] for row in rows]).decode()
    bills = (await db.execute(DELETE_BILLS, (ids,))).rowcount
    return Erased(spans=len(rows), bodies=bodies, tags=len(tags), bills=bills)


async def _forget_unused(db: aiosqlite.Connection, names: set[Series], *, totals: bool) -> Erased:
    """Names that no span has any more, of the spans that just went. Reserved tags but those of the user and the
    session name no person."""
    reserved = {TAG + key for key in RESERVED_TAGS} - {f"{TAG}userId", f"{TAG}sessionId"}
    forgotten = Erased()
    for series in names:
        used, key = (IS_USER_USED, series.value) if series.scope == USER else (IS_TAG_USED, series.labels)
        if series.scope in reserved or await db.execute_fetchall(used, (key,)):
            continue
        scopes = (series.scope, PLACED + series.scope, series.value)
        forgotten.add(await _forget_named(db, SERIES_OF_NAME, scopes, _pseudonym(), totals=totals))
    if forgotten.values:
        await db.execute(BUMP, ("series_version",))
    return forgotten


async def _forget_named(
    db: aiosqlite.Connection, sql: str, parameters: tuple[Any, ...], name: str, *, totals: bool
) -> Erased:
    """The series that `sql` finds, by place and not."""
    found = [
        (number, Series(scope, name, tuple(place) if scope.startswith(PLACED) else ()))
        for number, scope, *place in await db.execute_fetchall(sql, parameters)
    ]
    forgotten = Erased(values=sum(not series.cube for _, series in found))
    if totals:
        forgotten.rollups += await _delete_series(db, [number for number, _ in found])
    else:
        await db.executemany(RENAME, [(name, series.labels, number) for number, series in found])
    return forgotten


async def _forget_cubes(db: aiosqlite.Connection, tenant: str, name: str, *, totals: bool) -> int:
    """How many rollups went."""
    cubes = list(await db.execute_fetchall(CUBES_OF_TENANT, (tenant,)))
    if totals:
        return await _delete_series(db, [row[0] for row in cubes])
    place = CUBE.index("tenant")
    renamed = []
    for number, scope, value, *cube in cubes:
        cube[place] = name
        known = cube if scope == CALL else cube[: len(PLACE)]
        renamed.append((name, Series(scope, value, tuple(known)).labels, number))
    await db.executemany(RENAME_CUBE, renamed)
    return 0


async def _delete_series(db: aiosqlite.Connection, numbers: Iterable[int]) -> int:
    """How many hours and days went with them."""
    keys = [(number,) for number in numbers]
    before = db.total_changes
    await db.executemany(DELETE_HOURS, keys)
    await db.executemany(DELETE_DAYS, keys)
    gone = db.total_changes - before
    await db.executemany(DELETE_SERIES, keys)
    return gone


def _pseudonym() -> str:
    return f"erased-{secrets.token_hex(6)}"
