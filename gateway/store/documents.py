"""Documents: the small things people manage (tenants, users, alert rules, saved views, …), and the audit log.

A document is JSON of a msgspec struct that the store does not look into. Whoever owns a `kind` owns its struct.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Document(msgspec.Struct, frozen=True):
    kind: str
    """`tenant`, `user`, `alert_rule`, …: one struct and one owner each."""
    id: str
    """Unique within the kind."""
    body: bytes
    """JSON"""
    version: int
    """Grows with every change and is never used twice, not even by a document made again under the same id."""
    created_at: int
    updated_at: int


class AuditEntry(msgspec.Struct, frozen=True):
    """One change and who made it. Bodies must hold no secret and no hash of one: entries are kept for ever."""

    at: int
    actor: str
    """`user:ID`, `key:NAME`, `operator`, `cli:LOGIN` or `system`."""
    action: str
    """`created`, `changed`, `deleted`, `rotated`, `revoked`, `signed_in`, `sign_in_refused`, …"""
    kind: str
    id: str
    before: bytes | None = None
    """JSON; None for what was not there."""
    after: bytes | None = None
    number: int | None = None
    """Given by the store, growing: the cursor of `audit`. None in what is to be recorded."""


class Documents(Protocol):
    async def documents(
        self, kind: str, *, prefix: str = "", after: str | None = None, limit: int = 1000, newest: bool = False
    ) -> list[Document]:
        """Those whose id starts with `prefix`, by id; `newest`: by id backwards, which of UUIDv7 is newest first.
        `after` is the id of the last one of the page before."""
        ...

    async def document(self, kind: str, doc_id: str) -> Document | None: ...

    async def put_document(
        self, kind: str, doc_id: str, body: bytes, *, expected: int | None = None, audit: AuditEntry | None = None
    ) -> Document:
        """Writes it and the audit entry in one transaction.

        `expected` is the version that the change was made from, 0 where there was none: raises Conflict when it is
        another by now, and nothing is written. None writes whatever is there.
        """
        ...

    async def delete_document(self, kind: str, doc_id: str, *, audit: AuditEntry | None = None) -> bool:
        """Whether it was there; if it was not, nothing is audited."""
        ...

    async def documents_version(self) -> int:
        """Grows with every change of any document by any process. Cheap: polled every second."""
        ...

    async def record(self, entry: AuditEntry) -> None:
        """For what is audited without a document: somebody signed in."""
        ...

    async def audit(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        kind: str | None = None,
        doc_id: str | None = None,
        actor: str | None = None,
    ) -> list[AuditEntry]:
        """Newest first; `before` is the number of the last one of the page before. Nothing changes or deletes them."""
        ...
