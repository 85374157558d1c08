"""Answers in OpenAI's shape, by hand from the facts of the wire: what the contract and the dialects' own tests read."""

from __future__ import annotations

import json
from typing import Any

USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 0},
}


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    common = {"id": "c-1", "object": "chat.completion.chunk", "model": "m-1-2026", "service_tier": "default"}
    return b"data: " + dumped({**common, "choices": choices, **more}) + b"\n\n"


def whole(message: dict[str, Any], finish: str = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return dumped({"id": "c-1", "model": "m-1-2026", "choices": [choice], "usage": USAGE, **more})


DONE = b"data: [DONE]\n\n"
ROLE = chunk({"role": "assistant", "content": ""}, usage=None)
HELLO = chunk({"content": "Hello"}, usage=None)
THERE = chunk({"content": " there"}, usage=None)
STOP = chunk({}, "stop", usage=None)
CALLS = (
    chunk({"tool_calls": [{"index": 0, "id": "call-1", "function": {"name": "weather", "arguments": ""}}]})
    + chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]})
    + chunk({"tool_calls": [{"index": 1, "id": "call-2", "function": {"name": "time", "arguments": "{}"}}]})
    + chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Paris"}'}}]})
    + chunk({}, "tool_calls")
)

WHOLE = [
    whole({"content": "Hello there"}),
    whole({"content": None, "refusal": "No."}, service_tier="priority"),
    whole({"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "reasoning": "Hm."}),
    whole(
        {
            "content": None,
            "tool_calls": [{"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
        "tool_calls",
    ),
    whole({"content": "x"}, usage=None),
    whole({"content": "x"}, usage={"prompt_tokens": 12.0, "completion_tokens": 0}, x_groq={"id": "q"}),
    dumped({"error": {"message": "overloaded", "code": 503}, "model": "m-1"}),
    dumped({"error": "overloaded"}),
    dumped({}),
    b"<html>502</html>",
    b"",
]

STREAMS = [
    ROLE + HELLO + THERE + STOP + chunk(None, usage=USAGE) + DONE,
    (ROLE + HELLO + STOP + chunk(None, usage=USAGE) + DONE).replace(b"\n", b"\r\n"),
    (ROLE + HELLO + STOP + chunk(None, usage=USAGE) + DONE).replace(b"\n", b"\r"),
    b": PROCESSING\n\n" + ROLE + HELLO + chunk({}, "stop", usage=USAGE) + DONE,
    ROLE + CALLS + chunk(None, usage=USAGE) + DONE,
    ROLE + HELLO + STOP + chunk(None, usage=USAGE) + chunk(None, moderation={"flagged": False}) + DONE,
    ROLE + HELLO + chunk({}, "stop", x_groq={"id": "q", "usage": USAGE}) + DONE,
    ROLE + HELLO + chunk({}, "stop", usage=USAGE, x_groq={"id": "q", "usage": USAGE}) + DONE,
    ROLE + HELLO + chunk({"content": ""}, "error", usage=USAGE, error={"message": "overloaded", "code": 502}),
    ROLE + HELLO + b'event: error\ndata: {"error":{"message":"overloaded"}}\n\n',
    ROLE + HELLO + b'event: error\ndata: {"message":"overloaded"}\n\n',
    ROLE + HELLO + b'data: {"error":"overloaded"}\n\n',
    ROLE + HELLO + b'data: {"error":{"code":500}}\n\n',
    ROLE
    + chunk({"content": '"usage":{"prompt_tokens":1} "error":{"message":"no"} [DONE]\ndata: [DONE]'})
    + STOP
    + DONE,
    chunk({"reasoning_content": "Hm."}) + chunk({"content": "Yes"}) + STOP + chunk(None, usage=USAGE) + DONE,
    DONE,
]
