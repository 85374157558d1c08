"""Secrets that exist while a call is made in somebody's name."""

from __future__ import annotations

from gateway.control.keys import Keyring
from gateway.core.key import Key
from tests.store.memory_documents import MemoryControl

ANN = Key(key_id="user:ann", name="ann", role="admin")


def test_a_lent_secret_works_within_the_block_and_nowhere_is_it_listed() -> None:
    keyring = Keyring(b"s" * 32, MemoryControl())  # type: ignore[arg-type]  # as much of a store as keys need
    with keyring.lend(ANN) as token:
        assert keyring.authenticate(token) == ANN
        assert keyring.keys() == []
        assert keyring.by_id(ANN.key_id) is None
        with keyring.lend(ANN) as other:
            assert other != token
            assert keyring.authenticate(token) == keyring.authenticate(other) == ANN
        assert keyring.authenticate(other) is None
        assert keyring.authenticate(token) == ANN
    assert keyring.authenticate(token) is None


def test_an_expired_key_cannot_be_lent() -> None:
    keyring = Keyring(b"s" * 32, MemoryControl())  # type: ignore[arg-type]
    with keyring.lend(Key(key_id="k", name="old", expires_at=1)) as token:
        assert keyring.authenticate(token) is None
