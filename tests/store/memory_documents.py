"""Documents and the audit log in memory, for the fakes of other tests; held by the contract like every store."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from gateway.core.key import Key
from gateway.errors import Conflict
from gateway.store.documents import AuditEntry, Document


class MemoryDocuments:
    def __init__(self) -> None:
        self.documents_by_id: dict[tuple[str, str], Document] = {}
        self.changes = 0
        self.entries: list[AuditEntry] = []

    async def documents(
        self, kind: str, *, prefix: str = "", after: str | None = None, limit: int = 1000, newest: bool = False
    ) -> list[Document]:
        found = sorted(
            (each for each in self.documents_by_id.values() if each.kind == kind and each.id.startswith(prefix)),
            key=lambda each: each.id,
            reverse=newest,
        )
        rest = [each for each in found if after is None or (each.id < after if newest else each.id > after)]
        return rest[:limit]

    async def document(self, kind: str, doc_id: str) -> Document | None:
        return self.documents_by_id.get((kind, doc_id))

    async def put_document(
        self, kind: str, doc_id: str, body: bytes, *, expected: int | None = None, audit: AuditEntry | None = None
    ) -> Document:
        old = self.documents_by_id.get((kind, doc_id))
        version = old.version if old else 0
        if expected not in (None, version):
            raise Conflict(f"{kind} {doc_id}: version {expected} expected, found {version}")
        at = time.time_ns() // 1000
        self._changed(audit)
        document = Document(kind, doc_id, body, self.changes, old.created_at if old else at, at)
        self.documents_by_id[kind, doc_id] = document
        return document

    async def delete_document(self, kind: str, doc_id: str, *, audit: AuditEntry | None = None) -> bool:
        if self.documents_by_id.pop((kind, doc_id), None) is None:
            return False
        self._changed(audit)
        return True

    async def documents_version(self) -> int:
        return self.changes

    async def record(self, entry: AuditEntry) -> None:
        self.entries.append(msgspec.structs.replace(entry, number=len(self.entries) + 1))

    async def audit(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        kind: str | None = None,
        doc_id: str | None = None,
        actor: str | None = None,
    ) -> list[AuditEntry]:
        wanted = {"kind": kind, "id": doc_id, "actor": actor}
        found = [
            entry
            for entry in reversed(self.entries)
            if (before is None or (entry.number or 0) < before)
            and all(value is None or getattr(entry, name) == value for name, value in wanted.items())
        ]
        return found[:limit]

    def _changed(self, audit: AuditEntry | None) -> None:
        self.changes += 1
        if audit is not None:
            self.entries.append(msgspec.structs.replace(audit, number=len(self.entries) + 1))


class MemoryControl(MemoryDocuments):
    """With keys: all that `gateway.control` asks of a store."""

    def __init__(self) -> None:
        super().__init__()
        self.stored_keys: dict[str, Key] = {}
        self.version = 0

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def keys(self) -> Mapping[str, Key]:
        return dict(self.stored_keys)

    async def put_key(self, key_hash: str, key: Key, *, audit: AuditEntry | None = None) -> None:
        self.stored_keys[key_hash] = key
        self.version += 1
        if audit is not None:
            await self.record(audit)

    async def keys_version(self) -> int:
        return self.version
