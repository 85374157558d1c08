from __future__ import annotations

import gzip
import random
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallError
from gateway.proxy.incoming import HeldBody

LIMIT = 100_000
NOISE = random.Random(1).randbytes(LIMIT)
CODE = {
    None: bytes,
    b"identity": bytes,
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"zstd": zstandard.ZstdCompressor().compress,
}
COMPRESSED = [encoding for encoding in CODE if encoding not in (None, b"identity")]


def held(data: bytes, encoding: bytes | None, step: int = 7000, declared: int | None = None) -> bytes:
    body = HeldBody(LIMIT, encoding, declared)
    for start in range(0, len(data), step):
        body.feed(data[start : start + step])
    return body.finish()


def refused(data: bytes, encoding: bytes | None, declared: int | None = None) -> CallError:
    with pytest.raises(CallError) as caught:
        held(data, encoding, declared=declared)
    return caught.value


@pytest.mark.parametrize("encoding", CODE)
@pytest.mark.parametrize("step", [1, 4096, 10**9])
def test_a_body_comes_out_decoded_however_it_came_in(encoding: bytes | None, step: int) -> None:
    small = NOISE[:3000]
    assert held(CODE[encoding](small), encoding, step) == small


@given(st.lists(st.binary(max_size=20), max_size=6), st.sampled_from([None, b"gzip", b"zstd"]))
def test_any_pieces(pieces: list[bytes], encoding: bytes | None) -> None:
    whole = b"".join(pieces)
    assert held(CODE[encoding](whole), encoding, 5) == whole


@pytest.mark.parametrize("encoding", CODE)
def test_the_limit_counts_what_is_decoded(encoding: bytes | None) -> None:
    error = refused(CODE[encoding](b"\0" * (LIMIT + 1)), encoding)
    assert (error.status, error.code) == (413, "request_too_large")
    assert held(CODE[encoding](b"\0" * LIMIT), encoding) == b"\0" * LIMIT


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_a_bomb_does_not_go_off(encoding: bytes) -> None:
    bomb = CODE[encoding](b"\0" * 50_000_000)
    assert len(bomb) < LIMIT
    assert refused(bomb, encoding).status == 413


def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    for encoding in (None, b"gzip"):
        with pytest.raises(CallError, match="larger than") as caught:
            HeldBody(LIMIT, encoding, LIMIT + 1)
        assert caught.value.status == 413
    HeldBody(LIMIT, None, LIMIT)


def test_a_body_over_the_limit_is_refused_as_soon_as_it_is() -> None:
    body = HeldBody(LIMIT, None, None)
    body.feed(b"x" * LIMIT)
    with pytest.raises(CallError, match="larger than"):
        body.feed(b"x")


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip", b"deflate"])
def test_a_cut_body_is_refused(encoding: bytes) -> None:
    whole = CODE[encoding](NOISE[:3000])
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        assert refused(whole[:cut], encoding).status == 400


def test_of_a_cut_zstd_body_at_most_its_beginning_comes_out() -> None:
    whole = CODE[b"zstd"](NOISE[:3000])
    for cut in range(0, len(whole), 100):
        assert NOISE[:2999].startswith(held(whole[:cut], b"zstd"))


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_what_is_not_coded_as_it_says_is_refused(encoding: bytes) -> None:
    error = refused(b'{"model": "x"}', encoding)
    assert (error.status, encoding.decode() in error.message) == (400, True)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_what_comes_after_the_end_is_refused_and_not_kept(encoding: bytes) -> None:
    for after in (b"x", CODE[encoding](b"more")):
        assert refused(CODE[encoding](b"{}") + after, encoding).status == 400
    body = HeldBody(LIMIT, encoding, None)
    body.feed(CODE[encoding](b"{}"))
    with pytest.raises(CallError):
        body.feed(b"x" * 1_000_000)


@pytest.mark.parametrize("encoding", [b"br", b"gzip, gzip", b"aws-chunked", b"\xff"])
def test_an_encoding_that_is_not_known(encoding: bytes) -> None:
    error = refused(b"{}", encoding)
    assert (error.status, error.code) == (400, "unsupported_encoding")
