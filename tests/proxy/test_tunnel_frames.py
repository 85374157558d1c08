"""WebSocket frames: as RFC 6455 shows them, cut anywhere, in pieces, too large, and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.tunnel_frames import (
    BINARY,
    CLOSE,
    MOST_READ,
    NO_CODE,
    TEXT,
    FrameReader,
    Message,
    close_code,
    close_frame,
    frame,
)


def read(data: bytes, *cuts: int) -> tuple[list[Message], FrameReader]:
    reader, found, at = FrameReader(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found += reader.feed(data[at:cut])
        at = cut
    return found, reader


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x81\x05Hello", Message(TEXT, b"Hello")),
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Message(TEXT, b"Hello")),
        (b"\x01\x03Hel\x80\x02lo", Message(TEXT, b"Hello")),
        (b"\x01\x03Hel\x89\x04ping\x80\x02lo", Message(TEXT, b"Hello")),
        (b"\x82\x7e\x01\x00" + b"x" * 256, Message(BINARY, b"x" * 256)),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + b"x" * 65536, Message(BINARY, b"x" * 65536)),
        (b"\x88\x02\x03\xe8", Message(CLOSE, b"\x03\xe8")),
    ],
    ids=["plain", "masked", "fragments", "a ping between", "256 bytes", "64 KiB", "close"],
)
def test_the_examples_of_the_rfc(data: bytes, message: Message):
    for cuts in ((), (1,), (3, 7), tuple(range(min(len(data), 40)))):
        found, reader = read(data, *cuts)
        assert found == [message]
        assert reader.is_between_frames


some_messages = st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300), st.booleans()), max_size=6)


@given(some_messages, st.data())
def test_cut_anywhere_it_says_the_same(sent: list[tuple[int, bytes, bool]], data: st.DataObject):
    stream = b"".join(frame(opcode, payload, masked=masked) for opcode, payload, masked in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    found, reader = read(stream, *cuts)
    assert found == [Message(opcode, payload) for opcode, payload, _ in sent]
    assert reader.is_between_frames


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_no_bytes_make_it_raise(data: bytes, cuts: list[int]):
    assert read(data, *(min(cut, len(data)) for cut in cuts))[0] == read(data)[0]


@pytest.mark.parametrize("bad", [b"\xc1\x01x", b"\x83\x00", b"\x8b\x00", b"\x89\x7e\x00\x80" + b"x" * 128])
def test_what_is_no_frame_ends_the_reading(bad: bytes):
    """A compressed one, opcodes nobody has defined, a ping that is too long."""
    found, reader = read(bad + frame(TEXT, b"after"))
    assert found == []
    assert reader.is_lost
    assert not reader.is_between_frames
    assert reader.feed(frame(TEXT, b"more")) == []


@pytest.mark.parametrize("in_fragments", [False, True])
def test_a_message_that_is_too_long_passes_unread(in_fragments: bool):
    big = b"x" * MOST_READ
    if in_fragments:
        pieces = b"\x01" + frame(TEXT, big)[1:] + b"\x00" + frame(TEXT, b"y" * 200)[1:] + b"\x80\x00"
    else:
        pieces = frame(TEXT, big + b"x")
    found, reader = read(pieces + frame(TEXT, b"next"), 5, 1000, MOST_READ - 3, MOST_READ + 50)
    assert found == [Message(TEXT, b"next")]
    assert reader.is_between_frames


def test_a_close_frame_says_why():
    (message,) = read(close_frame(1008, "é" * 100, masked=True))[0]
    assert close_code(message.data) == (1008, "é" * 61)
    assert close_code(b"") == (NO_CODE, "")
