"""What is sealed opens with its key, in its place, unchanged; and with nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sealing import SealedError, Sealer, is_sealed, key_of

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_round_trip(text, bound_to):
    sealed = Sealer({"k1": OLD}).seal(text, bound_to)
    assert is_sealed(sealed)
    assert key_of(sealed)[0] == "k1"
    assert Sealer({"k2": NEW, "k1": OLD}).open(sealed, bound_to) == text


def test_two_seals_of_one_text_differ():
    sealer = Sealer({"k1": OLD})
    assert sealer.seal(b"same", "a") != sealer.seal(b"same", "a")


@pytest.mark.parametrize(
    ("keys", "bound_to", "words"),
    [
        ({"k2": NEW}, "call-1", "no such key"),
        ({"k1": NEW}, "call-1", "the key is another"),
        ({"k1": OLD}, "call-2", "the text was changed"),
    ],
)
def test_what_does_not_open(keys, bound_to, words):
    sealed = Sealer({"k1": OLD}).seal(b"body", "call-1")
    with pytest.raises(SealedError, match=words) as caught:
        Sealer(keys).open(sealed, bound_to)
    assert caught.value.key_id == "k1"


def test_every_flipped_bit_is_noticed():
    sealer = Sealer({"k1": OLD})
    sealed = sealer.seal(b"body", "call")
    for place in range(len(sealed) - 20, len(sealed)):
        changed = sealed[:place] + bytes((sealed[place] ^ 1,)) + sealed[place + 1 :]
        with pytest.raises(SealedError):
            sealer.open(changed, "call")


def test_a_sealer_shows_no_key():
    assert repr(Sealer({"k1": OLD, "k2": NEW})) == "Sealer(k1, k2)"


def test_keys_change_while_it_is_used():
    sealer = Sealer()
    assert (sealer.seal(b"body", "call"), sealer.open(b"body", "call"), sealer.key_id) == (b"body", b"body", None)
    sealer.use({"k1": OLD})
    under_old = sealer.seal(b"body", "call")
    sealer.use({"k2": NEW, "k1": OLD})
    under_new = sealer.seal(b"body", "call")
    assert [key_of(each)[0] for each in (under_old, under_new)] == ["k1", "k2"]
    assert [sealer.open(each, "call") for each in (under_old, under_new)] == [b"body", b"body"]
    sealer.use({"k2": NEW})
    with pytest.raises(SealedError, match="no such key"):
        sealer.open(under_old, "call")
