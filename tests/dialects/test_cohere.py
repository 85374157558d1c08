"""What a person wants to know of a call to Cohere: what was billed is not what the model saw."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.span import ToolCall
from gateway.dialects import Answer, dialect_for
from gateway.errors import CallError
from pricing import Usage
from tests.dialects.cohere_shapes import (
    OLD_LINES,
    OLD_STREAMS,
    OLD_WHOLE,
    START,
    STREAMS,
    TEXT,
    THOUGHT,
    USAGE,
    WHOLE,
    dumped,
    end,
    whole,
)

CHAT = dialect_for(b"POST", b"/v2/chat")
OLD = dialect_for(b"POST", b"/v1/chat")
FULL = Usage(input_tokens=41, output_tokens=25, cached_input_tokens=144)
WEATHER = '{"city":"Paris"}'


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"usage": USAGE}, FULL),
        ({"meta": USAGE}, FULL),
        ({"usage": None, "meta": USAGE}, FULL),
        ({"usage": {"tokens": {"input_tokens": 9, "output_tokens": 2}}}, Usage(input_tokens=9, output_tokens=2)),
        ({"meta": {"billed_units": {"input_tokens": 5.0, "output_tokens": -1}}}, Usage(input_tokens=5)),
        ({"meta": {"billed_units": {"search_units": 2}}}, Usage(search_units=2)),
        ({"meta": {"billed_units": {"images": 3}}}, Usage(images=3)),
        (
            {"meta": {"billed_units": {"input_tokens": 2, "image_tokens": 1000}}},
            Usage(input_tokens=1002, image_input_tokens=1000),
        ),
        ({"meta": {"api_version": {"version": "2"}}}, None),
        ({"meta": {"billed_units": {}}}, None),
        ({"usage": []}, None),
        ({}, None),
    ],
)
def test_usage_is_what_is_billed(reported: dict[str, Any], usage: Usage | None) -> None:
    settled = CHAT.settle(dumped(reported), False)
    assert settled.usage == usage
    assert (settled.usage_raw is not None) == (usage is not None)


def test_what_a_whole_answer_says() -> None:
    read = CHAT.read(WHOLE[0], False, 200)
    assert (read.text, read.reasoning, read.response_id, read.finish_reasons) == ("Hello", "Hm.", "m-1", ["COMPLETE"])
    called = CHAT.read(WHOLE[1], False, 200)
    assert (called.reasoning, called.finish_reasons) == ("I will look.", ["TOOL_CALL"])
    assert called.tool_calls == [ToolCall(name="weather", id="c-1", arguments=WEATHER)]
    assert CHAT.read(whole({"content": "Hello"}), False, 200).text == "Hello"


def test_what_a_stream_says() -> None:
    read = CHAT.read(STREAMS[1], True, 200)
    assert (read.text, read.reasoning, read.finish_reasons, read.response_id) == ("Hello", "Hm.", ["COMPLETE"], "m-1")
    assert (read.usage, read.complete) == (FULL, True)
    called = CHAT.read(STREAMS[2], True, 200)
    assert (called.reasoning, called.finish_reasons) == ("I will look.", ["TOOL_CALL"])
    assert called.tool_calls == [
        ToolCall(name="weather", id="c-1", arguments=WEATHER),
        ToolCall(name="time", id="c-2", arguments="{}"),
    ]


@pytest.mark.parametrize("streaming", [False, True])
def test_version_1(streaming: bool) -> None:
    for data in OLD_STREAMS[:2] if streaming else [dumped(OLD_WHOLE)]:
        read = OLD.read(data, streaming, 200)
        assert (read.text, read.response_id, read.finish_reasons) == ("Hello", "r-1", ["COMPLETE"])
        assert read.tool_calls == [ToolCall(name="weather", arguments=WEATHER)]
        assert (read.usage, read.complete) == (FULL, True)


def test_lines_are_read_whatever_they_are_called() -> None:
    for line_stream in OLD_STREAMS:
        assert OLD.settle(line_stream, False) == OLD.settle(line_stream, True)
        assert OLD.read(line_stream, False, 200) == OLD.read(line_stream, True, 200)


def test_a_stream_of_version_1_that_was_cut_keeps_what_it_said() -> None:
    read = OLD.read(OLD_LINES, True, 200)
    assert (read.text, [call.name for call in read.tool_calls], read.complete) == ("Hello", ["weather"], False)


@pytest.mark.parametrize(
    ("stream", "complete", "error"),
    [
        (STREAMS[0], True, None),
        (START + TEXT, False, None),
        (STREAMS[0].rstrip(b"\n")[:-1], False, None),
        (STREAMS[3], True, None),
        (STREAMS[3].partition(b"event: message-end")[0], False, None),
        (STREAMS[4], True, "the stream ended with an error"),
        (STREAMS[5], True, "overloaded"),
        (START + TEXT + end("MAX_TOKENS"), True, None),
    ],
)
def test_the_end_of_a_stream(stream: bytes, complete: bool, error: str | None) -> None:
    settled = CHAT.settle(stream, True)
    assert (settled.complete, settled.error) == (complete, error)


@pytest.mark.parametrize(
    ("path", "body", "prompt"),
    [
        (b"/v2/chat", {"messages": [{"role": "user", "content": "Hi"}]}, "Hi"),
        (b"/v1/chat", {"message": "Hi", "chat_history": []}, "Hi"),
        (b"/v1/chat", {"message": ""}, None),
        (b"/v2/embed", {"texts": ["a", "b"]}, "a\nb"),
        (
            b"/v2/embed",
            {"inputs": [{"content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]}]},
            "a",
        ),
        (b"/v1/embed", {"images": ["data:image/png;base64,AA"]}, None),
        (b"/v2/rerank", {"query": "Which?", "documents": ["a"]}, "Which?"),
        (b"/v1/tokenize", {"text": "Hello"}, "Hello"),
        (b"/v1/detokenize", {"tokens": [1]}, None),
    ],
)
def test_the_prompt(path: bytes, body: dict[str, Any], prompt: str | None) -> None:
    assert dialect_for(b"POST", path).prompt(dumped(body)) == prompt


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"/v2/chat", "llm"),
        (b"/v1/chat", "llm"),
        (b"/v2/embed", "embedding"),
        (b"/v2/rerank", "rerank"),
        (b"/v1/tokenize", "tokens"),
    ],
)
def test_what_kind_of_call_it_is(path: bytes, kind: str) -> None:
    assert dialect_for(b"POST", path).kind == kind


def test_counting_tokens_uses_none() -> None:
    tokenize = dialect_for(b"POST", b"/v1/tokenize")
    assert tokenize.settle(WHOLE[5], False) == Answer()


def test_first_content() -> None:
    assert not CHAT.first_content(START)
    assert CHAT.first_content(START + THOUGHT)
    assert not OLD.first_content(OLD_LINES.splitlines(keepends=True)[0])
    assert OLD.first_content(OLD_LINES)


def test_a_broken_stream_ends_with_an_error_and_never_well() -> None:
    error = CallError(502, "upstream_reset", "It broke.")
    for dialect, stream in ((CHAT, START + TEXT), (OLD, OLD_LINES)):
        read = dialect.read(stream + dialect.error_event(error), True, 200)
        assert (read.error, read.finish_reasons) == ("It broke.", ["ERROR"])
    assert json.loads(CHAT.error_body(error)) == {"message": "It broke.", "code": "upstream_reset"}
