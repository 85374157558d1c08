"""What every store must do with documents and the audit log. For the test modules that import `contract` too, whose
`make_store` gives the store; `tests/store/memory_documents.py` must keep it as well."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.key import Key
from gateway.errors import Conflict
from gateway.store.base import Store
from gateway.store.documents import AuditEntry, Document, Documents
from tests.store.contract import MakeStore, using


def entry(number: int, **fields: object) -> AuditEntry:
    plain = {"at": number, "actor": "user:ann", "action": "changed", "kind": "tenant", "id": f"t{number}"}
    return AuditEntry(**{**plain, **fields})  # type: ignore[arg-type]  # each field as the struct has it


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


def test_a_document_comes_back_as_it_was_written(make_store: MakeStore) -> None:
    async def work(store: Documents) -> None:
        assert await store.document("tenant", "acme") is None
        written = await store.put_document("tenant", "acme", '{"name":"Äcme"}'.encode())
        assert (written.kind, written.id, written.body) == ("tenant", "acme", '{"name":"Äcme"}'.encode())
        assert written.created_at == written.updated_at > 0
        assert await store.document("tenant", "acme") == written
        assert await store.document("user", "acme") is None
        changed = await store.put_document("tenant", "acme", b"{}")
        assert (changed.body, changed.created_at) == (b"{}", written.created_at)
        assert changed.version > written.version > 0
        assert changed.updated_at >= written.updated_at

    using(make_store, work)


def test_lists_are_by_id_and_go_on_after_the_last(make_store: MakeStore) -> None:
    async def work(store: Documents) -> None:
        for name in ("b", "a/2", "a/1", "ä", "a", "_%"):
            await store.put_document("view", name, b"{}")
        await store.put_document("other", "a/3", b"{}")
        everything = ["_%", "a", "a/1", "a/2", "b", "ä"]
        assert ids(await store.documents("view")) == everything
        assert ids(await store.documents("view", newest=True)) == everything[::-1]
        assert ids(await store.documents("view", prefix="a/")) == ["a/1", "a/2"]
        assert ids(await store.documents("view", prefix="a/", newest=True)) == ["a/2", "a/1"]
        assert ids(await store.documents("view", prefix="_%")) == ["_%"]
        assert ids(await store.documents("view", after="a/1", limit=2)) == ["a/2", "b"]
        assert ids(await store.documents("view", after="a/1", limit=2, newest=True)) == ["a", "_%"]
        assert await store.documents("nothing") == []

    using(make_store, work)


def test_of_two_changes_from_one_version_the_second_is_refused(make_store: MakeStore) -> None:
    async def work(store: Documents) -> None:
        made = await store.put_document("user", "ann", b"1", expected=0, audit=entry(1))
        with pytest.raises(Conflict):
            await store.put_document("user", "ann", b"2", expected=0, audit=entry(2))
        await store.put_document("user", "ann", b"3", expected=made.version)
        with pytest.raises(Conflict):
            await store.put_document("user", "ann", b"4", expected=made.version)
        kept = await store.document("user", "ann")
        assert kept is not None
        assert kept.body == b"3"
        with pytest.raises(Conflict):
            await store.put_document("user", "bob", b"5", expected=1)
        assert [each.at for each in await store.audit()] == [1], "what was refused is not audited"

    using(make_store, work)


def test_a_version_is_never_used_twice(make_store: MakeStore) -> None:
    async def work(store: Documents) -> None:
        first = await store.put_document("user", "ann", b"1")
        assert await store.delete_document("user", "ann", audit=entry(1, action="deleted"))
        assert not await store.delete_document("user", "ann", audit=entry(2, action="deleted"))
        assert await store.document("user", "ann") is None
        assert await store.documents("user") == []
        again = await store.put_document("user", "ann", b"2", expected=0)
        assert again.version > first.version
        assert again.created_at >= first.created_at
        with pytest.raises(Conflict):  # somebody still holds the one that was deleted
            await store.put_document("user", "ann", b"3", expected=first.version)
        assert [each.at for each in await store.audit()] == [1]

    using(make_store, work)


def test_every_change_is_seen_in_the_version(make_store: MakeStore) -> None:
    async def work(store: Documents) -> None:
        seen = [await store.documents_version()]
        await store.put_document("a", "1", b"{}")
        seen.append(await store.documents_version())
        await store.put_document("b", "1", b"{}")
        seen.append(await store.documents_version())
        await store.delete_document("a", "1")
        seen.append(await store.documents_version())
        assert seen == sorted(set(seen))
        await store.delete_document("a", "1")
        await store.record(entry(1))
        assert await store.documents_version() == seen[-1]

    using(make_store, work)


def test_of_many_writers_at_once_each_version_is_of_one(make_store: MakeStore) -> None:
    async def work(store: Documents) -> None:
        written = await asyncio.gather(*(store.put_document("a", "1", b"%d" % n) for n in range(20)))
        assert len({document.version for document in written}) == 20
        made = await asyncio.gather(
            *(store.put_document("a", "2", b"%d" % n, expected=0) for n in range(5)), return_exceptions=True
        )
        assert sum(isinstance(each, Document) for each in made) == 1

    using(make_store, work)


def test_the_audit_log_is_read_from_the_newest(make_store: MakeStore) -> None:
    async def work(store: Documents) -> None:
        for number in range(1, 8):
            actor = "user:ann" if number % 2 else "key:ci"
            await store.record(entry(number, actor=actor, kind="key" if number > 4 else "tenant"))
        everything = await store.audit()
        assert [each.at for each in everything] == [7, 6, 5, 4, 3, 2, 1]
        numbers = [each.number for each in everything]
        assert all(number is not None for number in numbers)
        assert [each.at for each in await store.audit(before=numbers[2], limit=2)] == [4, 3]
        assert [each.at for each in await store.audit(actor="key:ci", kind="key")] == [6]
        assert [each.at for each in await store.audit(kind="tenant", doc_id="t2")] == [2]

    using(make_store, work)


def test_a_change_and_its_entry_are_one(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        told = entry(1, kind="tenant", id="acme", action="created", before=None, after='{"a":"é"}'.encode())
        await store.put_document("tenant", "acme", b"{}", audit=told)
        await store.put_key("00ff", Key(key_id="k", name="app"), audit=entry(2, kind="key", id="k"))
        key, tenant = await store.audit()
        assert (key.kind, key.id, key.before, key.after) == ("key", "k", None, None)
        assert (tenant.at, tenant.actor, tenant.action, tenant.after) == (1, "user:ann", "created", told.after)

    using(make_store, work)
