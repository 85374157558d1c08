"""Documents of one kind as the structs they are: read, made, changed and deleted, each change in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from gateway.control.audit import entry
from gateway.errors import Conflict, ControlError, Missing
from gateway.store.documents import Documents

T = TypeVar("T", bound=msgspec.Struct)
TRIES = 5
PAGE = 1000


class Records(Generic[T]):
    """`kind` is what the store and the audit log call them, and people in messages (with spaces for `_`)."""

    def __init__(self, store: Documents, kind: str, struct: type[T], *, listed_by: str = "") -> None:
        """`listed_by` is the command that lists them."""
        self._store = store
        self._listed_by = listed_by
        self._kind = kind
        self._decoder = msgspec.json.Decoder(struct)

    async def all(self) -> dict[str, T]:
        found: dict[str, T] = {}
        after = None
        while page := await self._store.documents(self._kind, after=after, limit=PAGE):
            found.update((each.id, self._decoder.decode(each.body)) for each in page)
            after = page[-1].id
            if len(page) < PAGE:
                break
        return found

    async def make(self, doc_id: str, item: T, actor: str) -> T:
        """Raises ControlError where there is one already."""
        body = msgspec.json.encode(item)
        audit = entry(actor, "created", self._kind, doc_id, None, item)
        try:
            await self._store.put_document(self._kind, doc_id, body, expected=0, audit=audit)
        except Conflict as exc:
            raise ControlError(f"There is a {self._words} {doc_id!r} already.") from exc
        return item

    async def change(self, doc_id: str, change: Callable[[T], T], actor: str, action: str = "changed") -> T:
        """What `change` makes of it; it is asked again when somebody else was faster. Raises Missing, and Conflict
        when somebody else always is."""
        for attempt in range(1, TRIES + 1):
            document = await self._store.document(self._kind, doc_id)
            if document is None:
                raise self.missing(doc_id)
            before = self._decoder.decode(document.body)
            after = change(before)
            if after == before:
                return before
            audit = entry(actor, action, self._kind, doc_id, before, after)
            body = msgspec.json.encode(after)
            try:
                await self._store.put_document(self._kind, doc_id, body, expected=document.version, audit=audit)
            except Conflict:
                if attempt == TRIES:
                    raise
            else:
                return after
        raise AssertionError("the last attempt returns or raises")

    async def delete(self, doc_id: str, actor: str) -> T:
        """What it was. Raises Missing."""
        document = await self._store.document(self._kind, doc_id)
        if document is None:
            raise self.missing(doc_id)
        before = self._decoder.decode(document.body)
        await self._store.delete_document(
            self._kind, doc_id, audit=entry(actor, "deleted", self._kind, doc_id, before, None)
        )
        return before

    def missing(self, doc_id: str) -> Missing:
        way_out = f" `{self._listed_by}` shows those that are." if self._listed_by else ""
        return Missing(f"There is no {self._words} {doc_id[:100]!r}.{way_out}")

    @property
    def _words(self) -> str:
        return self._kind.replace("_", " ")
