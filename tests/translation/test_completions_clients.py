"""Clients of OpenAI's completions at models that chat."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import dialect_for
from tests.translation.provider import events, translated
from tests.translation.test_what_is_asked import MESSAGES_ANSWER, asked

PATH = "/v1/completions"
READ = dialect_for(b"POST", PATH.encode())


def test_a_prompt_is_a_message() -> None:
    got = asked("anthropic", PATH, prompt=["Once upon"], max_tokens=20, temperature=0.5, stop=["END"])
    assert got.path == "/v1/messages"
    assert got.json["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Once upon"}]}]
    assert (got.json["max_tokens"], got.json["temperature"], got.json["stop_sequences"]) == (20, 0.5, ["END"])
    assert asked("anthropic", PATH, prompt="x").json["max_tokens"] == 16, "OpenAI's default"


def test_the_answer_is_a_completion_and_its_usage_the_providers() -> None:
    status, _, data, _ = translated(MESSAGES_ANSWER, "anthropic", PATH, {"model": "m", "prompt": "x"})
    assert status == 200
    said = json.loads(data)
    assert said["object"] == "text_completion"
    assert said["choices"] == [{"index": 0, "text": "yes", "logprobs": None, "finish_reason": "stop"}]
    read = READ.read(data, False, 200)
    assert read.usage is not None
    assert (read.text, read.model, read.usage.input_tokens, read.usage.output_tokens) == ("yes", "m-1", 3, 1)


CHUNKS: list[Any] = [
    {"type": "message_start", "message": {"id": "1", "model": "m-1", "usage": {"input_tokens": 3, "output_tokens": 0}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ye"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "s"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


@pytest.mark.parametrize("asks", [True, False])
def test_a_stream(asks: bool) -> None:
    body = {"model": "m", "prompt": "x", "stream": True, "stream_options": {"include_usage": asks}}
    _, _, data, _ = translated(events(*CHUNKS, named=True), "anthropic", PATH, body)
    read = READ.read(data, True, 200)
    assert (read.text, read.finish_reasons, read.complete) == ("yes", ["stop"], True)
    assert data.endswith(b"data: [DONE]\n\n")
    assert (read.usage is not None) == asks
    assert b'"delta"' not in data


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "logprobs": 3}, "logprobs"),
        ({"prompt": "a", "echo": True}, "echo"),
    ],
)
def test_what_a_chat_cannot_do_is_refused(body: dict[str, Any], param: str) -> None:
    status, _, data, provider = translated(MESSAGES_ANSWER, "anthropic", PATH, {"model": "m", **body})
    assert (status, json.loads(data)["error"]["param"], provider.got) == (400, param, [])
