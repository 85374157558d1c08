from __future__ import annotations

import asyncio
import stat
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.control.keys import PREFIX, Keyring, key_state, now_us
from gateway.control.secret import derive, load_secret
from gateway.core.key import Key
from gateway.errors import CallgateError, ControlError
from gateway.settings import ApiKey
from tests.api.fakes import FakeStore

T = TypeVar("T")
DECLARED = ApiKey(name="app", key="a-declared-secret", tenant="acme", tags={"feature": "chat"})


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def keyring(store: FakeStore) -> Keyring:
    return Keyring(b"s" * 32, store, [DECLARED])


def test_a_new_key_works_and_only_its_hash_is_kept(keyring: Keyring, store: FakeStore) -> None:
    token, key = run(keyring.create("ci", role="viewer", tenant="acme", models=["gpt-*"], tags={"a": "b"}))
    assert token.startswith(PREFIX)
    assert len(token) >= len(PREFIX) + 40
    assert keyring.authenticate(token) == keyring.authenticate(token.encode()) == key
    assert (key.name, key.role, key.tenant, key.models, key.hint) == ("ci", "viewer", "acme", ("gpt-*",), token[-4:])
    assert token not in repr(store.stored_keys)
    assert token[3:-4] not in repr(store.stored_keys)
    assert list(store.stored_keys) == [keyring.digest(token)]


@pytest.mark.parametrize(
    "token", ["", "x", b"", b"\xff\xfe", "a-declared-secre", "a-declared-secret ", "\ud800", "x" * 100_000]
)
def test_what_is_no_key(token: str | bytes, keyring: Keyring) -> None:
    assert keyring.authenticate(token) is None
    assert keyring.lookup(token) is None


def test_hashes_need_the_secret(store: FakeStore) -> None:
    assert Keyring(b"a" * 32, store).digest("x") != Keyring(b"b" * 32, store).digest("x")


def test_declared_keys(keyring: Keyring) -> None:
    key = keyring.authenticate("a-declared-secret")
    assert key is not None
    assert (key.key_id, key.tenant, key.declared, key.hint) == ("config:app", "acme", True, "cret")
    keyring.declare([])
    assert keyring.authenticate("a-declared-secret") is None


@pytest.mark.parametrize("change", ["revoke", "rotate"])
def test_declared_keys_are_changed_where_they_are_declared(change: str, keyring: Keyring) -> None:
    with pytest.raises(ControlError, match="declared in the configuration"):
        run(getattr(keyring, change)("app"))


def test_revoked_keys_are_known_as_such(keyring: Keyring) -> None:
    token, key = run(keyring.create("ci"))
    assert run(keyring.revoke(key.key_id)).revoked_at is not None
    assert keyring.authenticate(token) is None
    known = keyring.lookup(token)
    assert known is not None
    assert key_state(known, now_us()) == "revoked"
    assert keyring.by_id(key.key_id) is None
    with pytest.raises(ControlError, match="revoked already"):
        run(keyring.revoke("ci"))


def test_expired_keys_are_known_as_such(store: FakeStore, keyring: Keyring) -> None:
    store.stored_keys[keyring.digest("old")] = Key(key_id="k", name="old", expires_at=now_us() - 1)
    run(keyring.refresh())
    known = keyring.lookup("old")
    assert known is not None
    assert key_state(known, now_us()) == "expired"
    assert keyring.authenticate("old") is None


def test_rotation_overlaps_and_keeps_the_id(keyring: Keyring) -> None:
    old, key = run(keyring.create("ci", tenant="acme"))
    new, rotated = run(keyring.rotate("ci", overlap_s=3600))
    assert new != old
    assert (rotated.key_id, rotated.tenant, rotated.expires_at) == (key.key_id, "acme", None)
    assert keyring.by_id(key.key_id) == rotated
    ending = keyring.authenticate(old)
    assert ending is not None
    assert ending.expires_at is not None
    assert 0 < ending.expires_at - now_us() <= 3_600_000_000
    run(keyring.revoke("ci"))
    assert keyring.authenticate(old) is keyring.authenticate(new) is None


def test_rotation_without_overlap_ends_the_old_secret(keyring: Keyring) -> None:
    old, _ = run(keyring.create("ci"))
    new, _ = run(keyring.rotate("ci", overlap_s=0))
    assert keyring.authenticate(old) is None
    assert keyring.authenticate(new) is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "app"}, "named 'app' already"),
        ({"name": "x", "role": "root"}, "'root' is no role; a key is one of app, viewer, admin"),
        ({"name": "x", "models": []}, "at least one pattern"),
        ({"name": "x", "expires_at": 1}, "in the past"),
    ],
)
def test_keys_that_cannot_be_made(arguments: dict[str, Any], words: str, keyring: Keyring, store: FakeStore) -> None:
    with pytest.raises(ControlError, match=words):
        run(keyring.create(**arguments))
    assert store.stored_keys == {}


def test_a_name_is_free_again_once_its_key_is_revoked(keyring: Keyring) -> None:
    run(keyring.create("ci"))
    run(keyring.revoke("ci"))
    token, _ = run(keyring.create("ci"))
    run(keyring.revoke("ci"))
    assert keyring.authenticate(token) is None


def test_unknown_names(keyring: Keyring) -> None:
    with pytest.raises(ControlError, match="no key named 'nobody'"):
        run(keyring.rotate("nobody"))


def test_the_first_key_is_made_once(store: FakeStore) -> None:
    keyring = Keyring(b"s" * 32, store)
    token = run(keyring.ensure_first_key())
    assert token is not None
    key = keyring.authenticate(token)
    assert key is not None
    assert (key.name, key.role) == ("first", "admin")
    assert run(keyring.ensure_first_key()) is None
    assert run(Keyring(b"s" * 32, store).ensure_first_key()) is None


def test_with_declared_keys_there_is_no_first_key(keyring: Keyring, store: FakeStore) -> None:
    assert run(keyring.ensure_first_key()) is None
    assert store.stored_keys == {}


def test_other_workers_follow(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    async def both() -> None:
        here, there = Keyring(b"s" * 32, store), Keyring(b"s" * 32, store)
        following = asyncio.create_task(there.follow(interval_s=0.001))
        async with asyncio.timeout(10):
            token, _ = await here.create("ci")
            while there.authenticate(token) is None:
                await asyncio.sleep(0)
            store.broken = "locked"
            while not caplog.records:
                await asyncio.sleep(0)
            asked = store.asked["keys_version"]
            while store.asked["keys_version"] < asked + 3:
                await asyncio.sleep(0)
            assert there.authenticate(token) is not None  # what was known stays
            store.broken = None
            await here.revoke("ci")
            while there.authenticate(token) is not None:
                await asyncio.sleep(0)
        following.cancel()

    run(both())
    assert len(caplog.records) == 1


def test_nothing_is_read_while_nothing_changed(keyring: Keyring, store: FakeStore) -> None:
    assert run(keyring.refresh())
    assert not run(keyring.refresh())
    assert store.asked["keys"] == 1


# ------------------------------------------------------------------------------------------------ the secret


def test_the_secret_is_private_and_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    secret = load_secret(data)
    assert len(secret) == 32
    assert load_secret(data) == secret
    assert stat.S_IMODE((data / "secret").stat().st_mode) == 0o600
    assert [file.name for file in data.iterdir()] == ["secret"]


def test_workers_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_secret, [tmp_path] * 8))) == 1


def test_a_damaged_secret_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(CallgateError, match="5 bytes and should have 32"):
        load_secret(tmp_path)


def test_purposes_have_different_keys() -> None:
    assert derive(b"s" * 32, "session") != derive(b"s" * 32, "other")
