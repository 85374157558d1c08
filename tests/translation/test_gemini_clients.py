"""Clients of Gemini's generateContent at providers of other dialects: what is asked of them, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import dialect_for
from tests.translation.provider import Answer, events, translated, whole
from tests.translation.test_what_is_asked import CHAT_ANSWER, PIXEL, asked

WHOLE = "/v1beta/models/m:generateContent"
STREAM = "/v1beta/models/m:streamGenerateContent"
HI = {"role": "user", "parts": [{"text": "hi"}]}
GOOGLE_SCHEMA = {
    "type": "OBJECT",
    "properties": {"city": {"type": "STRING", "nullable": True}, "type": {"type": "INTEGER"}},
    "required": ["city"],
    "propertyOrdering": ["city"],
}


def test_everything_a_request_can_say_is_said() -> None:
    got = asked(
        "openai",
        WHOLE,
        systemInstruction={"parts": [{"text": "Be"}, {"text": "brief."}]},
        contents=[
            {"role": "user", "parts": [{"text": "What?"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Hm.", "thought": True},
                    {"functionCall": {"name": "weather", "args": {"city": "Rome"}}, "thoughtSignature": "s"},
                    {"functionCall": {"id": "own", "name": "weather", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"function_response": {"id": "own", "name": "weather", "response": {"sky": "grey"}}},
                    {"functionResponse": {"name": "weather", "response": {"sky": "blue"}}},
                    {"text": "So?"},
                ],
            },
        ],
        generationConfig={
            "temperature": 0.5,
            "topP": 0.9,
            "maxOutputTokens": 50,
            "stopSequences": ["END"],
            "responseMimeType": "application/json",
            "responseSchema": GOOGLE_SCHEMA,
        },
        tools=[{"functionDeclarations": [{"name": "weather", "description": "d", "parameters": GOOGLE_SCHEMA}]}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        safetySettings=[{"category": "x", "threshold": "y"}],
    )
    sent = got.json
    system, user, assistant, own, first, again = sent["messages"]
    assert system == {"role": "system", "content": "Be\n\nbrief."}
    assert user["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1", "own"]
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"city": "Rome"}
    assert (own["role"], own["tool_call_id"], json.loads(own["content"])) == ("tool", "own", {"sky": "grey"})
    assert (first["tool_call_id"], again["content"]) == ("call_1", "So?")
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"], sent["stop"]) == (0.5, 0.9, 50, ["END"])
    schema = sent["response_format"]["json_schema"]["schema"]
    assert schema["properties"] == {"city": {"type": ["string", "null"]}, "type": {"type": "integer"}}
    assert "propertyOrdering" not in schema
    assert sent["tools"][0]["function"]["parameters"]["type"] == "object"
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert "safetySettings" not in got.body.decode()


@pytest.mark.parametrize(
    ("config", "effort"),
    [
        ({"thinkingLevel": "HIGH"}, "high"),
        ({"thinking_budget": 1024}, "low"),
        ({"thinkingBudget": 9000}, "high"),
        ({"thinkingBudget": 0}, None),
        ({"thinkingBudget": -1}, None),
    ],
)
def test_how_long_to_think(config: dict[str, Any], effort: str | None) -> None:
    body = {"contents": [HI], "generationConfig": {"thinkingConfig": config}}
    _, _, _, provider = translated(CHAT_ANSWER, "openai", WHOLE.replace("/m:", "/gpt-5:"), body)
    assert provider.got[0].json.get("reasoning_effort") == effort


def test_sound_and_documents_are_passed_on() -> None:
    parts = [
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        {"inline_data": {"mime_type": "application/pdf", "data": "JVBERg=="}},
    ]
    got = asked("openai", WHOLE, contents=[{"parts": parts}])
    sound, document = got.json["messages"][0]["content"]
    assert sound["input_audio"] == {"data": "UklGRg==", "format": "wav"}
    assert document["file"]["file_data"] == "data:application/pdf;base64,JVBERg=="


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "'contents' is missing"),
        ({"contents": [HI], "cachedContent": "cachedContents/1"}, "kept at Google"),
        ({"contents": [HI], "tools": [{"googleSearch": {}}]}, "'googleSearch' is Google's own"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4", "data": "AA=="}}]}]}, "video/mp4"),
        ({"contents": [{"parts": [{"executableCode": {}}]}]}, "executableCode"),
        ({"contents": [{"parts": [{}]}]}, "nothing"),
    ],
)
def test_what_only_google_has_is_refused_in_its_shape(body: dict[str, Any], says: str) -> None:
    status, _, data, provider = translated(CHAT_ANSWER, "openai", WHOLE, body)
    assert (status, provider.got) == (400, [])
    assert json.loads(data)["error"]["status"] == "INVALID_ARGUMENT"
    assert says in json.loads(data)["error"]["message"]


CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-m-1",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
        "output_tokens": 20,
        "service_tier": "standard",
        "inference_geo": "us",
    },
}


def test_a_whole_answer_is_gemini_s_and_its_bill_is_the_providers() -> None:
    status, _, data, _ = translated(whole(CLAUDE), "anthropic", WHOLE, {"contents": [HI]})
    assert status == 200, data
    said = json.loads(data)
    thought, text, call = said["candidates"][0]["content"]["parts"]
    assert thought == {"text": "Hm.", "thought": True}
    assert text == {"text": "Let me look."}
    assert call == {"functionCall": {"id": "toolu_1", "name": "weather", "args": {"city": "Rome"}}}
    assert (said["candidates"][0]["finishReason"], said["modelVersion"]) == ("STOP", "claude-m-1")
    read = dialect_for(b"POST", WHOLE.encode()).settle(data, False)
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens, read.usage.cached_input_tokens) == (22, 20, 5)
    assert (read.usage.cache_write_5m_tokens, read.usage.cache_write_1h_tokens) == (4, 3)
    assert read.service_tier == "standard+us"


def streamed(answer: Answer, query: str = "?alt=sse") -> tuple[int, bytes]:
    status, _, data, _ = translated(answer, "openai", STREAM + query, {"contents": [HI]})
    return status, data


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice]}


def calling(index: int, **function: str) -> dict[str, Any]:
    identity = {"id": f"call_{index}", "type": "function"} if "name" in function else {}
    return {"index": index, "function": function, **identity}


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
CHUNKS = [
    chunk(role="assistant", content="Let "),
    chunk(content="me."),
    chunk(tool_calls=[calling(0, name="weather", arguments="")]),
    chunk(tool_calls=[calling(0, arguments='{"city":')]),
    chunk(tool_calls=[calling(0, arguments='"Rome"}'), calling(1, name="now", arguments="")]),
    chunk(finish="tool_calls"),
    {**chunk(), "choices": [], "usage": USAGE},
]


@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_a_stream_is_gemini_s_in_either_form(query: str) -> None:
    status, data = streamed(events(*CHUNKS, done=True), query)
    assert status == 200
    assert data.startswith(b"data: " if query else b"[")
    read = dialect_for(b"POST", STREAM.encode()).read(data, bool(query), 200)
    assert (read.text, read.finish_reasons, read.complete, read.error) == ("Let me.", ["STOP"], True, None)
    assert [(call.name, call.arguments) for call in read.tool_calls] == [("weather", '{"city":"Rome"}'), ("now", "{}")]
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens, read.model) == (9, 4, "m-1")


@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_a_stream_that_breaks_ends_with_an_error_and_no_finish(query: str) -> None:
    cut = events(*CHUNKS[:2])
    cut.cut = True
    _, data = streamed(cut, query)
    read = dialect_for(b"POST", STREAM.encode()).read(data, bool(query), 200)
    assert (read.finish_reasons, read.complete) == ([], False)
    assert read.error is not None
    assert "broke before the answer was complete" in read.error


def test_tokens_are_counted_here() -> None:
    status, _, data, provider = translated(CHAT_ANSWER, "openai", "/v1beta/models/m:countTokens", {"contents": [HI]})
    assert (status, provider.got) == (200, [])
    assert json.loads(data)["totalTokens"] > 0


def test_a_prompt_alone_is_a_message() -> None:
    got = asked("openai", WHOLE, contents={"parts": [{"text": "hi"}]})
    assert got.json["messages"] == [{"role": "user", "content": "hi"}]
