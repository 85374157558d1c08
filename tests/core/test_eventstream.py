"""The binary event stream: messages as they are written, cut anywhere, damaged anywhere."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.eventstream import EventStreamDecoder, Message, encode, messages

EVENT = {":event-type": "messageStop", ":content-type": "application/json", ":message-type": "event"}
WRITTEN = encode(EVENT, b'{"p":"abc","stopReason":"end_turn"}')

names = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=20)
some_messages = st.lists(
    st.builds(Message, st.dictionaries(names, st.text(max_size=30), max_size=4), st.binary(max_size=60)), max_size=6
)


def stream_of(sent: list[Message]) -> bytes:
    return b"".join(encode(message.headers, message.payload) for message in sent)  # type: ignore[arg-type]


def in_pieces(data: bytes, cuts: list[int]) -> tuple[list[Message], EventStreamDecoder]:
    decoder, found, at = EventStreamDecoder(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found += decoder.feed(data[at:cut])
        at = cut
    return found + decoder.flush(), decoder


def test_a_message_byte_by_byte():
    headers = b"\x0aevent-type\x07\x00\x04Test"
    lengths = struct.pack(">II", 12 + len(headers) + 2 + 4, len(headers))
    body = lengths + struct.pack(">I", crc32(lengths)) + headers + b"{}"
    written = body + struct.pack(">I", crc32(body))
    assert messages(written) == [Message({"event-type": "Test"}, b"{}")]
    assert encode({"event-type": "Test"}, b"{}") == written


def test_a_header_longer_than_the_headers_is_none():
    headers = b"\x0bevent-type\x07\x00\x04Test"
    lengths = struct.pack(">II", 12 + len(headers) + 4, len(headers))
    body = lengths + struct.pack(">I", crc32(lengths)) + headers
    assert messages(body + struct.pack(">I", crc32(body))) == []


def test_every_type_of_header():
    values = (
        b"\x01a\x00" + b"\x01b\x01" + b"\x01c\x02\xff" + b"\x01d\x03\x01\x00" + b"\x01e\x04\x00\x00\x00\x07"
        b"\x01f\x05\x00\x00\x00\x00\x00\x00\x00\x09" + b"\x01g\x06\x00\x02\xff\xfe" + b"\x01h\x07\x00\x02\xc3\xa9"
        b"\x01i\x08\x00\x00\x00\x00\x00\x00\x00\x0a" + b"\x01j\x09" + bytes(range(16))
    )
    head = struct.pack(">II", 16 + len(values), len(values))
    body = head + struct.pack(">I", crc32(head)) + values
    (message,) = messages(body + struct.pack(">I", crc32(body)))
    assert message.headers == {
        "a": True, "b": False, "c": -1, "d": 256, "e": 7, "f": 9, "g": b"\xff\xfe", "h": "é", "i": 10,
        "j": bytes(range(16)),
    }  # fmt: skip
    assert message.text("h") == "é"
    assert message.text("g") == message.text("none") == ""


@given(some_messages, st.data())
def test_cut_anywhere_it_says_the_same(sent: list[Message], data: st.DataObject):
    stream = stream_of(sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    found, decoder = in_pieces(stream, cuts)
    assert found == sent
    assert decoder.is_between_messages
    assert not decoder.is_damaged


@given(some_messages, st.data())
def test_a_message_that_is_cut_off_is_not_given(sent: list[Message], data: st.DataObject):
    stream = stream_of([*sent, Message({"x": "y"}, b"last")])
    end = data.draw(st.integers(len(stream_of(sent)) + 1, len(stream) - 1))
    decoder = EventStreamDecoder()
    assert decoder.feed(stream[:end]) == sent
    assert not decoder.is_between_messages
    assert decoder.flush() == []
    assert decoder.is_damaged


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_no_bytes_make_it_raise_and_their_cuts_do_not_matter(data: bytes, cuts: list[int]):
    assert in_pieces(data, [min(cut, len(data)) for cut in cuts])[0] == messages(data)


@given(st.binary(max_size=40), st.integers(0, len(WRITTEN)), st.integers(0, 3), st.lists(st.integers(0, 200)))
def test_what_is_damaged_is_passed_over_up_to_the_next_message(junk: bytes, at: int, skipped: int, cuts: list[int]):
    damaged = WRITTEN[:at] + b"\n\n" + junk + WRITTEN[at + skipped :]
    found, _ = in_pieces(damaged + WRITTEN + WRITTEN, [min(cut, len(damaged)) for cut in cuts])
    assert found[-2:] == messages(WRITTEN) * 2


@pytest.mark.parametrize("flipped", range(len(WRITTEN)))
def test_one_wrong_bit_is_noticed(flipped: int):
    wrong = bytearray(WRITTEN)
    wrong[flipped] ^= 1
    decoder = EventStreamDecoder()
    assert decoder.feed(bytes(wrong)) + decoder.flush() == []
    assert decoder.is_damaged


def test_zeros_are_no_messages():
    assert messages(bytes(100_000)) == []
