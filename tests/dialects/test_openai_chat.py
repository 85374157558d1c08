"""What a person wants to know of a chat: text, reasoning, tools, the question; and usage wherever it hides."""

from __future__ import annotations

import pytest

from gateway.core.span import ToolCall
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_usage import openai_usage
from pricing import Usage
from tests.dialects.openai_shapes import (
    CALLS,
    DONE,
    HELLO,
    ROLE,
    STOP,
    STREAMS,
    USAGE,
    WHOLE,
    chunk,
    dumped,
    whole,
)

CHAT = OpenAIChat()
FULL = Usage(
    input_tokens=120,
    output_tokens=30,
    total_reported=150,
    cached_input_tokens=64,
    audio_input_tokens=0,
    reasoning_tokens=12,
    audio_output_tokens=0,
)


@pytest.mark.parametrize(
    ("answer", "text", "reasoning"),
    [
        (WHOLE[0], "Hello there", None),
        (WHOLE[1], "No.", None),
        (WHOLE[2], "one\ntwo", "Hm."),
        (whole({"content": ""}), None, None),
    ],
)
def test_what_a_whole_answer_says(answer: bytes, text: str | None, reasoning: str | None) -> None:
    read = CHAT.read(answer, False, 200)
    assert (read.text, read.reasoning, read.response_id) == (text, reasoning, "c-1")


def test_what_a_stream_says() -> None:
    read = CHAT.read(STREAMS[0], True, 200)
    assert (read.text, read.finish_reasons, read.complete, read.usage) == ("Hello there", ["stop"], True, FULL)
    assert CHAT.read(STREAMS[14], True, 200).reasoning == "Hm."


def test_choices_are_kept_apart() -> None:
    def part(index: int, text: str) -> bytes:
        return b"data: " + dumped({"choices": [{"index": index, "delta": {"content": text}}]}) + b"\n\n"

    stream = part(1, "other") + part(0, "one") + part(1, " way") + part(0, " way")
    assert CHAT.read(stream, True, 200).text == "one way\n\nother way"


def test_tool_calls_are_put_together_from_their_pieces() -> None:
    assert CHAT.read(ROLE + CALLS, True, 200).tool_calls == [
        ToolCall(name="weather", id="call-1", arguments='{"city":"Paris"}'),
        ToolCall(name="time", id="call-2", arguments="{}"),
    ]
    old = whole({"content": None, "function_call": {"name": "weather", "arguments": "{}"}}, "function_call")
    assert CHAT.read(old, False, 200).tool_calls == [ToolCall(name="weather", arguments="{}")]
    unquoted = whole({"tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Paris"}}}]})
    assert CHAT.read(unquoted, False, 200).tool_calls == [ToolCall(name="weather", arguments='{"city":"Paris"}')]


@pytest.mark.parametrize("stream", [*STREAMS[:8], STREAMS[14]])
def test_usage_is_found_wherever_a_stream_has_it(stream: bytes) -> None:
    assert CHAT.settle(stream, True).usage == FULL


def test_the_last_usage_of_a_stream_counts() -> None:
    later = {**USAGE, "completion_tokens": 31}
    stream = HELLO + chunk(None, usage=USAGE) + chunk(None, usage=later) + DONE
    settled = CHAT.settle(stream, True)
    assert (settled.usage and settled.usage.output_tokens, settled.usage_raw) == (31, dumped(later))


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (STREAMS[8], "overloaded"),
        (STREAMS[9], "overloaded"),
        (STREAMS[10], "overloaded"),
        (STREAMS[11], "overloaded"),
        (STREAMS[12], "the answer carried an error"),
        (STREAMS[13], None),
        (ROLE + b"event: errors\ndata: {}\n\n" + STOP, None),
        (ROLE + b'data: {"choices":[{"index":0,"delta":{},"error":{"message":"no"}}]}\n\n', None),
    ],
)
def test_an_error_within_a_stream(stream: bytes, error: str | None) -> None:
    assert CHAT.settle(stream, True).error == error
    assert CHAT.read(stream, True, 200).error == error


@pytest.mark.parametrize(
    ("stream", "complete"),
    [
        (b"", False),
        (ROLE, False),
        (ROLE + HELLO, False),
        (ROLE + HELLO + STOP, True),
        (ROLE + HELLO + STOP[:-30], False),
        (ROLE + HELLO + DONE, True),
        (ROLE + HELLO + b"data:[DONE]", True),
        (ROLE + HELLO + b"data: [DON", False),
        (STREAMS[13].partition(b'"finish_reason":"stop"')[0], False),
        (ROLE + chunk({}, ""), False),
    ],
)
def test_a_stream_is_complete_with_its_finish_or_its_end_mark(stream: bytes, complete: bool) -> None:
    assert CHAT.settle(stream, True).complete is complete


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (ROLE, False),
        (b": ping\n\n" + ROLE, False),
        (chunk({"content": None}), False),
        (STOP, False),
        (chunk(None, usage=USAGE), False),
        (ROLE + HELLO, True),
        (chunk({"reasoning_content": "Hm"}), True),
        (chunk({"refusal": "No"}), True),
        (CALLS, True),
    ],
)
def test_the_first_content_is_no_role_and_no_empty_delta(stream: bytes, found: bool) -> None:
    assert CHAT.first_content(stream) is found


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hi"}], "Hi"),
        (
            [
                {"role": "user", "content": "one"},
                {"role": "assistant", "content": "x"},
                {"role": "user", "content": "2"},
            ],
            "2",
        ),
        ([{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url"}]}], "see"),
        ([{"role": "user", "content": "Hi"}, {"role": "tool", "content": "42"}], "Hi"),
        ([{"role": "user", "content": [{"type": "image_url"}]}, {"role": "system", "content": "s"}], "s"),
        ([{"role": "user", "content": [{"text": 7}, None]}], None),
        ([], None),
    ],
)
def test_the_prompt_is_the_last_thing_a_user_said(messages: list[object], prompt: str | None) -> None:
    assert CHAT.prompt(dumped({"messages": messages})) == prompt


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (b'{"prompt_tokens":5}', Usage(input_tokens=5)),
        (b'{"total_tokens":5}', Usage(input_tokens=5, total_reported=5)),
        (b'{"completion_tokens":0}', Usage(output_tokens=0)),
        (b'{"prompt_tokens":5.0}', Usage(input_tokens=5)),
        (b'{"prompt_tokens":5,"prompt_cache_hit_tokens":4}', Usage(input_tokens=5, cached_input_tokens=4)),
        (b'{"prompt_tokens":5,"cached_tokens":4}', Usage(input_tokens=5, cached_input_tokens=4)),
        (b'{"prompt_tokens":5,"num_cached_tokens":4}', Usage(input_tokens=5, cached_input_tokens=4)),
        (b'{"prompt_tokens":5,"prompt_tokens_details":null}', Usage(input_tokens=5)),
        (
            b'{"prompt_tokens":5,"prompt_tokens_details":{"cache_write_tokens":2,"cached_tokens":0}}',
            Usage(input_tokens=5, cache_write_tokens=2, cached_input_tokens=0),
        ),
        (b'{"prompt_tokens":5,"reasoning_tokens":2}', Usage(input_tokens=5, reasoning_tokens=2)),
        (
            b'{"prompt_tokens":5,"server_tool_use":{"web_search_requests":2}}',
            Usage(input_tokens=5, web_searches=2),
        ),
        (b'{"prompt_tokens":5,"completion_tokens":-3.0}', Usage(input_tokens=5)),
        (b'{"prompt_tokens":5,"completion_tokens":99999999999999999999}', Usage(input_tokens=5)),
        (b'{"prompt_tokens":5,"completion_tokens":1e300}', Usage(input_tokens=5)),
        (b'{"prompt_tokens":9007199254740992}', Usage(input_tokens=2**53)),
        (b"{}", None),
        (b"null", None),
        (b"[]", None),
        (b'{"prompt_tokens":"5"}', None),
        (b'{"prompt_tokens":1e999}', None),
    ],
)
def test_usage_objects(raw: bytes, usage: Usage | None) -> None:
    assert openai_usage(raw) == usage
