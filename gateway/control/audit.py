"""Entries of the audit log: who did what to which thing, and how it looked before and after."""

from __future__ import annotations

import time

import msgspec

from gateway.store.documents import AuditEntry

SYSTEM = "system"
SECRETS = ("password", "hash")
PERSONAL = ("email", "subject")
"""Fields that no entry holds, not even hashed; that they changed is said. Entries stay for ever and people do not: an
entry names them by their id, and pages look up who that is. So is the `name` of what is a person's own."""


def entry(
    actor: str,
    action: str,
    kind: str,
    doc_id: str,
    before: msgspec.Struct | None = None,
    after: msgspec.Struct | None = None,
) -> AuditEntry:
    return AuditEntry(
        time.time_ns() // 1000, actor, action, kind, doc_id, _shown(before, other=after), _shown(after, other=before)
    )


def _shown(item: msgspec.Struct | None, other: msgspec.Struct | None) -> bytes | None:
    if item is None:
        return None
    fields = msgspec.to_builtins(item)
    is_own = "email" in fields or fields.get("owner") is not None
    for name in (*SECRETS, *PERSONAL, *(("name",) if is_own else ())):
        if fields.get(name) is not None:
            changed = other is not None and getattr(other, name, None) != getattr(item, name)
            fields[name] = "(hidden, changed)" if changed else "(hidden)"
    return msgspec.json.encode(fields)
