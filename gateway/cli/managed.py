"""Who there is, opened for one command, and who gives it: the audit log names the login of the terminal."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec

from gateway.cli.opened import opened
from gateway.config import Loaded
from gateway.control.identity import Identity
from gateway.control.keys import now_us
from gateway.control.secret import load_secret
from gateway.store.documents import AuditEntry, Documents

T = TypeVar("T")


async def with_identity(loaded: Loaded, work: Callable[[Identity], Awaitable[T]], *, create: bool = False) -> T:
    """Raises ControlError and StoreError."""
    async with opened(loaded, create=create) as store:
        identity = Identity(loaded.settings, load_secret(loaded.data), store, loaded.data)
        await identity.refresh()
        return await work(identity)


async def note(store: Documents, action: str, kind: str, doc_id: str, after: Mapping[str, object]) -> None:
    """In the audit log, of a change that is to no document: `after` says what came of it."""
    await store.record(AuditEntry(now_us(), actor(), action, kind, doc_id, after=msgspec.json.encode(after)))


def actor() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "cli"
