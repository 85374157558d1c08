from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.span import Payload, Span
from gateway.dashboard.conversation import SHOWN_CHARACTERS, SHOWN_TURNS, Conversation, read
from tests.dashboard.fakes import ANSWER, chat_call


def call(**fields: Any) -> Span:
    return Span(request_id="r", kind="llm", started_at=0, dialect=fields.pop("dialect", "openai.chat"), **fields)


def conversation(request: Any, response: Any = None, **fields: Any) -> Conversation:
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (request, response)]
    payload = Payload(request_body=bodies[0], response_body=None if response is None else bodies[1])
    return read(call(status_code=200, **fields), payload)


def said(found: Conversation) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(turn.role, [(part.kind, part.text) for part in turn.parts]) for turn in found.turns]


def test_a_streamed_answer_with_a_tool_and_reasoning() -> None:
    found = read(*chat_call(0))
    assert [turn.role for turn in found.setting] == ["system"]
    assert found.tools == ["registry.owners"]
    assert [turn.role for turn in found.turns] == ["user", "assistant", "assistant"]
    asked = found.turns[1].calls[0]
    assert asked.name == "registry.owners"
    assert asked.arguments
    assert asked.arguments.text == '{"cvr": "41288773", "as_of": "2026-11-20"}'
    assert asked.result
    assert "Fjeldsted Invest" in asked.result.text
    assert [part.kind for part in found.turns[2].parts] == ["thought", "prose"]
    assert found.turns[2].parts[1].text == ANSWER
    assert "<strong>Karin Madsen</strong>" in found.turns[2].parts[1].html
    assert found.settings == [("temperature", "0.2")]


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("hello", [("prose", "hello")]),
        (None, []),
        ([{"type": "text", "text": "a"}, "b"], [("prose", "a"), ("prose", "b")]),
        (
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            [("image", "data:image/png;base64,AAAA")],
        ),
        (
            [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}],
            [("remote", "https://x.example/a.png")],
        ),
        (
            [{"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,AA"}}],
            [("file", "data:image/svg+xml;base64")],
        ),
        ([{"type": "file", "file": {"filename": "a.pdf", "file_data": "…"}}], [("file", "a.pdf")]),
        ([{"type": "input_audio", "input_audio": {"format": "wav", "data": "…"}}], [("file", "audio, wav")]),
        ([{"type": "novelty", "n": 1}], [("json", '{"type": "novelty", "n": 1}')]),
        (42, [("json", "42")]),
    ],
)
def test_what_a_message_can_hold(content: Any, parts: list[tuple[str, str]]) -> None:
    assert said(conversation(user(content))) == [("user", parts)]


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "Hi"}, [("prose", "Hi")]),
        ({"content": '{"tags": ["a"]}'}, [("json", '{"tags": ["a"]}')]),
        ({"content": "{not json"}, [("prose", "{not json")]),
        ({"content": None, "refusal": "I cannot"}, [("refusal", "I cannot")]),
    ],
)
def test_a_whole_answer(message: dict[str, Any], parts: list[tuple[str, str]]) -> None:
    answer = {"model": "m", "choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}
    found = conversation(user("x"), answer)
    shown = said(found)[-1][1]
    assert shown == parts or (message.get("refusal") and "I cannot" in str(shown))


def test_several_choices_are_all_there() -> None:
    answer = {"choices": [{"message": {"content": text}} for text in ("one", "two")]}
    texts = [text for _, text in said(conversation(user("x"), answer))[-1][1]]
    assert texts == ["Choice 1 of 2", "one", "Choice 2 of 2", "two"]


def test_a_failed_call_says_why() -> None:
    answer = {"error": {"message": "Rate limit reached"}}
    found = conversation(user("x"), answer, error_message="Rate limit reached", error_type="rate_limit")
    assert ("error", "Rate limit reached") in said(found)[-1][1]


@pytest.mark.parametrize(
    ("dialect", "request_body", "response_body", "shown"),
    [
        ("openai.completions", {"prompt": "Once"}, {"choices": [{"text": " upon"}]}, ["Once", " upon"]),
        (
            "openai.embeddings",
            {"input": ["a", "b"]},
            {"data": [{"embedding": [0.1, 0.2]}] * 2},
            ["a", "b", "2 vectors of 2 numbers"],
        ),
        (
            "openai.embeddings",
            {"input": [1, 2, 3]},
            {"data": [{"embedding": "AAAA"}]},
            ["3 tokens, sent as numbers", "1 vector, base64"],
        ),
    ],
)
def test_other_dialects(dialect: str, request_body: Any, response_body: Any, shown: list[str]) -> None:
    found = conversation(request_body, response_body, dialect=dialect)
    assert [text for _, parts in said(found) for _, text in parts] == shown


def test_what_is_no_conversation_is_not_made_one() -> None:
    assert not conversation({"file": "x"}, dialect="opaque").is_understood
    assert not read(call(), None).is_understood


def test_long_things_are_cut_and_say_so() -> None:
    found = conversation(user("x" * (SHOWN_CHARACTERS + 5_000_000)))
    assert len(found.turns[0].parts[0].text) == SHOWN_CHARACTERS
    assert found.turns[0].parts[0].cut == 5_000_000
    many = conversation({"messages": [{"role": "user", "content": "x"}] * (SHOWN_TURNS + 7)})
    assert (len(many.turns), many.skipped) == (SHOWN_TURNS, 7)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls", "function", "image_url"]), inner
        )
    ),
    max_leaves=20,
)


@given(
    st.fixed_dictionaries({"messages": JSON, "tools": JSON}),
    st.binary(max_size=60) | JSON.map(lambda v: json.dumps(v).encode()),
)
def test_no_body_breaks_it(request: Any, response: bytes) -> None:
    read(call(status_code=200), Payload(request_body=json.dumps(request).encode(), response_body=response))
