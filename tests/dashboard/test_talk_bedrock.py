"""What is said on Bedrock and to MCP servers, as a page shows it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.span import Payload, Span
from gateway.dashboard.conversation import Conversation, read
from gateway.dialects.bedrock_events import as_lines
from tests.dialects.bedrock_shapes import STREAM, WHOLE

ASKED = {
    "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
    "inferenceConfig": {"maxTokens": 50},
    "toolConfig": {"tools": [{"toolSpec": {"name": "get_file"}}]},
    "messages": [
        {"role": "user", "content": [{"text": "Look."}, {"image": {"format": "png", "source": {"bytes": "iVBOR"}}}]},
        {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "Hm."}}},
            {"toolUse": {"toolUseId": "t-0", "name": "get_file", "input": {"path": "a"}}},
        ]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t-0", "content": [{"text": "Found."}]}}]},
        {"role": "user", "content": [{"document": {"name": "report", "format": "pdf"}}]},
    ],
}  # fmt: skip


def shown(request: Any, response: bytes | None, content_type: str, dialect: str = "bedrock.converse") -> Conversation:
    span = Span(request_id="r", kind="llm", started_at=0, dialect=dialect, status_code=200)
    body = json.dumps(request).encode()
    return read(span, Payload(request_body=body, response_body=response, response_content_type=content_type))


def test_a_conversation_with_tools_and_pictures():
    found = shown(ASKED, WHOLE, "application/json")
    assert [(part.kind, part.text) for part in found.setting[0].parts] == [
        ("prose", "Be brief."), ("note", "Cached up to here."),
    ]  # fmt: skip
    assert found.tools == ["get_file"]
    assert found.settings == [("maxTokens", "50")]
    assert [[part.kind for part in turn.parts] for turn in found.turns] == [
        ["prose", "image"], ["thought"], ["file"], ["thought", "prose"],
    ]  # fmt: skip
    call = found.turns[1].calls[0]
    assert (call.name, call.result.text if call.result else None) == ("get_file", "Found.")
    assert found.turns[2].parts[0].text == "report pdf"


def test_an_answer_that_was_streamed():
    found = shown(ASKED, as_lines(STREAM), "application/vnd.amazon.eventstream")
    answer = found.turns[-1]
    assert [part.text for part in answer.parts] == ["Hm.", "Let me look."]
    assert [call.name for call in answer.calls] == ["get_file"]


def test_a_call_to_an_mcp_server():
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {"q": "a"}}}
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "Two."}]}}
    found = shown(asked, json.dumps(answer).encode(), "application/json", dialect="mcp")
    assert [call.name for call in found.turns[0].calls] == ["search"]
    assert [part.text for part in found.turns[1].parts] == ["Two."]
    assert found.settings == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["text", "content", "toolUse", "toolResult", "image", "source", "bytes", "reasoningContent", "json", "params",
         "name", "arguments", "role", "toolUseId", "input", "document"]), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["system", "messages", "toolConfig", "params", "method"]), values))
def test_no_body_is_an_error(body: dict[str, Any]):
    for dialect in ("bedrock.converse", "mcp"):
        assert isinstance(shown(body, None, "application/json", dialect), Conversation)


@given(st.lists(values, max_size=3))
def test_no_content_is_an_error(blocks: list[Any]):
    body = {"messages": [{"role": "user", "content": blocks}]}
    assert isinstance(shown(body, None, "application/json"), Conversation)
