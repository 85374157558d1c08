"""Bodies sealed in the store: unreadable in the file, readable with the key, said to be sealed without it, rotated."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import msgspec
import pytest

from gateway.core.sealing import Sealer
from gateway.core.span import Payload, Span
from gateway.errors import ConfigError
from gateway.recorder.retention import Retention
from gateway.settings import Log
from gateway.settings.privacy import Encryption, PrivacyPolicy, SealingKey
from gateway.store import open_store
from gateway.store.base import Batch, SpanDetail, SpanFilter, SpanWrite
from gateway.store.sealing import sealer_of

OLD, NEW = b"o" * 32, b"n" * 32
BODY = b"the quick brown prompt"
DAY = 86_400_000_000


def write(number: int, *, tenant: str = "acme", at: int = 1_790_000_000_000_000) -> SpanWrite:
    span = Span(request_id=f"call-{number}", kind="llm", started_at=at, tenant=tenant, status_code=200)
    return SpanWrite(span, Payload(request_body=BODY, redactions={"email": number}))


async def within(folder: Path, keys: dict[str, bytes], *, put: int = 0, reseal: bool = False) -> SpanDetail | None:
    store = open_store("sqlite:///c.db", folder, Sealer(keys) if keys else None)
    await store.connect()
    try:
        if put:
            await store.write(Batch(spans=[write(number) for number in range(put)]))
        if reseal:
            step = await store.reseal(0, limit=2)
            while step.seen:
                step = await store.reseal(step.seen_to, limit=2)
        return await store.span("call-1")
    finally:
        await store.close()


def detail(folder: Path, keys: dict[str, bytes], *, put: int = 0, reseal: bool = False) -> SpanDetail:
    found = asyncio.run(within(folder, keys, put=put, reseal=reseal))
    assert found is not None
    return found


def test_with_the_key_bodies_are_as_they_were_and_without_it_a_clear_state(tmp_path):
    found = detail(tmp_path, {"k1": OLD}, put=3)
    assert found.payload is not None
    assert (found.payload.request_body, found.redactions, found.sealed_with) == (BODY, {"email": 1}, None)
    for keys in ({}, {"k2": NEW}):
        found = detail(tmp_path, keys)
        assert (found.payload, found.sealed_with, found.span.status_code) == (None, "k1", 200)


def test_rotation_seals_anew_and_the_old_key_can_go(tmp_path):
    detail(tmp_path, {"k1": OLD}, put=5)
    detail(tmp_path, {"k2": NEW, "k1": OLD}, reseal=True)
    found = detail(tmp_path, {"k2": NEW})
    assert found.payload is not None
    assert found.payload.request_body == BODY
    assert detail(tmp_path, {"k1": OLD}).sealed_with == "k2"


def test_sealing_begins_and_ends_with_what_is_there(tmp_path):
    detail(tmp_path, {}, put=3)
    detail(tmp_path, {"k1": OLD}, reseal=True)
    assert detail(tmp_path, {}).sealed_with == "k1"
    detail(tmp_path, {"k1": OLD}, reseal=True)
    store_in_the_clear(tmp_path)


def store_in_the_clear(folder: Path) -> None:
    """Without keys what is sealed stays so; it is never lost."""
    detail(folder, {}, reseal=True)
    found = detail(folder, {"k1": OLD})
    assert found.payload is not None
    assert found.payload.request_body == BODY


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (SealingKey(id="k1"), "either `key` or `file`"),
        (SealingKey(id="k1", key="short"), "32 bytes in base64"),
        (SealingKey(id="k1", key=base64.b64encode(b"x" * 16).decode()), "32 bytes in base64"),
        (SealingKey(id="k1", file="/nowhere/at-all"), "cannot be used"),
    ],
)
def test_keys_that_are_none(key, words):
    with pytest.raises(ConfigError, match=words):
        sealer_of(Encryption(sealing_keys=[key]))


def test_keys_from_the_settings_and_from_a_file(tmp_path):
    (tmp_path / "key").write_text(base64.b64encode(OLD).decode() + "\n")
    keys = [SealingKey(id="new", key=base64.b64encode(NEW).decode()), SealingKey(id="old", file=str(tmp_path / "key"))]
    sealer = sealer_of(Encryption(sealing_keys=keys))
    assert sealer.open(Sealer({"old": OLD}).seal(BODY, "x"), "x") == BODY
    assert sealer.key_id == "new"
    assert sealer_of(Encryption()).key_id is None
    assert base64.b64encode(NEW).decode() not in repr(keys)


def test_a_tenant_is_kept_for_shorter_and_nobody_else_is(tmp_path, monkeypatch):
    now = 1_790_000_000_000_000
    monkeypatch.setattr("gateway.recorder.retention.time.time_ns", lambda: now * 1000)
    declared = PrivacyPolicy(scope="tenant", match="acme", retention_days=5)
    stored = PrivacyPolicy(scope="tenant", match="acme", retention_days=20, payload_retention_days=2)

    async def scenario() -> tuple[list[str], list[str]]:
        store = open_store("sqlite:///c.db", tmp_path)
        await store.connect()
        writes = [
            write(days + 100 * (tenant == "other"), tenant=tenant, at=now - days * DAY - 1)
            for tenant in ("acme", "other")
            for days in (1, 3, 6)
        ]
        await store.write(Batch(spans=writes))
        await store.put_document("privacy_policy", "tenant:acme", msgspec.json.encode(stored))
        retention = Retention(Log(), [declared])
        while await retention.step(store, store):
            pass
        page = await store.spans(SpanFilter(), limit=10)
        rows = sorted(span.request_id for span in page.items)
        details = [await store.span(each) for each in rows]
        bodies = [each.span.request_id for each in details if each is not None and each.payload is not None]
        await store.close()
        return rows, bodies

    rows, bodies = asyncio.run(scenario())
    assert rows == ["call-1", "call-101", "call-103", "call-106", "call-3"]
    assert bodies == ["call-1", "call-101", "call-103", "call-106"]
