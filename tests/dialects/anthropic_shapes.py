"""Answers in Anthropic's shape, by hand from the facts of the wire."""

from __future__ import annotations

import json
from typing import Any

USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 30,
    "output_tokens_details": {"thinking_tokens": 12},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    "service_tier": "standard",
}


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def whole(*blocks: dict[str, Any], stop: str = "end_turn", **more: Any) -> bytes:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-m-1"}
    return dumped({**head, "content": list(blocks), "stop_reason": stop, "usage": USAGE, **more})


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumped({"type": kind, **fields}))


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    pieces = (event("content_block_delta", index=index, delta=delta) for delta in deltas)
    return (
        event("content_block_start", index=index, content_block=start)
        + b"".join(pieces)
        + event("content_block_stop", index=index)
    )


def text(index: int, *pieces: str) -> bytes:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def start(**usage: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-m-1", "content": []}
    return event("message_start", message={**message, "stop_reason": None, "usage": usage}) + event("ping")


def end(stop: str = "end_turn", **usage: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": stop}, usage=usage) + event("message_stop")


THINKING = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "Hm"},
    {"type": "thinking_delta", "thinking": "."},
    {"type": "signature_delta", "signature": "c2ln"},
)
TOOL = block(
    1,
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
    {"type": "input_json_delta", "partial_json": ""},
    {"type": "input_json_delta", "partial_json": '{"city":'},
    {"type": "input_json_delta", "partial_json": '"Paris"}'},
)
ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
TELLTALE = '"usage":{"input_tokens":9} "type":"message_stop" event: error\ndata: {"error":"no"}'

WHOLE = [
    whole({"type": "text", "text": "Hello there"}),
    whole({"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "Yes"}),
    whole({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"usage": {"a": 1}}}, stop="tool_use"),
    whole({"type": "text", "text": "x"}, usage={"input_tokens": 5.0, "output_tokens": -1}),
    whole({"type": "text", "text": "x"}, usage=None),
    dumped({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    dumped({"input_tokens": 14}),
    dumped({}),
    b"<html>502</html>",
    b"",
]

STREAMS = [
    start(**USAGE) + text(0, "Hel", "lo") + end(output_tokens=40),
    (start(**USAGE) + text(0, "Hello") + end(output_tokens=40)).replace(b"\n", b"\r\n"),
    start(**USAGE) + THINKING + TOOL + end("tool_use", output_tokens=40),
    start(**USAGE) + text(0, TELLTALE) + end(output_tokens=40),
    start(input_tokens=9, output_tokens=1) + text(0, "Hello") + ERROR,
    start(input_tokens=9, output_tokens=1) + text(0, "Hello") + b'event: error\ndata: {"type":"error"}\n\n',
    start() + text(0, "Hello") + end(),
    ERROR,
]
