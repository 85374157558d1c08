"""Requests and answers of the other dialects as a conversation: what goes in, and the turns that come out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.span import Payload, Span
from gateway.dashboard.conversation import Conversation, Turn, read
from tests.dialects import anthropic_shapes, cohere_shapes, gemini_shapes, recorded
from tests.dialects.recorded import Record, each, needs_recordings

SSE = "text/event-stream"
PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}


def conversation(
    dialect: str, request: Any, response: Any = None, content_type: str = "application/json"
) -> Conversation:
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (request, response)]
    return read(
        Span(request_id="r", kind="llm", started_at=0, dialect=dialect, status_code=200),
        Payload(
            request_body=bodies[0],
            response_body=None if response is None else bodies[1],
            response_content_type=content_type,
        ),
    )


def parts(turn: Turn) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in turn.parts]


def calls(turn: Turn) -> list[tuple[str, str | None, str | None]]:
    return [
        (call.name, call.arguments.text if call.arguments else None, call.result.text if call.result else None)
        for call in turn.calls
    ]


def said(found: Conversation) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(turn.role, parts(turn)) for turn in found.turns]


# ------------------------------------------------------------------------------------------------ Anthropic


def test_a_message_with_a_tool() -> None:
    request = {
        "model": "m",
        "max_tokens": 100,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "weather", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}],
        "messages": [
            {"role": "user", "content": "Weather in Paris?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I will ask.", "signature": "s"},
                    {"type": "tool_use", "id": "t-1", "name": "weather", "input": {"city": "Paris"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t-1", "content": "Sunny"}]},
        ],
    }
    answer = anthropic_shapes.whole({"type": "text", "text": "It is **sunny**."})
    found = conversation("anthropic.messages", request, answer)
    assert [parts(turn) for turn in found.setting] == [[("prose", "Be brief.")]]
    assert found.tools == ["weather", "web_search"]
    assert said(found) == [
        ("user", [("prose", "Weather in Paris?")]),
        ("assistant", [("thought", "I will ask.")]),
        ("assistant", [("prose", "It is **sunny**.")]),
    ]
    assert calls(found.turns[1]) == [("weather", '{"city": "Paris"}', "Sunny")]
    assert "<strong>sunny</strong>" in found.turns[2].parts[0].html
    assert (found.turns[2].note, found.turns[2].is_answer) == ("claude-m-1", True)
    assert found.settings == [("max_tokens", "100")]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a"}, ("prose", "a")),
        ("a", ("prose", "a")),
        ({"type": "image", "source": PNG}, ("image", "data:image/png;base64,AAAA")),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x.example/a"}},
            ("remote", "https://x.example/a"),
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "f-1"}}, ("file", "f-1")),
        ({"type": "document", "title": "a.pdf", "source": {"type": "base64", "data": "AA"}}, ("file", "a.pdf")),
        ({"type": "document", "source": {"media_type": "application/pdf"}}, ("file", "application/pdf")),
        ({"type": "container_upload", "file_id": "f-1"}, ("file", "f-1")),
        ({"type": "redacted_thinking", "data": "x"}, ("note", "Reasoning that only the provider can read.")),
        ({"type": "compaction", "content": "so far"}, ("thought", "so far")),
        ({"type": "tool_result", "tool_use_id": "gone", "content": [{"type": "text", "text": "42"}]}, ("plain", "42")),
        ({"type": "tool_result", "tool_use_id": "gone", "content": "no", "is_error": True}, ("plain", "Error: no")),
        ({"type": "novelty", "n": 1, "signature": "s"}, ("json", '{"type": "novelty", "n": 1}')),
        (42, ("json", "42")),
    ],
)
def test_what_a_message_can_hold(block: Any, part: tuple[str, str]) -> None:
    found = conversation("anthropic.messages", {"messages": [{"role": "user", "content": [block]}]})
    assert said(found) == [("user", [part])]


def test_a_stream_shows_what_a_whole_answer_shows() -> None:
    searched = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "server_tool_use", "id": "s-1", "name": "web_search", "input": {"query": "x"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s-1",
            "content": [{"type": "web_search_result", "title": "X", "encrypted_content": "…"}],
        },
        {"type": "text", "text": "It is ", "citations": None},
        {"type": "text", "text": "sunny", "citations": [{"url": "https://x.example"}]},
        {"type": "text", "text": ".", "citations": None},
    ]
    request = {"messages": [{"role": "user", "content": "?"}]}
    blocks = b"".join(anthropic_shapes.block(index, each) for index, each in enumerate(searched))
    stream = anthropic_shapes.start() + blocks + anthropic_shapes.end()
    for answer, kind in ((anthropic_shapes.whole(*searched), "application/json"), (stream, SSE)):
        turn = conversation("anthropic.messages", request, answer, kind).turns[-1]
        assert parts(turn) == [("thought", "Hm."), ("prose", "It is sunny.")]
        assert calls(turn) == [
            ("web_search", '{"query": "x"}', '[{"type": "web_search_result", "title": "X"}]'),
        ]


def test_structured_output_and_errors() -> None:
    request = {"messages": [{"role": "user", "content": "?"}]}
    structured = conversation(
        "anthropic.messages", request, anthropic_shapes.whole({"type": "text", "text": '{"a": 1}'})
    )
    assert parts(structured.turns[-1]) == [("json", '{"a": 1}')]
    failed = conversation("anthropic.messages", request, anthropic_shapes.STREAMS[4], SSE)
    assert parts(failed.turns[-1])[-1] == ("error", "Overloaded")
    cut = conversation("anthropic.messages", request, anthropic_shapes.start() + anthropic_shapes.TOOL[:-120], SSE)
    assert [call.name for call in cut.turns[-1].calls] == ["weather"]


# ------------------------------------------------------------------------------------------------ Google


def test_contents_with_a_function() -> None:
    request = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [{"name": "weather"}]}, {"google_search": {}}],
        "contents": [
            {
                "role": "user",
                "parts": [{"text": "Weather?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}],
            },
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "Paris"}}}]},
            {"role": "user", "parts": [{"function_response": {"name": "weather", "response": {"sky": "clear"}}}]},
        ],
        "generationConfig": {"temperature": 0.2},
    }
    answer = gemini_shapes.dumped(
        gemini_shapes.answer({"text": "Hm.", "thought": True}, {"text": "Clear."}, finish="STOP")
    )
    found = conversation("gemini.generate", request, answer)
    assert [parts(turn) for turn in found.setting] == [[("prose", "Be brief.")]]
    assert found.tools == ["weather", "google_search"]
    assert said(found) == [
        ("user", [("prose", "Weather?"), ("image", "data:image/png;base64,AAAA")]),
        ("assistant", []),
        ("assistant", [("thought", "Hm."), ("prose", "Clear.")]),
    ]
    assert calls(found.turns[1]) == [("weather", '{"city": "Paris"}', '{"sky": "clear"}')]
    assert found.settings == [("temperature", "0.2")]
    assert found.turns[2].note == "gemini-m-1"


@pytest.mark.parametrize(
    ("piece", "part"),
    [
        ({"text": "a"}, ("prose", "a")),
        ("a", ("prose", "a")),
        ({"fileData": {"fileUri": "gs://b/a.pdf", "mimeType": "application/pdf"}}, ("file", "gs://b/a.pdf")),
        ({"file_data": {"mime_type": "video/mp4"}}, ("file", "video/mp4")),
        ({"inlineData": {"mimeType": "audio/wav", "data": "AA"}}, ("file", "audio/wav")),
        ({"executableCode": {"language": "PYTHON", "code": "1 + 1"}}, ("plain", "1 + 1")),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}, ("plain", "2")),
        ({"functionResponse": {"name": "gone", "response": {"a": 1}}}, ("json", '{"a": 1}')),
        ({"novelty": 1, "thoughtSignature": "s"}, ("json", '{"novelty": 1}')),
        (42, ("json", "42")),
    ],
)
def test_what_a_content_can_hold(piece: Any, part: tuple[str, str]) -> None:
    found = conversation("gemini.generate", {"contents": [{"role": "user", "parts": [piece]}]})
    assert said(found) == [("user", [part])]


@pytest.mark.parametrize(
    ("stream", "kind"), [(gemini_shapes.STREAMS[1], SSE), (gemini_shapes.ARRAYS[1], "application/json")]
)
def test_a_stream_of_chunks_is_one_answer(stream: bytes, kind: str) -> None:
    turn = conversation("gemini.stream", {"contents": []}, stream, kind).turns[-1]
    assert parts(turn) == [("thought", "Hm."), ("prose", "Hello"), ("prose", " there")]
    assert [call.name for call in turn.calls] == ["weather"]


def test_candidates_and_blocked_prompts() -> None:
    two: dict[str, Any] = {
        "candidates": [{"index": at, "content": {"parts": [{"text": text}]}} for at, text in enumerate(("one", "two"))]
    }
    turn = conversation("gemini.generate", {"contents": []}, two).turns[-1]
    assert [text for _, text in parts(turn)] == ["Candidate 1 of 2", "one", "Candidate 2 of 2", "two"]
    blocked = conversation("gemini.generate", {"contents": []}, gemini_shapes.BLOCKED).turns[-1]
    assert parts(blocked) == [("note", "Nothing was answered.")]


# ------------------------------------------------------------------------------------------------ Cohere


def test_version_2_is_like_openais() -> None:
    request = {
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "Sunny"},
        ]
    }
    found = conversation("cohere.chat", request, cohere_shapes.STREAMS[1], SSE)
    assert calls(found.turns[1]) == [("weather", "{}", "Sunny")]
    assert parts(found.turns[2]) == [("thought", "Hm."), ("prose", "Hello")]


def test_version_1() -> None:
    request = {
        "preamble": "Be brief.",
        "message": "And now?",
        "chat_history": [
            {"role": "USER", "message": "Weather?"},
            {"role": "CHATBOT", "tool_calls": [{"name": "weather", "parameters": {"city": "Paris"}}]},
            {
                "role": "TOOL",
                "tool_results": [{"call": {"name": "weather"}, "outputs": [{"sky": "clear"}]}],
            },
        ],
        "tools": [{"name": "weather"}],
        "temperature": 0,
    }
    found = conversation("cohere.chat.v1", request, cohere_shapes.OLD_STREAMS[0], "application/stream+json")
    assert [parts(turn) for turn in found.setting] == [[("prose", "Be brief.")]]
    assert said(found) == [
        ("user", [("prose", "Weather?")]),
        ("assistant", []),
        ("user", [("prose", "And now?")]),
        ("assistant", [("prose", "Hello")]),
    ]
    assert calls(found.turns[1]) == [("weather", '{"city": "Paris"}', '[{"sky": "clear"}]')]
    assert (found.tools, found.settings) == (["weather"], [("temperature", "0")])


# ------------------------------------------------------------------------------------------------ what nobody says


@pytest.mark.parametrize(
    ("dialect", "request_body", "response_body", "shown"),
    [
        ("cohere.embed", {"texts": ["a"]}, {"embeddings": {"float": [[1, 2, 3]]}}, ["a", "1 vector of 3 numbers"]),
        (
            "cohere.embed",
            {"inputs": [{"content": [{"type": "text", "text": "a"}]}]},
            {"embeddings": [[1], [2]]},
            ["a", "2 vectors of 1 numbers"],
        ),
        (
            "gemini.embed",
            {"content": {"parts": [{"text": "a"}]}},
            {"embedding": {"values": [1, 2]}},
            ["a", "1 vector of 2 numbers"],
        ),
        (
            "gemini.embed",
            {"requests": [{"content": {"parts": [{"text": text}]}} for text in ("a", "b")]},
            {"embeddings": [{"values": [1]}, {"values": [2]}]},
            ["a", "b", "2 vectors of 1 numbers"],
        ),
        (
            "gemini.vertex_embed",
            {"instances": [{"content": "a"}]},
            {"predictions": [{"embeddings": {"values": [1, 2]}}]},
            ["a", "1 vector of 2 numbers"],
        ),
        ("gemini.embed", {"content": {}}, {}, ["No vectors are kept of this answer."]),
        (
            "cohere.rerank",
            {"query": "Which?", "documents": ["a", {"text": "b"}, {"title": "c"}]},
            {"results": [{"index": 1}]},
            ["Which?", "a", "b", '{"title": "c"}', '[{"index": 1}]'],
        ),
        (
            "anthropic.tokens",
            {"messages": [{"role": "user", "content": "Hi"}]},
            {"input_tokens": 1400},
            ["Hi", "1,400 tokens"],
        ),
        (
            "gemini.tokens",
            {"generateContentRequest": {"contents": [{"parts": [{"text": "Hi"}]}]}},
            {"totalTokens": 1},
            ["Hi", "1 token"],
        ),
        ("cohere.tokens", {"text": "Hi"}, {"tokens": [1, 2]}, ["Hi", "2 tokens"]),
        ("cohere.tokens", {"tokens": [1, 2]}, {"text": "Hi"}, ["Hi"]),
    ],
)
def test_other_calls(dialect: str, request_body: Any, response_body: Any, shown: list[str]) -> None:
    found = conversation(dialect, request_body, response_body)
    assert [text for _, every in said(found) for _, text in every] == shown


# ------------------------------------------------------------------------------------------------ anything

RECORDS = recorded.records("anthropic.messages", "google.generate", "google.stream", "cohere", "openai.responses")


@needs_recordings
@each(RECORDS)
def test_a_recorded_call_shows_what_was_said(record: Record) -> None:
    dialect, answer = recorded.dialect_of(record), recorded.both(record)[1]
    found = conversation(
        dialect.name,
        recorded.request_of(record),
        recorded.body_of(record),
        SSE if record["streaming"] else "application/json",
    )
    assert found.is_understood
    last = found.turns[-1]
    assert last.is_answer
    shown = "".join(part.text for part in last.parts)
    for text in (answer.text, answer.reasoning):
        for line in (text or "").splitlines():
            if line.strip() and not line.lstrip().startswith(("{", "[", '"')):
                assert line.strip()[:40] in shown
    own = {"file search", "tool search", "web search"}  # run by the provider: nobody else has to answer them
    assert {call.name for call in last.calls} - own == {call.name for call in answer.tool_calls}
    prompt = dialect.prompt(recorded.request_of(record))
    if prompt:
        said_before = "".join(part.text for turn in found.turns[:-1] for part in turn.parts)
        assert prompt.splitlines()[0][:40] in said_before


KEYS = (
    "role", "content", "type", "text", "thinking", "tool_calls", "function", "source", "data", "name", "input",
    "id", "parts", "functionCall", "inlineData", "functionResponse", "response", "contents", "systemInstruction",
    "tools", "message", "chat_history", "tool_results", "documents", "query", "texts", "requests", "embeddings",
    "predictions", "candidates", "outputs", "call", "citations",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8) | st.sampled_from(["tool_use", "text"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)
DIALECTS = st.sampled_from(
    (
        "anthropic.messages", "anthropic.tokens", "gemini.generate", "gemini.stream", "gemini.embed", "gemini.tokens",
        "gemini.vertex_embed", "cohere.chat", "cohere.chat.v1", "cohere.embed", "cohere.rerank", "cohere.tokens",
        "openai.responses",
    )
)  # fmt: skip
TOP = st.dictionaries(st.sampled_from(["messages", "system", *KEYS]), JSON, max_size=5)


@given(
    DIALECTS,
    TOP,
    st.binary(max_size=60) | TOP.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([SSE, ""]),
)
def test_no_body_breaks_it(dialect: str, request: Any, response: bytes, kind: str) -> None:
    for each_response in (response, b"data: " + response + b"\n\n"):
        assert conversation(dialect, request, each_response, kind)
