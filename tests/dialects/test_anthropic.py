"""What a person wants to know of a message, and what was spent on it, wherever it is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.span import ToolCall
from gateway.dialects import Answer, Billed, dialect_for
from gateway.dialects.anthropic_usage import anthropic_usage, later_usage
from gateway.errors import CallError
from pricing import Usage
from tests.dialects.anthropic_shapes import (
    ERROR,
    STREAMS,
    THINKING,
    TOOL,
    USAGE,
    WHOLE,
    block,
    dumped,
    end,
    event,
    start,
    text,
    whole,
)

MESSAGES = dialect_for(b"POST", b"/v1/messages")
FULL = Usage(
    input_tokens=1320,
    output_tokens=30,
    cached_input_tokens=1000,
    cache_write_tokens=300,
    cache_write_5m_tokens=200,
    cache_write_1h_tokens=100,
    reasoning_tokens=12,
    web_searches=2,
)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (USAGE, FULL),
        ({"input_tokens": 5}, Usage(input_tokens=5)),
        ({"output_tokens": 0}, Usage(output_tokens=0)),
        ({"input_tokens": 5.0, "output_tokens": -1}, Usage(input_tokens=5)),
        ({"input_tokens": 5, "cache_creation": None}, Usage(input_tokens=5)),
        ({"input_tokens": 5, "service_tier": "batch", "cache_read_input_tokens": "many"}, Usage(input_tokens=5)),
        (
            {"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 7}},
            Usage(input_tokens=8, cache_write_tokens=7, cache_write_1h_tokens=7),
        ),
        ({"input_tokens": 1, "iterations": []}, Usage(input_tokens=1)),
        ({"input_tokens": 10**30}, None),
        ({}, None),
        ({"service_tier": "standard"}, None),
        ([], None),
        (None, None),
    ],
)
def test_usage_objects(raw: Any, usage: Usage | None) -> None:
    spent = anthropic_usage(dumped(raw))
    assert (spent.usage if spent else None) == usage


def iteration(kind: str, tokens: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "input_tokens": tokens, "output_tokens": tokens // 10, **more}


@pytest.mark.parametrize(
    ("iterations", "usage", "also"),
    [
        (
            [iteration("compaction", 100, cache_read_input_tokens=50), iteration("message", 10)],
            Usage(input_tokens=160, output_tokens=11, cached_input_tokens=50),
            [],
        ),
        (
            [iteration("message", 10), iteration("advisor_message", 200, model="other"), iteration("message", 30)],
            Usage(input_tokens=40, output_tokens=4),
            [Billed("other", Usage(input_tokens=200, output_tokens=20), "priority")],
        ),
        (
            [iteration("message", 10, model="refused"), iteration("fallback_message", 30, model="claude-m-1")],
            Usage(input_tokens=30, output_tokens=3),
            [Billed("refused", Usage(input_tokens=10, output_tokens=1), "priority")],
        ),
        (
            [iteration("message", 10, model="refused"), iteration("fallback_message", 30, model="claude-m-1-2026")],
            Usage(input_tokens=30, output_tokens=3),
            [Billed("refused", Usage(input_tokens=10, output_tokens=1), "priority")],
        ),
    ],
)
def test_iterations_are_the_truth(iterations: list[Any], usage: Usage, also: list[Billed]) -> None:
    raw = {"input_tokens": 1, "output_tokens": 1, "service_tier": "priority", "iterations": iterations}
    spent = anthropic_usage(dumped(raw), "claude-m-1")
    assert spent is not None
    assert (spent.usage, spent.also, spent.service_tier) == (usage, also, "priority")


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"service_tier": "standard", "speed": "standard", "inference_geo": "not_available"}, "standard"),
        ({"service_tier": "standard", "inference_geo": "global"}, "standard"),
        ({"service_tier": "standard", "inference_geo": "us"}, "standard+us"),
        ({"service_tier": "priority", "inference_geo": "us", "speed": "fast"}, "priority+us+fast"),
        ({"speed": "fast", "inference_geo": None}, "standard+fast"),
        ({"speed": 5, "inference_geo": []}, None),
    ],
)
def test_the_tier_says_what_multiplies_a_price(said: dict[str, Any], tier: str | None) -> None:
    spent = anthropic_usage(dumped({"input_tokens": 1, "output_tokens": 1, **said}))
    assert spent is not None
    assert spent.service_tier == tier
    streamed = MESSAGES.settle(start(input_tokens=1, output_tokens=0, **said) + text(0, "Hi") + end(), True)
    assert streamed.service_tier == tier


def test_the_end_of_a_stream_replaces_and_never_adds() -> None:
    settled = MESSAGES.settle(
        start(**USAGE) + text(0, "Hi") + end(input_tokens=25, cache_read_input_tokens=None, output_tokens=40), True
    )
    assert settled.usage == Usage(
        input_tokens=1325,
        output_tokens=40,
        cached_input_tokens=1000,
        cache_write_tokens=300,
        cache_write_5m_tokens=200,
        cache_write_1h_tokens=100,
        reasoning_tokens=12,
        web_searches=2,
    )
    assert (settled.model, settled.service_tier, settled.complete) == ("claude-m-1", "standard", True)
    assert settled.usage_raw is not None
    assert json.loads(settled.usage_raw) == {**USAGE, "input_tokens": 25, "output_tokens": 40}


def test_a_damaged_start_leaves_the_end() -> None:
    assert later_usage(b"[", b'{"a":1}') == b'{"a":1}'
    assert later_usage(None, b'{"a": 1}') == b'{"a": 1}'


def test_what_a_whole_answer_says() -> None:
    read = MESSAGES.read(WHOLE[1], False, 200)
    assert (read.text, read.reasoning, read.response_id, read.finish_reasons) == ("Yes", "Hm.", "msg_1", ["end_turn"])
    assert (read.usage, read.model, read.service_tier) == (FULL, "claude-m-1", "standard")
    assert MESSAGES.read(WHOLE[2], False, 200).tool_calls == [
        ToolCall(name="weather", id="toolu_1", arguments='{"usage":{"a":1}}')
    ]


def test_what_a_stream_says() -> None:
    read = MESSAGES.read(STREAMS[2], True, 200)
    assert (read.text, read.reasoning, read.finish_reasons) == (None, "Hm.", ["tool_use"])
    assert read.tool_calls == [ToolCall(name="weather", id="toolu_1", arguments='{"city":"Paris"}')]
    assert MESSAGES.read(STREAMS[0], True, 200).text == "Hello"


def test_text_cut_for_its_citations_is_one_text_and_other_text_stands_apart() -> None:
    searched = [
        {"type": "text", "text": "Let me look."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "It is "},
        {"type": "text", "text": "sunny", "citations": []},
        {"type": "text", "text": "."},
    ]
    answer = MESSAGES.read(whole(*searched), False, 200)
    assert answer.text == "Let me look.\n\nIt is sunny."
    assert [call.name for call in answer.tool_calls] == ["web_search"]
    blocks = b"".join(block(index, each) for index, each in enumerate(searched))
    streamed = MESSAGES.read(start(**USAGE) + blocks + end(), True, 200)
    assert (streamed.text, streamed.tool_calls) == (answer.text, answer.tool_calls)


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (STREAMS[0], None),
        (STREAMS[3], None),
        (STREAMS[4], "Overloaded"),
        (STREAMS[5], "the answer carried an error"),
        (ERROR + event("error", error={"message": "later"}), "Overloaded"),
        (start() + block(0, {"type": "x", "error": {"message": "of a tool"}}), None),
    ],
)
def test_an_error_within_a_stream(stream: bytes, error: str | None) -> None:
    assert MESSAGES.settle(stream, True).error == error


@pytest.mark.parametrize(
    ("stream", "complete"),
    [
        (b"", False),
        (STREAMS[0], True),
        (STREAMS[0].replace(b'"type":', b'"type": '), True),
        (STREAMS[0].partition(event("message_stop"))[0], False),
        (STREAMS[0].rstrip(b"\n"), True),
        (STREAMS[0].rstrip(b"\n")[:-1], False),
        (STREAMS[3].partition(event("message_stop"))[0], False),
        (STREAMS[4], False),
    ],
)
def test_only_message_stop_is_a_clean_end(stream: bytes, complete: bool) -> None:
    assert MESSAGES.settle(stream, True).complete is complete


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (start(**USAGE), False),
        (start() + block(0, {"type": "text", "text": ""}), False),
        (start() + block(0, {"type": "thinking", "thinking": "", "signature": ""}), False),
        (start() + text(0, "H"), True),
        (start() + THINKING, True),
        (start() + TOOL, True),
        (start() + block(0, {"type": "redacted_thinking", "data": "abc"}), True),
    ],
)
def test_first_content(stream: bytes, found: bool) -> None:
    assert MESSAGES.first_content(stream) is found


def test_counting_tokens_uses_none() -> None:
    counting = dialect_for(b"POST", b"/v1/messages/count_tokens")
    assert counting.kind == "tokens"
    assert counting.settle(dumped({"input_tokens": 14}), False) == Answer()


def test_on_vertex_the_model_is_in_the_path() -> None:
    path = b"/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-m%401:rawPredict"
    vertex = dialect_for(b"POST", path)
    assert (vertex.model_in(path), vertex.streams(path), vertex.needs_model) == ("claude-m@1", False, False)
    assert vertex.with_model(path, "claude-n@2").endswith(b"/models/claude-n@2:rawPredict")
    assert vertex.settle(WHOLE[0], False).usage == FULL


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([{"role": "user", "content": "Hi"}], "Hi"),
        (
            [
                {"role": "user", "content": [{"type": "text", "text": "the question"}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "42"}]},
            ],
            "the question",
        ),
        ([{"role": "user", "content": [{"type": "image", "source": {}}, {"type": "text", "text": "what?"}]}], "what?"),
        ([], None),
    ],
)
def test_the_prompt_is_the_last_thing_a_user_said(messages: list[object], prompt: str | None) -> None:
    assert MESSAGES.prompt(dumped({"messages": messages})) == prompt


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (502, "api_error"),
        (504, "timeout_error"),
    ],
)
def test_the_shape_of_errors(status: int, kind: str) -> None:
    error = CallError(status, "why", "What was wrong.")
    shaped = {"type": "error", "error": {"type": kind, "message": "What was wrong.", "code": "why"}}
    assert json.loads(MESSAGES.error_body(error)) == shaped
    head, _, data = MESSAGES.error_event(error).partition(b"\n")
    assert head == b"event: error"
    assert json.loads(data.removeprefix(b"data: ")) == shaped
