"""Ollama's own API, as its documentation shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.span import ToolCall
from gateway.dialects import Dialect, dialect_for
from pricing import Usage
from tests.dialects.contract import *  # noqa: F403  the suite that every dialect passes

COUNTS = {"total_duration": 5, "prompt_eval_count": 26, "prompt_eval_duration": 3, "eval_count": 7}


def line(**said: Any) -> bytes:
    return json.dumps({"model": "llama3.2", "created_at": "2026-01-01T00:00:00Z", **said}).encode()


CALL = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
END = line(message={"role": "assistant", "content": ""}, done_reason="stop", done=True, **COUNTS)
WHOLE = [
    line(message={"role": "assistant", "content": "Yes", "thinking": "Hm."}, done=True, done_reason="stop", **COUNTS),
    line(message={"role": "assistant", "content": "", "tool_calls": [CALL]}, done=True, done_reason="stop", **COUNTS),
    line(response="Yes", done=True, done_reason="length", prompt_eval_count=2.0, eval_count=-1),
    b'{"model":"m","embeddings":[[0.1]],"prompt_eval_count":8}',
    b'{"error":"model \\"x\\" not found"}',
]
STREAMS = [
    b"\n".join(
        [
            line(message={"role": "assistant", "content": "", "thinking": "Hm."}, done=False),
            line(message={"role": "assistant", "content": "Ye"}, done=False),
            line(message={"role": "assistant", "content": '"done":true é\u2028'}, done=False),
            END,
            b"",
        ]
    ),
    line(message={"role": "assistant", "content": "", "tool_calls": [CALL]}, done=False) + b"\n" + END + b"\n",
    line(response="Yes", done=False) + b"\n" + line(response="", done=True, done_reason="stop", eval_count=3) + b"\n",
]


@pytest.fixture
def dialect() -> Dialect:
    return dialect_for(b"POST", b"/api/chat")


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return STREAMS


def test_what_is_said_and_used(dialect: Dialect) -> None:
    for data, streaming in ((WHOLE[0], False), (STREAMS[0], True)):
        read = dialect.read(data, streaming, 200)
        assert read.usage == Usage(26, 7)
        assert (read.model, read.reasoning, read.finish_reasons, read.complete) == ("llama3.2", "Hm.", ["stop"], True)
    assert dialect.read(STREAMS[0], True, 200).text == 'Ye"done":true é\u2028'
    assert dialect.read(WHOLE[1], False, 200).tool_calls == [ToolCall(name="weather", arguments='{"city":"Rome"}')]
    assert dialect.read(STREAMS[1], True, 200).tool_calls == [ToolCall(name="weather", arguments='{"city":"Rome"}')]


def test_a_stream_is_whole_with_its_last_line(dialect: Dialect) -> None:
    cut = dialect.settle(STREAMS[0][: -len(END) - 1], True)
    assert (cut.complete, cut.usage, cut.model) == (False, None, "llama3.2")
    broken = dialect.settle(STREAMS[0][: -len(END) - 1] + b'{"error":"out of memory"}\n', True)
    assert (broken.complete, broken.error) == (False, "out of memory")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/api/chat", "ollama.chat"),
        (b"/api/generate", "ollama.chat"),
        (b"/api/embed", "ollama.embed"),
        (b"/api/v1/chat/completions", "openai.chat"),
    ],
)
def test_the_paths(path: bytes, name: str) -> None:
    assert dialect_for(b"POST", path).name == name


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}]}, "Hi"),
        ({"prompt": "Hi"}, "Hi"),
        ({"input": ["a", "b"]}, "a\nb"),
        ({}, None),
    ],
)
def test_what_was_asked(dialect: Dialect, body: Any, prompt: str | None) -> None:
    assert dialect.prompt(json.dumps(body).encode()) == prompt
