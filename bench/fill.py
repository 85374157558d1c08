"""`python -m bench.fill FILE`: a store of ten million believable calls over thirty days, as a recorder would leave it.

The made-up month is written through the store itself, a part of it; then every call is copied some times within its
hour, in SQL: with an id, a time, a trace and a session of its own and one of a few variants of its user. So rollups
are multiples of those that the store made, and rows and rollups stay one truth (tests/store/test_bench_fill.py).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from bench.lab import WORK
from gateway.control.catalog import load_catalog
from gateway.core import histogram
from gateway.core.span import Attempt, Payload, Span
from gateway.demo.month import HOUR, Month, month
from gateway.settings import Settings
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite
from gateway.store.sqlite import schema
from gateway.store.sqlite.series import COUNTERS, SPREADS

CALLS = 10_000_000
DEFAULT = WORK / "pages" / "data" / "callgate.db"
COPIES = 20
USER_VARIANTS = 4
"""Copies of a call share its user with every fourth other."""
WITH_BODIES = 5
"""Every fifth of the calls that are not copies keeps its bodies: one in a hundred of all."""
BATCH = 1000
CACHE_KB = 1_500_000

VERSIONS = {"chat": "assistant", "summary": "summary", "support-triage": "triage", "extract": "extract"}
"""Features whose calls are made with a config and a prompt → their name."""

PRAGMAS = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -{CACHE_KB};
"""
SPAN_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'spans' AND sql IS NOT NULL"

# Series whose values are different for each variant of a user (by 'user') or for each copy (by 'copy').
VARIED = """
CREATE TEMP TABLE varied AS SELECT id, CASE scope WHEN 'tag:sessionId' THEN 'copy' ELSE 'user' END AS by
FROM base.series WHERE scope IN ('user', 'placed:user', 'tag:userId', 'tag:sessionId') AND value IS NOT NULL;
CREATE UNIQUE INDEX temp.ix_varied ON varied (id);
CREATE TEMP TABLE copies AS
WITH RECURSIVE n (c) AS (SELECT 0 UNION ALL SELECT c + 1 FROM n WHERE c + 1 < :copies)
SELECT c, c % :variants AS w FROM n;
"""
SHARED_SERIES = """
INSERT INTO series ({columns}) SELECT {values} FROM base.series e WHERE e.id NOT IN (SELECT id FROM varied)
"""
OWN_SERIES = """
INSERT INTO series (id, labels, scope, value, tenant, environment, calls)
SELECT e.id + n.k * :stride, json_array(e.scope, named(e.value, n.k), CASE WHEN e.scope GLOB 'placed:*'
       THEN json_array(e.tenant, e.environment) ELSE json('[]') END),
       e.scope, named(e.value, n.k), e.tenant, e.environment, e.calls * :copies / n.among
FROM varied v CROSS JOIN base.series e ON e.id = v.id
CROSS JOIN (SELECT 'copy' AS by, c AS k, :copies AS among FROM copies
            UNION ALL SELECT 'user', c, :variants FROM copies WHERE c < :variants) n ON n.by = v.by
"""
SCOPES = """
INSERT INTO scopes SELECT scope, value_count * CASE scope WHEN 'tag:sessionId' THEN :copies
    WHEN 'tag:userId' THEN :variants WHEN 'user' THEN :variants ELSE 1 END, calls * :copies, rolled_up FROM base.scopes
"""
ODD_TAGS = "INSERT INTO facts SELECT * FROM base.facts WHERE name GLOB 'odd_tag:*'"
CELL_COLUMNS = ", ".join(
    ["series", "start", *COUNTERS]
    + [f"{name}_{part}" for name in SPREADS for part in ("sum", "min", "max", "histogram")]
)
SHARED_CELLS = """
INSERT INTO {table} ({columns}) SELECT {cells} FROM base.{table} r WHERE r.series NOT IN (SELECT id FROM varied)
"""
OWN_CELLS = """
INSERT INTO {table} ({columns}) SELECT {cells} FROM base.{table} r CROSS JOIN copies n ON n.c < :variants
WHERE r.series IN (SELECT id FROM varied WHERE by = 'user')
"""
PLACE = """
INSERT INTO temp.placed
SELECT :last + row_number() OVER (ORDER BY at, id), id, c, w, at FROM (
    SELECT s.id, n.c, n.w, :hour + (s.started_at - :hour + n.c * (3600000000 / :copies)) % 3600000000 AS at
    FROM base.spans s INDEXED BY ix_spans_started_at CROSS JOIN copies n
    WHERE s.started_at >= :hour AND s.started_at < :hour + 3600000000)
"""
SPANS = "INSERT INTO spans ({columns}) SELECT {values} FROM temp.placed p CROSS JOIN base.spans s ON s.id = p.base"
DETAILS = """
INSERT INTO span_details ({columns}) SELECT {values}
FROM temp.placed p CROSS JOIN base.span_details d ON d.span = p.base CROSS JOIN base.spans s ON s.id = p.base
"""
TAGS = """
INSERT INTO span_tags SELECT t.series + CASE v.by WHEN 'copy' THEN p.c WHEN 'user' THEN p.w ELSE 0 END * :stride AS own,
    p.at, p.number
FROM temp.placed p CROSS JOIN temp.tags t ON t.span = p.base LEFT JOIN varied v ON v.id = t.series ORDER BY 1, 2, 3
"""
PAYLOADS = """
INSERT INTO payloads SELECT p.number, p.at, b.body
FROM temp.placed p CROSS JOIN base.payloads b ON b.span = p.base WHERE p.c = 0
"""

OWN_SPAN = {
    "id": "p.number",
    "started_at": "p.at",
    "ended_at": "p.at + s.ended_at - s.started_at",
    "request_id": "request_id_at(s.request_id, p.at)",
    "trace_id": "printf('%04x', p.c) || substr(s.trace_id, 5)",
    "user": "named(s.user, p.w)",
    "session": "named(s.session, p.c)",
}
OWN_DETAILS = {
    "span": "p.number",
    "tags": """json_set(d.tags, '$.userId', named(s.user, p.w),
        CASE WHEN s.session IS NULL THEN '$.userId' ELSE '$.sessionId' END,
        CASE WHEN s.session IS NULL THEN named(s.user, p.w) ELSE named(s.session, p.c) END)""",
    "attempts": "shifted(d.attempts, p.at - s.started_at)",
}
"""Columns of a copy that are not those of the call it is a copy of."""


def named(value: str | None, number: int) -> str | None:
    """The value of a copy; the first is what it was."""
    return f"{value}-{number}" if value is not None and number else value


def request_id_at(request_id: str, at_us: int) -> str:
    digits = f"{at_us // 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}{request_id[13:]}"


_attempts = msgspec.json.Decoder(list[Attempt])
_encode = msgspec.json.Encoder().encode


def shifted(attempts: str | None, by_us: int) -> str | None:
    if attempts is None or not by_us:
        return attempts
    decoded = _attempts.decode(attempts)
    return _encode([msgspec.structs.replace(each, started_at=each.started_at + by_us) for each in decoded]).decode()


def scaled(blob: bytes | None, factor: int) -> bytes | None:
    return histogram.encode(histogram.decode(blob) * factor)


def calls_of(plan: Month) -> Iterator[tuple[Span, Payload | None]]:
    """The made-up month, with configs and versions of prompts."""
    for number, (span, payload) in enumerate(month(plan, load_catalog(Settings(), Path("nowhere")))):
        name = VERSIONS.get(span.feature or "")
        if name:
            passed = (span.started_at - plan.from_us) / (plan.until_us - plan.from_us)
            span.config, span.config_version = name, 1 + int(passed * 2)
            span.variant = "b" if number % 10 == 0 else "a"
            span.prompt, span.prompt_version = name, 1 + int(passed * 3)
        yield span, payload if number % WITH_BODIES == 0 else None


async def write_base(path: Path, plan: Month) -> None:
    store = open_store(f"sqlite:///{path.name}", path.parent)
    await store.connect()
    try:
        calls = calls_of(plan)
        while batch := [SpanWrite(span, payload) for span, payload in islice(calls, BATCH)]:
            await store.write(Batch(spans=batch))
    finally:
        await store.close()


class Copier:
    def __init__(self, path: Path, base: Path, copies: int) -> None:
        schema.prepare(path)
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(PRAGMAS)
        self.db.execute("ATTACH ? AS base", (str(base),))
        for name, function in (
            ("named", named),
            ("request_id_at", request_id_at),
            ("shifted", shifted),
            ("scaled", scaled),
        ):
            self.db.create_function(name, 2, function, deterministic=True)
        [(last,)] = self.db.execute("SELECT max(id) FROM base.series")
        variants = min(USER_VARIANTS, copies)
        self.numbers = {"copies": copies, "variants": variants, "stride": last + 1}

    def run(self, hours: range) -> None:
        indexes = self.db.execute(SPAN_INDEXES).fetchall()
        self.db.execute("BEGIN")
        for name, _ in indexes:
            self.db.execute(f"DROP INDEX {name}")
        self._dictionaries()
        self._rollups()
        self._rows(hours)
        for _, sql in indexes:
            self.db.execute(sql)
        self.db.execute("COMMIT")
        self.db.execute("DETACH base")
        self.db.execute("PRAGMA locking_mode = NORMAL")
        self.db.execute("PRAGMA journal_mode = WAL")

    def _do(self, sql: str, **numbers: int) -> None:
        given: dict[str, Any] = {**self.numbers, **numbers}
        self.db.execute(sql, {name: value for name, value in given.items() if f":{name}" in sql})

    def _columns(self, table: str, own: dict[str, str], alias: str) -> dict[str, str]:
        names = [row[1] for row in self.db.execute(f"PRAGMA table_info({table})")]
        return {
            "columns": ", ".join(f'"{name}"' for name in names),
            "values": ", ".join(own.get(name, f'{alias}."{name}"') for name in names),
        }

    def _dictionaries(self) -> None:
        for statement in VARIED.strip().split(";\n"):
            self._do(statement)
        self._do(SHARED_SERIES.format(**self._columns("series", {"calls": "e.calls * :copies"}, "e")))
        self._do(OWN_SERIES)
        self._do(SCOPES)
        self._do(ODD_TAGS)

    def _rollups(self) -> None:
        for table in ("rollups_hourly", "rollups_daily"):
            shared, own = (
                self._cells(series, factor)
                for series, factor in (("r.series", ":copies"), ("r.series + n.c * :stride", "(:copies / :variants)"))
            )
            self._do(SHARED_CELLS.format(table=table, columns=CELL_COLUMNS, cells=shared))
            self._do(OWN_CELLS.format(table=table, columns=CELL_COLUMNS, cells=own))

    def _cells(self, series: str, factor: str) -> str:
        columns = [series, "r.start", *(f"r.{name} * {factor}" for name in COUNTERS)]
        for name in SPREADS:
            columns += [f"r.{name}_sum * {factor}", f"r.{name}_min", f"r.{name}_max"]
            columns += [f"scaled(r.{name}_histogram, {factor})"]
        return ", ".join(columns)

    def _rows(self, hours: range) -> None:
        """Hour by hour, so that internal ids follow the order of time as they do where calls are recorded."""
        spans = SPANS.format(**self._columns("spans", OWN_SPAN, "s"))
        details = DETAILS.format(**self._columns("span_details", OWN_DETAILS, "d"))
        self.db.execute(
            "CREATE TEMP TABLE placed (number INTEGER PRIMARY KEY, base INTEGER, c INTEGER, w INTEGER, at INTEGER)"
        )
        self.db.execute("CREATE TEMP TABLE tags AS SELECT span, series FROM base.span_tags ORDER BY span")
        self.db.execute("CREATE INDEX temp.ix_tags ON tags (span)")
        last = 0
        for hour in hours:
            self.db.execute("DELETE FROM temp.placed")
            self._do(PLACE, hour=hour, last=last)
            for statement in (spans, details, TAGS, PAYLOADS):
                self._do(statement)
            [(last,)] = self.db.execute("SELECT coalesce(max(number), ?) FROM temp.placed", (last,))


def fill(path: Path, calls: int, copies: int, until_us: int, days: int = 30) -> None:
    """Makes the file; an older one goes. `until_us` is cut to a full hour, so that copies stay within theirs."""
    until_us = until_us // HOUR * HOUR
    plan = Month(calls // copies, until_us, days)
    base = path.with_name(f"{path.name}.base")
    for stale in (path, base):
        for end in ("", "-wal", "-shm", ".lock"):
            stale.with_name(stale.name + end).unlink(missing_ok=True)
    asyncio.run(write_base(base, plan))
    copier = Copier(path, base, copies)
    with closing(copier.db):
        copier.run(range(plan.from_us, until_us, HOUR))
    for end in ("", "-wal", "-shm", ".lock"):
        base.with_name(base.name + end).unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fill", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--copies", type=int, default=COPIES, help="how often each made-up call is copied")
    args = parser.parse_args()
    os.nice(19)
    args.file.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    fill(args.file, args.calls, args.copies, time.time_ns() // 1000)
    took = time.monotonic() - began
    size_gb = args.file.stat().st_size / 1e9
    print(f"{args.calls:,} calls, {size_gb:.1f} GB, {took:.0f} s ({args.calls / took:,.0f} rows/s): {args.file}")


if __name__ == "__main__":
    main()
