"""What a key may do, changed while it is in use."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.control.key_bounds import Bounds
from gateway.control.keys import Keyring, now_us
from gateway.core.key import ALL, Key
from gateway.errors import ControlError
from gateway.settings import ApiKey
from tests.api.fakes import FakeStore

DAY = 86_400_000_000
DECLARED = ApiKey(name="app", key="a-declared-secret", tenant="acme")


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def keyring(store: FakeStore) -> Keyring:
    return Keyring(b"s" * 32, store, [DECLARED])


def made(keyring: Keyring, **given: Any) -> tuple[str, Key]:
    return asyncio.run(keyring.create("ci", tenant="acme", environment="test", **given))


def change(keyring: Keyring, which: str = "ci", **bounds: Any) -> Key:
    return asyncio.run(keyring.change(which, Bounds(**bounds), actor="cli:ann"))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"models": ("gpt-*",)}, {"models": ("gpt-*",)}),
        ({"endpoints": ("/v1/embeddings",), "configs": ("a",)}, {"endpoints": ("/v1/embeddings",), "configs": ("a",)}),
        ({"networks": ("10.0.0.0/8",)}, {"networks": ("10.0.0.0/8",)}),
        ({"networks": ()}, {"networks": ()}),
        ({"tags": {"feature": "chat"}}, {"tags": {"feature": "chat"}}),
        ({"name": " deploy "}, {"name": "deploy"}),
        ({"expires_at": 2**60}, {"expires_at": 2**60}),
        ({"expires_at": None}, {"expires_at": None}),
        ({}, {}),
    ],
)
def test_what_is_said_changes_and_the_rest_stays(
    bounds: dict[str, Any], expected: dict[str, Any], keyring: Keyring
) -> None:
    token, key = made(keyring, networks=["192.0.2.1"], tags={"team": "a"}, expires_at=now_us() + DAY)
    change(keyring, **bounds)
    after = keyring.authenticate(token)
    assert after is not None
    fields = key.__struct_fields__
    assert {name: getattr(after, name) for name in fields} == {
        name: expected.get(name, getattr(key, name)) for name in fields
    }


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "app"}, "already"),
        ({"models": ()}, "at least one pattern"),
        ({"networks": ("10.0.0.0/99",)}, "no address or range"),
        ({"expires_at": 1}, "in the past"),
    ],
)
def test_what_no_key_may_say_changes_nothing(
    bounds: dict[str, Any], words: str, keyring: Keyring, store: FakeStore
) -> None:
    _, key = made(keyring)
    before = len(store.entries)
    with pytest.raises(ControlError, match=words):
        change(keyring, **bounds)
    assert keyring.by_id(key.key_id) == key
    assert len(store.entries) == before


def test_declared_and_ended_keys_are_left_alone(keyring: Keyring) -> None:
    with pytest.raises(ControlError, match="declared in the configuration"):
        change(keyring, "app", models=("gpt-*",))
    made(keyring)
    asyncio.run(keyring.revoke("ci"))
    with pytest.raises(ControlError, match="revoked already"):
        change(keyring, models=("gpt-*",))


def test_both_secrets_of_a_rotation_are_bound_and_the_old_one_ends_no_later(keyring: Keyring) -> None:
    old, _ = made(keyring)
    new, _ = asyncio.run(keyring.rotate("ci", overlap_s=3600))
    ends = _of(keyring, old).expires_at
    change(keyring, models=("gpt-*",), expires_at=now_us() + DAY)
    assert (_of(keyring, old).models, _of(keyring, new).models) == (("gpt-*",), ("gpt-*",))
    assert _of(keyring, old).expires_at == ends
    soon = now_us() + 60_000_000
    change(keyring, expires_at=soon)
    assert {_of(keyring, old).expires_at, _of(keyring, new).expires_at} == {soon}
    change(keyring, expires_at=None)
    assert (_of(keyring, old).expires_at, _of(keyring, new).expires_at) == (soon, None)


def _of(keyring: Keyring, token: str) -> Key:
    key = keyring.authenticate(token)
    assert key is not None
    return key


def test_the_audit_log_has_it_before_and_after(keyring: Keyring, store: FakeStore) -> None:
    _, key = made(keyring)
    change(keyring, models=("gpt-*",))
    last = store.entries[-1]
    assert (last.actor, last.action, last.kind, last.id) == ("cli:ann", "changed", "key", key.key_id)
    assert last.before is not None
    assert last.after is not None
    assert (json.loads(last.before)["models"], json.loads(last.after)["models"]) == (list(ALL), ["gpt-*"])


def test_another_worker_goes_by_it(keyring: Keyring, store: FakeStore) -> None:
    token, _ = made(keyring)
    other = Keyring(b"s" * 32, store, [DECLARED])
    asyncio.run(other.refresh())
    change(keyring, models=("gpt-*",))
    asyncio.run(other.refresh())
    assert _of(other, token).models == ("gpt-*",)
