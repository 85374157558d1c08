from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sse import BOM, Event, SSEDecoder, events

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12).map(str.encode)
FIELDS = st.one_of(
    TEXT.map(lambda text: b"data: " + text),
    TEXT.map(lambda text: b"data:" + text),
    TEXT.map(lambda text: b"event: " + text),
    TEXT.map(lambda text: b": " + text),
    st.sampled_from([b"data", b"event", b"id: 7", b"retry: 10", b"datax: no", b"", b"", b""]),
)
LINES = st.lists(st.tuples(FIELDS, LINE_ENDS).map(b"".join), max_size=12)
STREAMS = st.tuples(st.sampled_from([b"", BOM]), LINES.map(b"".join), st.one_of(st.just(b""), FIELDS)).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


def fed(pieces: list[bytes]) -> list[Event]:
    decoder = SSEDecoder()
    found = [event for piece in pieces for event in decoder.feed(piece)]
    return found + decoder.flush()


@given(STREAMS, st.lists(st.integers(0, 400), max_size=8))
def test_pieces_give_the_events_of_the_whole(stream: bytes, places: list[int]) -> None:
    assert fed(cut(stream, places)) == events(stream)


@given(STREAMS)
def test_byte_for_byte_too(stream: bytes) -> None:
    assert fed([stream[i : i + 1] for i in range(len(stream))]) == events(stream)


@given(st.binary(max_size=80), st.lists(st.integers(0, 80), max_size=5))
def test_any_bytes_are_read_the_same_however_they_are_cut(data: bytes, places: list[int]) -> None:
    assert fed(cut(data, places)) == events(data)


@given(st.lists(st.tuples(st.none() | TEXT, st.lists(TEXT, min_size=1, max_size=3)), max_size=5), LINE_ENDS)
def test_what_was_written_is_what_is_read(written: list[tuple[bytes | None, list[bytes]]], end: bytes) -> None:
    lines = []
    for name, parts in written:
        lines += [b"event: " + name] if name is not None else []
        lines += [b"data: " + part for part in parts] + [b""]
    stream = b"".join(line + end for line in lines)
    assert events(stream) == [Event(name, b"\n".join(parts)) for name, parts in written]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", []),
        (b"data: a\n\n", [Event(None, b"a")]),
        (b"data:a\n\n", [Event(None, b"a")]),
        (b"data:  a \n\n", [Event(None, b" a ")]),
        (b"data\n\n", [Event(None, b"")]),
        (b"data: a\ndata: b\n\n", [Event(None, b"a\nb")]),
        (b"data: a\rdata: b\r\r", [Event(None, b"a\nb")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event(None, b"a"), Event(None, b"b")]),
        (b"event: error\ndata: {}\n\n", [Event(b"error", b"{}")]),
        (b"event: lonely\n\ndata: a\n\n", [Event(None, b"a")]),
        (b": OPENROUTER PROCESSING\n\ndata: a\n\n", [Event(None, b"a")]),
        (b"data: a\n: in between\ndata: b\n\n", [Event(None, b"a\nb")]),
        (BOM + b"data: a\n\n", [Event(None, b"a")]),
        (BOM + BOM + b"data: a\n\n", []),
        ("data: a\u2028b\u2029c\x85d\x0be\n\n".encode(), [Event(None, "a\u2028b\u2029c\x85d\x0be".encode())]),
        (b"data: a\n\ndata: last", [Event(None, b"a"), Event(None, b"last")]),
        (b"data: a\n\ndata: last\r", [Event(None, b"a"), Event(None, b"last")]),
        (b"\n\n\r\n\rdata: a\n\n\n\n", [Event(None, b"a")]),
    ],
)
def test_the_letter_of_the_standard(stream: bytes, expected: list[Event]) -> None:
    assert events(stream) == expected


def test_an_event_is_given_as_soon_as_its_blank_line_is_there() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event(None, b"a")]
    assert decoder.feed(b"data: b\r\n\r") == []
    assert decoder.feed(b"\n") == [Event(None, b"b")]


def test_a_line_of_a_megabyte_is_one_event() -> None:
    long = b"x" * 1_000_000
    assert fed(cut(b"data: " + long + b"\n\n", list(range(0, 1_000_000, 65_536)))) == [Event(None, long)]
