from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.usage_chunk import UsageChunkFilter

USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}'
OTHERS = [
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}',
    b'data: {"id":"c","choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":9}}',
    b'data: {"id":"c","choices":[],"prompt_filter_results":[]}',
    b'data: {"id":"c","choices":[],"usage":null}',
    b'data: {"id":"c","choices":[],"usage":{}}',
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9},"error":{"message":"overloaded"}}',
    b'data: {"id":"c","choices":[{"delta":{"content":"\\"choices\\":[],\\"usage\\":{\\"a\\":1}"}}]}',
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9}',
    b": PROCESSING",
    b"event: ping\ndata: {}",
    b"data: [DONE]",
    b"data: " + json.dumps({"choices": [{"delta": {"content": "long " * 10_000}}]}).encode(),
]
"""Events that stay, whatever they look like. The last is longer than what is held."""
SPACED = USAGE.replace(b'"choices":[]', b'"choices" : [ ]')

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def terminated(event: bytes, end: bytes) -> bytes:
    return event.replace(b"\n", end) + end + end


EVENTS = st.tuples(st.sampled_from(OTHERS), LINE_ENDS).map(lambda pair: terminated(*pair))
PLACES = st.lists(st.integers(0, 60_000), max_size=8)


def filtered(stream: bytes, places: list[int]) -> tuple[bytes, bool]:
    """What comes out of a stream cut at these places, and whether anything was taken out."""
    at = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    taking = UsageChunkFilter()
    out = [taking.feed(stream[a:b]) for a, b in itertools.pairwise(at)]
    return b"".join([*out, taking.flush()]), taking.removed


@given(st.lists(EVENTS, max_size=4), st.lists(EVENTS, max_size=3), st.sampled_from([USAGE, SPACED]), LINE_ENDS, PLACES)
def test_the_usage_chunk_goes_and_every_other_byte_stays(
    before: list[bytes], after: list[bytes], usage: bytes, end: bytes, places: list[int]
) -> None:
    head, tail = b"".join(before), b"".join(after)
    assert filtered(head + terminated(usage, end) + tail, places) == (head + tail, True)


@given(st.lists(EVENTS, max_size=5), st.sampled_from([b"", b"data: {", b"\n", b"da", b"data: x\r"]), PLACES)
def test_without_one_nothing_goes(stream: list[bytes], rest: bytes, places: list[int]) -> None:
    whole = b"".join(stream) + rest
    assert filtered(whole, places) == (whole, False)


@given(st.binary(max_size=200), PLACES)
def test_any_bytes_pass(data: bytes, places: list[int]) -> None:
    assert filtered(data, places) == (data, False)


@given(st.lists(EVENTS, max_size=2), LINE_ENDS, st.integers(0, 200))
def test_at_every_single_cut_around_the_chunk(before: list[bytes], end: bytes, offset: int) -> None:
    head = b"".join(before)
    assert filtered(head + terminated(USAGE, end) + b"data: [DONE]\n\n", [len(head) + offset]) == (
        head + b"data: [DONE]\n\n",
        True,
    )


@pytest.mark.parametrize("blank", [b"\n", b"\n\n", b"\r\n", b"\r\n\n"])
@pytest.mark.parametrize("place", range(12))
def test_blank_lines_before_it_are_the_providers(blank: bytes, place: int) -> None:
    head = b"data: a\n\n" + blank
    assert filtered(head + USAGE + b"\n\n" + b"data: [DONE]\n\n", [place]) == (head + b"data: [DONE]\n\n", True)


@pytest.mark.parametrize("cut_at", range(8))
def test_an_event_too_long_to_hold_does_not_hide_the_chunk_after_it(cut_at: int) -> None:
    for end in (b"\n", b"\r\n"):
        long = terminated(OTHERS[-1], end)
        stream = long + terminated(USAGE, end) + b"data: [DONE]\n\n"
        assert filtered(stream, [40_000, len(long) - 4 + cut_at]) == (long + b"data: [DONE]\n\n", True)


def test_only_the_first_is_taken() -> None:
    usage = terminated(USAGE, b"\n")
    assert filtered(usage + usage, []) == (usage, True)


def test_one_that_the_stream_ends_in_is_taken_too() -> None:
    assert filtered(b"data: a\n\n" + USAGE, [3]) == (b"data: a\n\n", True)
    assert filtered(b"data: a\n\n" + USAGE + b"\n", [3, 30]) == (b"data: a\n\n", True)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("event", OTHERS)
def test_a_whole_event_passes_at_once(event: bytes, end: bytes) -> None:
    taking = UsageChunkFilter()
    for _ in range(2):
        whole = terminated(event, end)
        assert taking.feed(whole) == whole


def test_a_long_event_is_passed_on_while_it_comes() -> None:
    taking = UsageChunkFilter()
    first = b"data: " + b"x" * 40_000
    assert taking.feed(first) == first
    assert taking.feed(b"yyy") == b"yyy"
    assert taking.feed(b"\n\n" + USAGE + b"\n\n") == b"\n\n"
