from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import Context, dialect_for
from gateway.proxy import tap as tapping
from gateway.proxy.tap import TAIL_BYTES, Tap, decoded, decoding
from pricing import Usage

NOISE = random.Random(1).randbytes(400_000)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=12), st.integers(0, 200), st.integers(0, 250))
def test_the_beginning_is_kept_byte_for_byte(pieces: list[bytes], limit: int, cut: int) -> None:
    tap = Tap(limit)
    for piece in pieces:
        tap.add(piece)
    whole = b"".join(pieces)
    assert (tap.size, tap.kept) == (len(whole), min(len(whole), limit))
    assert b"".join(tap.head) == whole[:limit]
    assert b"".join(tap.first(cut)) == whole[: min(cut, limit)]
    assert tap.joined() == whole


def test_of_a_long_body_the_middle_is_dropped_and_the_tail_begins_a_line() -> None:
    tap = Tap(1000)
    for start in range(0, len(NOISE), 1000):
        tap.add(NOISE[start : start + 1000])
    joined = tap.joined()
    head, tail = joined[:1000], joined[1002:]
    assert (tap.size, head, joined[1000:1002]) == (len(NOISE), NOISE[:1000], b"\n\n")
    assert NOISE.endswith(tail)
    assert TAIL_BYTES <= len(tail) < TAIL_BYTES + 1000


def test_memory_is_bounded_whatever_flows_by() -> None:
    tap = Tap(1000)
    for _ in range(2000):
        tap.add(b"x" * 1000)
    assert tap.size == 2_000_000
    assert len(tap.joined()) <= 1000 + TAIL_BYTES + 1002


CODED = {
    b"gzip": gzip.compress(NOISE),
    b"deflate": zlib.compress(NOISE),
    b"zstd": zstandard.ZstdCompressor().compress(NOISE),
}


@pytest.mark.parametrize("encoding", CODED)
def test_a_coded_body_is_decoded_and_a_cut_one_gives_its_beginning(encoding: bytes) -> None:
    body = CODED[encoding]
    assert decoded(body, encoding) == NOISE
    for cut in (0, 1, 10, len(body) // 2, len(body) - 1):
        assert NOISE.startswith(decoded(body[:cut], encoding))
    assert len(decoded(body[: len(body) // 2], encoding)) > 100_000


@pytest.mark.parametrize("encoding", [*CODED, b"br"])
def test_what_cannot_be_decoded_is_nothing(encoding: bytes) -> None:
    assert decoded(b"plain text", encoding) == b""


@pytest.mark.parametrize("encoding", [None, b"", b"identity"])
def test_a_plain_body_stays(encoding: bytes | None) -> None:
    assert decoded(b"plain text", encoding) == b"plain text"


@pytest.mark.parametrize("encoding", CODED)
def test_a_bomb_does_not_go_off(encoding: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tapping, "MOST_DECODED", 100_000)
    assert decoded(CODED[encoding], encoding) == NOISE[:100_000]


RESULTS = b"/v1/files/file-1/content"
LINES = b'{"custom_id":"c","response":{"status_code":200,"body":{"usage":{"prompt_tokens":3}}}}\n' * 200


def metered(body: bytes, encoding: bytes | None, step: int) -> Usage | None:
    meter = decoding(dialect_for(b"GET", RESULTS).meter(), encoding)
    assert meter is not None
    for at in range(0, len(body), step):
        meter.feed(body[at : at + step])
    return meter.settle(Context(RESULTS)).usage


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        (None, bytes),
        (b"identity", bytes),
        (b"gzip", gzip.compress),
        (b"deflate", zlib.compress),
        (b"zstd", zstandard.ZstdCompressor().compress),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_body_is_metered_without_its_coding(
    encoding: bytes | None, encode: Callable[[bytes], bytes], step: int
) -> None:
    assert metered(encode(LINES), encoding, step) == Usage(input_tokens=600, largest_input_tokens=3)


@pytest.mark.parametrize("encoding", [b"gzip", b"zstd"])
def test_what_cannot_be_decoded_is_not_metered(encoding: bytes) -> None:
    assert metered(LINES, encoding, 50) is None


def test_nothing_is_metered_where_there_is_no_meter() -> None:
    assert decoding(None, b"gzip") is None
