"""OpenAI's Responses as a conversation: items go in, turns come out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.span import Payload, Span
from gateway.dashboard.conversation import Conversation, Turn, read
from gateway.dashboard.media import give_addresses, shown_media

PIXELS = base64.b64encode(b"\x89PNG" + bytes(90)).decode()
ASKED = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Oslo"}'}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It rains."}]}


def payload_of(request: Any, response: Any = None, content_type: str = "application/json") -> Payload:
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (request, response)]
    return Payload(
        request_body=bodies[0],
        response_body=None if response is None else bodies[1],
        response_content_type=content_type,
    )


def conversation(payload: Payload) -> Conversation:
    span = Span(request_id="r", kind="llm", started_at=0, dialect="openai.responses", status_code=200)
    return read(span, payload)


def said(turn: Turn) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in turn.parts]


def called(turn: Turn) -> list[tuple[str, str | None, str | None]]:
    return [
        (c.name, c.arguments.text if c.arguments else None, c.result.text if c.result else None) for c in turn.calls
    ]


def test_a_conversation_with_a_tool() -> None:
    given_items = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Weather in Oslo?"},
        {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "Ask the tool."}]},
        ASKED,
        {"type": "function_call_output", "call_id": "c1", "output": '{"sky": "rain"}'},
        SAID,
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Thanks"}]},
    ]
    body = {
        "model": "m",
        "instructions": "You are a weather bot.",
        "input": given_items,
        "tools": [{"name": "weather"}],
    }
    found = conversation(payload_of(body, {"model": "m", "status": "completed", "output": [SAID]}))
    assert [said(turn) for turn in found.setting] == [[("prose", "You are a weather bot.")], [("prose", "Be brief.")]]
    assert [turn.role for turn in found.turns] == ["user", "assistant", "assistant", "user", "assistant"]
    assert said(found.turns[1]) == [("thought", "Ask the tool.")]
    assert called(found.turns[1]) == [("weather", '{"city": "Oslo"}', '{"sky": "rain"}')]
    assert said(found.turns[2]) == [("prose", "It rains.")]
    assert found.tools == ["weather"]
    assert found.turns[-1].is_answer


@pytest.mark.parametrize(
    ("item", "turn"),
    [
        ({"role": "user", "content": "Hi"}, ("user", [("prose", "Hi")], [])),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "https://x.example/a.png"}]},
            ("user", [("remote", "https://x.example/a.png")], []),
        ),
        (
            {"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", "file_data": "…"}]},
            ("user", [("file", "a.pdf")], []),
        ),
        (
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
            ("assistant", [("note", "Reasoning that only the provider can read.")], []),
        ),
        (
            {"type": "function_call_output", "call_id": "gone", "output": [{"type": "input_text", "text": "42"}]},
            ("tool", [("plain", "42")], []),
        ),
        (
            {"type": "web_search_call", "id": "ws", "action": {"type": "search", "query": "x"}},
            ("assistant", [], [("web search", '{"type": "search", "query": "x"}', None)]),
        ),
        (
            {"type": "code_interpreter_call", "id": "ci", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
            ("assistant", [], [("code interpreter", "1+1", '[{"type": "logs", "logs": "2"}]')]),
        ),
        (
            {"type": "mcp_call", "id": "m", "server_label": "git", "name": "log", "arguments": "{}", "output": "a"},
            ("assistant", [], [("log", "{}", "a")]),
        ),
        (
            {"type": "item_reference", "id": "msg_1"},
            ("assistant", [("json", '{"type": "item_reference", "id": "msg_1"}')], []),
        ),
    ],
)
def test_an_item(item: dict[str, Any], turn: Any) -> None:
    found = conversation(payload_of({"model": "m", "input": [item]})).turns
    assert [(each.role, said(each), called(each)) for each in found[:1]] == [turn]


def test_a_screenshot_is_shown_where_it_came_back() -> None:
    call = {"type": "computer_call", "call_id": "c", "action": {"type": "screenshot"}}
    shot = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PIXELS}"}
    body = {"input": [call, {"type": "computer_call_output", "call_id": "c", "output": shot}]}
    turns = conversation(payload_of(body)).turns
    assert called(turns[0]) == [("computer", '{"type": "screenshot"}', None)]
    assert [part.kind for part in turns[1].parts] == ["image"]


def test_what_was_made_in_the_answer() -> None:
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Draw it."}]},
        {"type": "image_generation_call", "id": "i", "result": PIXELS, "output_format": "png"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": '{"done": true}'}]},
    ]
    payload = payload_of({"model": "m", "input": "Draw"}, {"status": "completed", "output": output})
    found = conversation(payload)
    assert give_addresses(found, "r", shown_media("r", payload)) == []
    kinds = [(part.kind, part.text) for part in found.turns[-1].parts]
    assert [kind for kind, _ in kinds] == ["thought", "image", "json"]
    assert kinds[1][1].startswith("/requests/r/media/")


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_stream_is_read_by_its_last_event_or_by_what_came(is_whole: bool) -> None:
    begun = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "It rains."}
    ended = {"type": "response.completed", "response": {"status": "completed", "output": [ASKED, SAID]}}
    data = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in ([begun, ended] if is_whole else [begun]))
    turn = conversation(payload_of({"input": "x"}, data, "text/event-stream")).turns[-1]
    assert said(turn) == [("prose", "It rains.")]
    assert called(turn) == ([("weather", '{"city": "Oslo"}', None)] if is_whole else [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("type", "role", "content", "text", "output", "summary", "call_id", "image_url", "result")),
            inner
            | st.sampled_from(("message", "reasoning", "function_call", "function_call_output", "web_search_call")),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_whatever_it_is_it_is_read(asked: Any, made: Any) -> None:
    found = conversation(payload_of({"input": asked, "tools": made}, {"status": "completed", "output": made}))
    assert found.turns
