"""Answers in Cohere's shapes, by hand from the facts of the wire: version 2's events, version 1's lines."""

from __future__ import annotations

import json
from typing import Any

USAGE = {
    "billed_units": {"input_tokens": 41, "output_tokens": 25},
    "tokens": {"input_tokens": 1441, "output_tokens": 54},
    "cached_tokens": 144,
}


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumped({"type": kind, **fields}))


def said(kind: str, index: int = 0, **message: Any) -> bytes:
    return event(kind, index=index, delta={"message": message})


START = event("message-start", id="m-1", delta={"message": {"role": "assistant", "content": [], "tool_calls": []}})
TEXT = (
    said("content-start", content={"type": "text", "text": ""})
    + said("content-delta", content={"text": "Hel"})
    + said("content-delta", content={"text": "lo"})
    + event("content-end", index=0)
)
THOUGHT = said("content-start", content={"type": "thinking", "thinking": ""}) + said(
    "content-delta", content={"thinking": "Hm."}
)
PLAN = event("tool-plan-delta", delta={"message": {"tool_plan": "I will look."}})
CALLS = (
    said(
        "tool-call-start",
        0,
        tool_calls={"id": "c-1", "type": "function", "function": {"name": "weather", "arguments": ""}},
    )
    + said("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"city":'}})
    + said("tool-call-delta", 0, tool_calls={"function": {"arguments": '"Paris"}'}})
    + event("tool-call-end", index=0)
    + said(
        "tool-call-start",
        1,
        tool_calls={"id": "c-2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
    )
)
TELLTALE = said("content-delta", content={"text": '"type":"message-end" "finish_reason":"ERROR"'})


def end(finish: str = "COMPLETE", **more: Any) -> bytes:
    return event("message-end", id="m-1", delta={"finish_reason": finish, "usage": USAGE, **more})


def whole(message: dict[str, Any], finish: str = "COMPLETE", **more: Any) -> bytes:
    return dumped({"id": "m-1", "finish_reason": finish, "message": {"role": "assistant", **message}, **more})


WHOLE = [
    whole({"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hello"}]}, usage=USAGE),
    whole(
        {
            "tool_plan": "I will look.",
            "tool_calls": [
                {"id": "c-1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
            ],
        },
        "TOOL_CALL",
        usage=USAGE,
    ),
    whole({"content": []}, usage={"billed_units": {"input_tokens": 5.0}}),
    dumped({"id": "e-1", "embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 4}}}),
    dumped({"id": "r-1", "results": [], "meta": {"billed_units": {"search_units": 1}}}),
    dumped({"tokens": [1, 2], "meta": {"api_version": {"version": "1"}}}),
    dumped({"message": "invalid api token"}),
    dumped({}),
    b"<html>502</html>",
    b"",
]
STREAMS = [
    START + TEXT + end(),
    (START + THOUGHT + TEXT + end()).replace(b"\n", b"\r\n"),
    START + PLAN + CALLS + end("TOOL_CALL"),
    START + TELLTALE + end(),
    START + TEXT + end("ERROR"),
    START + TEXT + event("message-end", delta={"finish_reason": "ERROR", "error": "overloaded"}),
]


def line(kind: str, **fields: Any) -> bytes:
    return dumped({"is_finished": kind == "stream-end", "event_type": kind, **fields}) + b"\n"


OLD_WHOLE: dict[str, Any] = {
    "response_id": "r-1",
    "text": "Hello",
    "generation_id": "g-1",
    "finish_reason": "COMPLETE",
    "tool_calls": [{"name": "weather", "parameters": {"city": "Paris"}}],
    "meta": {**USAGE, "api_version": {"version": "1"}},
}
OLD_LINES = (
    line("stream-start", generation_id="g-1")
    + line("text-generation", text="Hel")
    + line("text-generation", text="lo")
    + line("tool-calls-generation", tool_calls=OLD_WHOLE["tool_calls"])
)
OLD_STREAMS = [
    OLD_LINES + line("stream-end", finish_reason="COMPLETE", response=OLD_WHOLE),
    b"".join(
        b"event: x\ndata: " + each + b"\n"
        for each in (OLD_LINES + line("stream-end", finish_reason="COMPLETE", response=OLD_WHOLE)).splitlines(True)
    ),
    OLD_LINES + line("text-generation", text='"event_type":"stream-end"') + line("stream-end", finish_reason="ERROR"),
]
