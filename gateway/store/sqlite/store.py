"""The store as the rest of Callgate sees it: the parts put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from gateway.core.key import Key
from gateway.core.sealing import Sealer
from gateway.core.span import Span
from gateway.core.stored import StoredRow
from gateway.store.answers import KeptAnswer
from gateway.store.base import (
    Batch,
    Bucket,
    CarriedOpen,
    Failure,
    Group,
    JournalPosition,
    Outline,
    Page,
    Profile,
    Repricing,
    SetAside,
    SpanDetail,
    SpanFilter,
    Stats,
    StoreHealth,
    TagKey,
    TagValue,
    Tail,
    Written,
)
from gateway.store.documents import AuditEntry, Document
from gateway.store.erasing import Erased, Resealed, Subject
from gateway.store.sqlite.answers import AnswerTable
from gateway.store.sqlite.connection import Database
from gateway.store.sqlite.control import Control
from gateway.store.sqlite.documents import DocumentTables
from gateway.store.sqlite.erase import Eraser
from gateway.store.sqlite.expire import Expiry
from gateway.store.sqlite.lists import Lists
from gateway.store.sqlite.menus import Menus
from gateway.store.sqlite.places import Placing
from gateway.store.sqlite.reprice import Repricer
from gateway.store.sqlite.reseal import Resealer
from gateway.store.sqlite.totals import TotalsReader
from gateway.store.sqlite.write import Writer


class SqliteStore:
    """A `gateway.store.base.Store` in one file."""

    def __init__(self, path: Path, sealer: Sealer | None = None) -> None:
        self.path = path
        self._database = Database(path)
        self._writer = Writer(self._database, sealer)
        self._lists = Lists(self._database, sealer)
        self._totals = TotalsReader(self._database)
        self._menus = Menus(self._database)
        self._control = Control(self._database)
        self._documents = DocumentTables(self._database)
        self._answers = AnswerTable(self._database)
        self._expiry = Expiry(self._database)
        self._eraser = Eraser(self._database)
        self._resealer = Resealer(self._database, sealer)
        self._repricer = Repricer(self._database)
        self._placing = Placing(self._database, self._writer.book)

    async def connect(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def write(self, batch: Batch, set_aside: SetAside | None = None) -> Written:
        return await self._writer.write(batch, set_aside)

    async def place(self, limit: int) -> int:
        return await self._placing.place(limit)

    async def positions(self) -> dict[str, JournalPosition]:
        return await self._control.positions()

    async def carried(self, journal: str) -> list[CarriedOpen]:
        return await self._control.carried(journal)

    async def expire(self, *, spans_before_us: int | None, payloads_before_us: int | None, limit: int) -> int:
        return await self._expiry.expire(
            spans_before_us=spans_before_us, payloads_before_us=payloads_before_us, limit=limit
        )

    async def expire_tenant(
        self, tenant: str, *, spans_before_us: int | None, payloads: tuple[int, int] | None, limit: int
    ) -> int:
        return await self._expiry.expire_tenant(tenant, spans_before_us=spans_before_us, payloads=payloads, limit=limit)

    async def erase_spans(self, subject: Subject, *, totals: bool, limit: int) -> Erased:
        return await self._eraser.erase_spans(subject, totals=totals, limit=limit)

    async def forget(self, subject: Subject, *, totals: bool, owners: Sequence[str] = ()) -> Erased:
        return await self._eraser.forget(subject, totals=totals, owners=owners)

    async def reseal(self, after: int, *, limit: int) -> Resealed:
        return await self._resealer.reseal(after, limit=limit)

    async def reprice(self, changes: Sequence[Repricing]) -> int:
        return await self._repricer.reprice(changes)

    async def spans(self, which: SpanFilter, *, limit: int, cursor: str | None = None, order: str = "newest") -> Page:
        return await self._lists.spans(which, limit=limit, cursor=cursor, order=order)

    async def span(self, request_id: str) -> SpanDetail | None:
        return await self._lists.span(request_id)

    async def tail(self, after: int | None, *, limit: int = 500) -> Tail:
        return await self._lists.tail(after, limit=limit)

    async def neighbours(self, request_id: str, which: SpanFilter) -> tuple[str | None, str | None]:
        return await self._lists.neighbours(request_id, which)

    async def count(self, which: SpanFilter, *, at_most: int = 10_000) -> int:
        return await self._lists.count(which, at_most=at_most)

    def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        return self._lists.export(which, page=page)

    def export_rows(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[StoredRow]]:
        return self._lists.export_rows(which, page=page)

    async def stats(self, which: SpanFilter) -> Stats:
        return await self._totals.stats(which)

    async def buckets(
        self,
        which: SpanFilter,
        *,
        width_us: int,
        split: str | None = None,
        among: Sequence[str] | None = None,
        time_zone: str = "UTC",
    ) -> list[Bucket]:
        return await self._totals.buckets(which, width_us=width_us, split=split, among=among, time_zone=time_zone)

    async def groups(
        self,
        which: SpanFilter,
        by: str,
        *,
        limit: int = 1000,
        spark_width_us: int | None = None,
        time_zone: str = "UTC",
        among: Sequence[str | None] | None = None,
        latency: bool = True,
    ) -> list[Group]:
        return await self._totals.groups(
            which,
            by,
            limit=limit,
            spark_width_us=spark_width_us,
            time_zone=time_zone,
            among=among,
            latency=latency,
        )

    async def outline(self, which: SpanFilter, *, width_us: int, time_zone: str = "UTC") -> Outline:
        return await self._totals.outline(which, width_us=width_us, time_zone=time_zone)

    async def profiles(self, which: SpanFilter, by: str, *, limit: int = 100) -> list[Profile]:
        return await self._totals.profiles(which, by, limit=limit)

    async def curves(
        self, which: SpanFilter, by: str, among: Sequence[str], *, width_us: int, time_zone: str = "UTC"
    ) -> dict[str, list[Bucket]]:
        return await self._totals.curves(which, by, among, width_us=width_us, time_zone=time_zone)

    async def overhead_counts(self, which: SpanFilter) -> list[int]:
        return await self._totals.overhead_counts(which)

    async def failures(self, which: SpanFilter, *, limit: int = 10, spark_width_us: int | None = None) -> list[Failure]:
        return await self._totals.failures(which, limit=limit, spark_width_us=spark_width_us)

    async def tag_keys(self) -> list[TagKey]:
        return await self._menus.tag_keys()

    async def tag_values(self, key: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        return await self._menus.tag_values(key, prefix=prefix, limit=limit)

    async def field_values(self, field: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        return await self._menus.field_values(field, prefix=prefix, limit=limit)

    async def keys(self) -> Mapping[str, Key]:
        return await self._control.keys()

    async def put_key(self, key_hash: str, key: Key, *, audit: AuditEntry | None = None) -> None:
        await self._control.put_key(key_hash, key, audit=audit)

    async def keys_version(self) -> int:
        return await self._control.keys_version()

    async def documents(
        self, kind: str, *, prefix: str = "", after: str | None = None, limit: int = 1000, newest: bool = False
    ) -> list[Document]:
        return await self._documents.documents(kind, prefix=prefix, after=after, limit=limit, newest=newest)

    async def document(self, kind: str, doc_id: str) -> Document | None:
        return await self._documents.document(kind, doc_id)

    async def put_document(
        self, kind: str, doc_id: str, body: bytes, *, expected: int | None = None, audit: AuditEntry | None = None
    ) -> Document:
        return await self._documents.put_document(kind, doc_id, body, expected=expected, audit=audit)

    async def delete_document(self, kind: str, doc_id: str, *, audit: AuditEntry | None = None) -> bool:
        return await self._documents.delete_document(kind, doc_id, audit=audit)

    async def documents_version(self) -> int:
        return await self._documents.documents_version()

    async def record(self, entry: AuditEntry) -> None:
        await self._documents.record(entry)

    async def audit(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        kind: str | None = None,
        doc_id: str | None = None,
        actor: str | None = None,
    ) -> list[AuditEntry]:
        return await self._documents.audit(before=before, limit=limit, kind=kind, doc_id=doc_id, actor=actor)

    async def answer(self, key: bytes, now_us: int) -> KeptAnswer | None:
        return await self._answers.answer(key, now_us)

    async def put_answers(self, answers: Sequence[KeptAnswer], *, max_bytes: int, now_us: int) -> None:
        await self._answers.put_answers(answers, max_bytes=max_bytes, now_us=now_us)

    async def clear_answers(self) -> int:
        return await self._answers.clear_answers()

    async def health(self) -> StoreHealth:
        return await self._control.health()
