"""One event of a realtime session, and what it says of a turn."""

from __future__ import annotations

import pytest

from gateway.core.span import ToolCall
from gateway.dialects import Dialect, dialect_for
from gateway.dialects.realtime import realtime_usage
from pricing import Usage
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract
from tests.dialects.realtime_shapes import BEGUN, DONE, FAILED, SAYS, TRANSCRIBED

REALTIME = dialect_for(b"GET", b"/v1/realtime")


@pytest.fixture
def dialect() -> Dialect:
    return REALTIME


@pytest.fixture
def whole() -> list[bytes]:
    return [DONE, FAILED, TRANSCRIBED]


@pytest.fixture
def streams() -> list[bytes]:
    """A turn is one event; the connection's stream is the tunnel's to read."""
    return [DONE]


# What of the contract is about streams of events does not apply: nothing is relayed as one.
del test_its_errors_say_the_same_as_a_body_and_as_an_event  # noqa: F821
del test_first_content_once_there_stays  # noqa: F821


def test_a_response():
    answer = REALTIME.read(DONE, False, 200)
    assert answer.usage == Usage(
        input_tokens=132,
        output_tokens=121,
        total_reported=253,
        cached_input_tokens=64,
        cached_audio_tokens=4,
        audio_input_tokens=13,
        image_input_tokens=0,
        audio_output_tokens=91,
    )
    assert (answer.response_id, answer.text, answer.finish_reasons) == ("resp_1", "Good day.", ["completed"])
    assert answer.tool_calls == [ToolCall("get_time", "call_1", "{}")]
    assert answer.error is None


def test_a_response_that_failed():
    answer = REALTIME.settle(FAILED, False)
    assert (answer.error, answer.usage) == ("It broke.", None)


def test_a_transcription():
    answer = REALTIME.read(TRANSCRIBED, False, 200)
    assert answer.usage == Usage(input_tokens=13, output_tokens=9, total_reported=22, audio_input_tokens=13)
    assert answer.text == "Hello."
    assert realtime_usage(b'{"type":"duration","seconds":3.5}') == Usage(audio_seconds=3.5)


def test_any_other_event_says_nothing():
    assert REALTIME.settle(BEGUN, False) == REALTIME.settle(b"", False)


def test_the_prompt_is_the_last_text_the_client_said():
    assert REALTIME.prompt(SAYS + b'\n{"type":"response.create"}') == "What time is it?"
    assert REALTIME.prompt(b"") is None
