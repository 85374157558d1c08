"""Everything of a user or tenant goes; what stays names nobody; the certificate says what went."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.control.conversations import Conversations, Round, Talk
from gateway.control.erasure import Certificate, Erasure
from gateway.control.identity import Identity
from gateway.control.signed_in import SignedIn
from gateway.core.ids import uuid7
from gateway.core.span import Payload, Span
from gateway.dashboard.views import SavedView
from gateway.errors import ControlError
from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.settings import Settings
from gateway.settings.identity import DeclaredTenant
from gateway.store import open_store
from gateway.store.base import Batch, SpanFilter, SpanWrite
from gateway.store.erasing import Subject

SECRET = b"s" * 32
NOW = 1_790_000_000_000_000
JANE, BOB = "jane-4711", "bob-0815"


def call(user: str, tenant: str, at: int, **tags: str) -> SpanWrite:
    everything = {"userId": user, "tenantSlug": tenant, "feature": "chat", **tags}
    span = Span(
        request_id=uuid7(),
        kind="llm",
        started_at=at,
        tenant=tenant,
        user=user,
        feature="chat",
        model="gpt-5",
        cost_nanousd=1000,
        cost_source="catalog",
        status_code=200,
        tags=everything,
        input_preview=f"I am {user} of {tenant}",
    )
    return SpanWrite(span, Payload(request_body=f"body of {user} of {tenant}".encode()), f"openai:{span.request_id}")


def rows() -> list[SpanWrite]:
    found = [call(JANE, "acme", NOW + n, ticket=f"T-{n}-jane") for n in range(700)]
    return found + [call(BOB, tenant, NOW + n) for n, tenant in enumerate(("acme", "other", "other"))]


class House:
    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.store = open_store("sqlite:///c.db", folder)
        self.identity = Identity(settings or Settings(), SECRET, self.store, folder)
        self.erasure = Erasure(self.store, self.identity, SECRET, folder)

    async def filled(self) -> House:
        await self.store.connect()
        await self.store.write(Batch(spans=rows()))
        return self

    def files(self) -> bytes:
        """Everything on disk."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file())


def erased(folder: Path, subject: Subject, **options: Any) -> tuple[House, Certificate, list[Any]]:
    async def scenario() -> tuple[House, Certificate, list[Any]]:
        house = await House(folder).filled()
        try:
            certificate = await house.erasure.erase(subject, by="cli:ann", **options)
            users = await house.store.groups(SpanFilter(from_us=NOW - 10**10, to_us=NOW + 10**10), "user")
        finally:
            await house.store.close()
        return house, certificate, users

    return asyncio.run(scenario())


def test_nothing_of_a_user_is_left_on_disk(tmp_path):
    house, certificate, users = erased(tmp_path, Subject("user", JANE))
    assert JANE.encode() not in house.files()
    assert b"-jane" not in house.files(), "values of tags that only this user had"
    assert (certificate.erased.spans, certificate.erased.bodies, certificate.erased.tags) == (700, 700, 2800)
    assert certificate.erased.bills == 700
    kept = {group.key: group.totals.requests for group in users}
    assert kept.pop(BOB) == 3
    assert [(key.startswith("erased-"), count) for key, count in kept.items()] == [(True, 700)], "the money stays"


def test_totals_go_where_it_is_asked(tmp_path):
    _, certificate, users = erased(tmp_path, Subject("user", JANE), totals=True)
    assert ([group.key for group in users], certificate.totals) == ([BOB], "erased")
    assert certificate.erased.rollups > 0


def test_a_tenant_goes_with_its_keys_people_and_policies(tmp_path):
    async def scenario() -> tuple[House, Certificate]:
        house = await House(tmp_path).filled()
        tenants, people, keyring = house.identity.tenants, house.identity.people, house.identity.keyring
        await tenants.create("acme", name="Acme of Springfield", actor="cli")
        await house.identity.environments.create("production", tenant="acme", actor="cli")
        ann = await people.create("ann@springfield.example", name="Ann Springfield", tenant="acme", actor="cli")
        await people.create_token(ann, "notebook", actor="cli")
        certificate = await house.erasure.erase(Subject("tenant", "acme"), by="cli:bob")
        await keyring.refresh()
        everything = keyring.keys()
        assert list(everything) == []
        assert (house.identity.directory.tenants, house.identity.directory.users) == ({}, {})
        await house.store.close()
        return house, certificate

    house, certificate = asyncio.run(scenario())
    assert (certificate.erased.spans, certificate.erased.keys, certificate.documents) == (701, 2, 3)
    assert b"body of jane" not in house.files()
    assert b"springfield.example" not in house.files(), "the audit log holds ids, no addresses"
    with sqlite3.connect(tmp_path / "c.db") as db:
        assert db.execute("SELECT count(*) FROM series WHERE tenant = 'acme' OR value = 'acme'").fetchone() == (0,)


async def talked(house: House, owner: str, words: str) -> None:
    await Conversations(house.store, owner).make(Talk(rounds=[Round(text=words)]))


@pytest.mark.parametrize("how", ["erased", "their tenant erased"])
def test_who_goes_takes_their_conversations_and_sessions_along(how, tmp_path):
    async def scenario() -> tuple[House, int]:
        house = await House(tmp_path).filled()
        people = house.identity.people
        await house.identity.tenants.create("springfield", actor="cli")
        ann = await people.create("ann@springfield.example", tenant="springfield", actor="cli")
        bob = await people.create("bob@shelbyville.example", actor="cli")
        for user, words in ((ann, "what ann once asked"), (bob, "what bob once asked")):
            await talked(house, user.user_id, words)
            session = SignedIn(f"s-{user.name}", NOW, 2**60, f"{user.name}-address", "Firefox on Linux")
            await house.identity.sessions.book.note(user.user_id, session)
            for shared in (False, True):
                view = SavedView(f"{user.name} view {shared}", "user=x", user.user_id, shared)
                await house.store.put_document("view", uuid7(), msgspec.json.encode(view))
        _, key = await house.identity.keyring.create("reader", role="viewer", tenant="springfield")
        await talked(house, key.key_id, "what a key once asked")
        subject = Subject("user", ann.email) if how == "erased" else Subject("tenant", "springfield")
        certificate = await house.erasure.erase(subject, by="cli")
        await house.store.close()
        return house, certificate.documents

    house, documents = asyncio.run(scenario())
    left = house.files()
    assert [words in left for words in (b"what ann once", b"ann-address", b"ann view False")] == [False] * 3
    assert [words in left for words in (b"what bob once", b"bob-address", b"bob view False")] == [True] * 3
    assert b"ann view True" in left, "others use it"
    assert (b"what a key once" in left) == (how != "their tenant erased")
    # herself, two of a conversation, a session, a view; with the tenant that too, and what its key said
    assert documents == {"erased": 5, "their tenant erased": 8}[how]


def test_calls_after_an_erasure_are_counted_under_the_name_again(tmp_path):
    async def scenario() -> dict[str | None, int]:
        house = await House(tmp_path).filled()
        await house.erasure.erase(Subject("user", JANE), by="cli")
        await house.store.write(Batch(spans=[call(JANE, "acme", NOW)]))
        users = await house.store.groups(SpanFilter(from_us=NOW - 10**10, to_us=NOW + 10**10), "user")
        await house.store.close()
        return {group.key: group.totals.requests for group in users}

    assert asyncio.run(scenario())[JANE] == 1


def test_the_certificate_names_nobody_and_answers_who_asks(tmp_path):
    house, certificate, _ = erased(tmp_path, Subject("user", JANE))
    assert JANE not in msgspec.json.encode(certificate).decode()
    assert certificate.subject_hash == house.erasure.hash_of(Subject("user", JANE))
    assert certificate.subject_hash != house.erasure.hash_of(Subject("tenant", JANE))
    assert (certificate.by, certificate.is_sound) == ("cli:ann", True)
    assert not msgspec.structs.replace(certificate, documents=9).is_sound

    async def kept() -> list[Certificate]:
        again = House(tmp_path)
        try:
            return await again.erasure.certificates()
        finally:
            await again.store.close()

    assert asyncio.run(kept()) == [certificate]


def test_rows_that_the_store_refused_go_too(tmp_path):
    letters = DeadLetters(tmp_path)
    letters.add([DeadLetter(NOW, "refused", row=call(user, "acme", NOW)) for user in (JANE, BOB)])
    _, certificate, _ = erased(tmp_path, Subject("user", JANE))
    assert certificate.dead_letters == 1
    assert [letter.row.span.user for letter in letters.read() if letter.row is not None] == [BOB]


def test_what_the_configuration_declares_is_refused(tmp_path):
    async def scenario() -> None:
        house = House(tmp_path, Settings(tenants=[DeclaredTenant(slug="acme")]))
        await house.store.connect()
        try:
            with pytest.raises(ControlError, match="take it out there first"):
                await house.erasure.erase(Subject("tenant", "acme"), by="cli")
        finally:
            await house.store.close()

    asyncio.run(scenario())
