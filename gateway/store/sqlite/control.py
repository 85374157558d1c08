"""Keys, journal state and the store's own health."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from gateway.core.key import Key
from gateway.errors import StoreError
from gateway.store.base import CarriedOpen, JournalPosition, StoreHealth
from gateway.store.documents import AuditEntry
from gateway.store.sqlite.connection import Database
from gateway.store.sqlite.documents import write_audit

KEYS = "SELECT key_hash, key FROM keys"
PUT_KEY = """
INSERT INTO keys (key_hash, key_id, key) VALUES (?, ?, ?)
ON CONFLICT (key_hash) DO UPDATE SET key_id = excluded.key_id, key = excluded.key
"""
BUMP = """
INSERT INTO facts (name, value) VALUES ('keys_version', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1
"""
KEYS_VERSION = "SELECT value FROM facts WHERE name = 'keys_version'"
POSITIONS = "SELECT journal, segment, byte_offset FROM journal_positions"
CARRIED = "SELECT journal, request_id, frame FROM carried_opens WHERE journal = ? ORDER BY request_id"
SPANS = "SELECT (SELECT max(id) FROM spans) - (SELECT min(id) FROM spans) + 1"  # together they would scan
SIZE = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
VERSION = "SELECT sqlite_version(), version_num FROM alembic_version"

_key = msgspec.json.Decoder(Key)


class Control:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keys(self) -> Mapping[str, Key]:
        async with self._database.reading() as reader:
            return {key_hash: _key.decode(key) for key_hash, key in await reader.all(KEYS)}

    async def put_key(self, key_hash: str, key: Key, *, audit: AuditEntry | None = None) -> None:
        async with self._database.writing() as db:
            await db.execute(PUT_KEY, (key_hash, key.key_id, msgspec.json.encode(key).decode()))
            await db.execute(BUMP)
            if audit is not None:
                await write_audit(db, audit)

    async def keys_version(self) -> int:
        async with self._database.reading() as reader:
            row = await reader.first(KEYS_VERSION)
        return int(row[0]) if row else 0

    async def positions(self) -> dict[str, JournalPosition]:
        async with self._database.reading() as reader:
            return {row[0]: JournalPosition(*row) for row in await reader.all(POSITIONS)}

    async def carried(self, journal: str) -> list[CarriedOpen]:
        async with self._database.reading() as reader:
            return [CarriedOpen(*row) for row in await reader.all(CARRIED, (journal,))]

    async def health(self) -> StoreHealth:
        """`spans` is by internal ids, which are consecutive but for the gaps of deletions: counting would scan."""
        began = time.perf_counter_ns()
        try:
            async with self._database.reading() as reader:
                [(version, revision)] = await reader.all(VERSION)
                [(size,)] = await reader.all(SIZE)
                [(spans,)] = await reader.all(SPANS)
        except StoreError as exc:
            return StoreHealth(False, (time.perf_counter_ns() - began) // 1000, str(exc))
        latency_us = (time.perf_counter_ns() - began) // 1000
        return StoreHealth(True, latency_us, f"SQLite {version}, schema {revision}", size, spans or 0)
