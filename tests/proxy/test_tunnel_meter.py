"""The turns of a session, from the bytes of its two directions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.tunnel_frames import TEXT, close_frame, frame
from gateway.proxy.tunnel_meter import MOST_KEPT, Meter, Turn
from tests.dialects.realtime_shapes import BEGUN, CREATED, DONE, SAYS, TRANSCRIBED, event

UPDATED = event("session.updated", session={"audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}})


def sent(*events: bytes, masked: bool = False) -> bytes:
    return b"".join(frame(TEXT, each, masked=masked) for each in events)


def test_a_turn_from_its_beginning_to_its_end():
    meter = Meter()
    assert meter.provider(sent(CREATED), 1) == []
    meter.client(sent(SAYS, event("input_audio_buffer.append", audio="A" * 1000), masked=True))
    assert meter.provider(sent(BEGUN), 5) == []
    assert meter.in_turn
    assert meter.broken_off() == Turn(b"", [SAYS], "gpt-realtime-2025-08-28", 5)
    assert meter.provider(sent(DONE), 9) == [Turn(DONE, [SAYS], "gpt-realtime-2025-08-28", 5)]
    assert not meter.in_turn
    assert meter.broken_off() is None
    assert meter.provider(sent(DONE), 10) == [Turn(DONE, [], "gpt-realtime-2025-08-28", 10)]


def test_a_transcription_is_another_models():
    meter = Meter()
    assert meter.provider(sent(CREATED, UPDATED, TRANSCRIBED), 3) == [
        Turn(TRANSCRIBED, [], "gpt-4o-mini-transcribe", 3)
    ]
    assert meter.model == "gpt-realtime-2025-08-28"


@given(st.lists(st.integers(0, 4000), max_size=10))
def test_cut_anywhere_the_turns_are_the_same(cuts: list[int]):
    stream, meter, turns, at = sent(CREATED, BEGUN, DONE, TRANSCRIBED, BEGUN), Meter(), [], 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        turns += meter.provider(stream[at:cut], 1)
        at = cut
    assert [turn.event for turn in turns] == [DONE, TRANSCRIBED]
    assert meter.in_turn


def test_what_a_client_says_is_kept_in_bounds():
    meter = Meter()
    long = event("conversation.item.create", item={"content": [{"text": "x" * (MOST_KEPT // 3)}]})
    meter.client(sent(*[long] * 5, masked=True))
    (turn,) = meter.provider(sent(DONE), 1)
    assert turn.asked == [long, long]


def test_the_close_is_remembered_and_no_json_is_passed_over():
    meter = Meter()
    assert meter.provider(sent(b"no json", b"[1]") + close_frame(1011, "Full."), 1) == []
    assert meter.close == (1011, "Full.")
