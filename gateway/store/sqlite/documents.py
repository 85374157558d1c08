"""Documents and the audit log. One counter gives every change of any document its version, so none comes twice."""

from __future__ import annotations

import time

import aiosqlite

from gateway.errors import Conflict
from gateway.store.documents import AuditEntry, Document
from gateway.store.sqlite.connection import Database

COLUMNS = "kind, id, body, version, created_at, updated_at"
ONE = f"SELECT {COLUMNS} FROM documents WHERE kind = ? AND id = ?"  # noqa: S608  # our own columns
FORWARD = f"""
SELECT {COLUMNS} FROM documents
WHERE kind = ? AND id >= ? AND id < ? AND id > ? ORDER BY id LIMIT ?
"""  # noqa: S608  # our own columns
BACKWARD = f"""
SELECT {COLUMNS} FROM documents
WHERE kind = ? AND id >= ? AND id < ? AND id < ? ORDER BY id DESC LIMIT ?
"""  # noqa: S608  # our own columns
STATE = "SELECT version, created_at FROM documents WHERE kind = ? AND id = ?"
PUT = """
INSERT INTO documents (kind, id, body, version, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, id) DO UPDATE
SET body = excluded.body, version = excluded.version, updated_at = excluded.updated_at
"""
DELETE = "DELETE FROM documents WHERE kind = ? AND id = ?"
BUMP = """
INSERT INTO facts (name, value) VALUES ('documents_version', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1
RETURNING value
"""
VERSION = "SELECT value FROM facts WHERE name = 'documents_version'"
RECORD = """
INSERT INTO audit (at, actor, action, kind, id, body_before, body_after) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
AUDIT = """
SELECT at, actor, action, kind, id, body_before, body_after, number FROM audit
WHERE number < ? AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR id = ?3) AND (?4 IS NULL OR actor = ?4)
ORDER BY number DESC LIMIT ?5
"""
LAST = "\U0010ffff"
"""Above everything an id holds: the end of a prefix's range."""
NEWEST = (1 << 63) - 1


class DocumentTables:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def documents(
        self, kind: str, *, prefix: str = "", after: str | None = None, limit: int = 1000, newest: bool = False
    ) -> list[Document]:
        sql, start = (BACKWARD, after or LAST) if newest else (FORWARD, after or "")
        async with self._database.reading() as reader:
            rows = await reader.all(sql, (kind, prefix, prefix + LAST, start, limit))
        return [Document(*row) for row in rows]

    async def document(self, kind: str, doc_id: str) -> Document | None:
        async with self._database.reading() as reader:
            row = await reader.first(ONE, (kind, doc_id))
        return None if row is None else Document(*row)

    async def put_document(
        self, kind: str, doc_id: str, body: bytes, *, expected: int | None = None, audit: AuditEntry | None = None
    ) -> Document:
        at = time.time_ns() // 1000
        async with self._database.writing() as db:
            rows = list(await db.execute_fetchall(STATE, (kind, doc_id)))
            version, created_at = rows[0] if rows else (0, at)
            if expected not in (None, version):
                was = f"version {expected}" if expected else "not there"
                now = f"version {version}" if version else "not there"
                raise Conflict(
                    f"Somebody else changed the {kind} {doc_id!r}: it was {was} and is {now} now. "
                    "Look at it again and repeat the change."
                )
            document = Document(kind, doc_id, body, await self._changed(db, audit), created_at, at)
            await db.execute(PUT, (kind, doc_id, body, document.version, created_at, at))
        return document

    async def delete_document(self, kind: str, doc_id: str, *, audit: AuditEntry | None = None) -> bool:
        async with self._database.writing() as db:
            deleted = (await db.execute(DELETE, (kind, doc_id))).rowcount > 0
            if deleted:
                await self._changed(db, audit)
        return deleted

    async def documents_version(self) -> int:
        async with self._database.reading() as reader:
            row = await reader.first(VERSION)
        return int(row[0]) if row else 0

    async def record(self, entry: AuditEntry) -> None:
        async with self._database.writing() as db:
            await write_audit(db, entry)

    async def audit(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        kind: str | None = None,
        doc_id: str | None = None,
        actor: str | None = None,
    ) -> list[AuditEntry]:
        start = NEWEST if before is None else before
        async with self._database.reading() as reader:
            return [AuditEntry(*row) for row in await reader.all(AUDIT, (start, kind, doc_id, actor, limit))]

    async def _changed(self, db: aiosqlite.Connection, audit: AuditEntry | None) -> int:
        """The version that this change makes."""
        [(version,)] = await db.execute_fetchall(BUMP)
        if audit is not None:
            await write_audit(db, audit)
        return int(version)


async def write_audit(db: aiosqlite.Connection, entry: AuditEntry) -> None:
    """Within the transaction of the change it is about."""
    values = (entry.at, entry.actor, entry.action, entry.kind, entry.id, entry.before, entry.after)
    await db.execute(RECORD, values)
