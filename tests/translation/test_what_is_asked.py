"""What reaches the provider of a client's request: its dialect's fields, in the provider's words, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import dialect_for
from tests.translation.provider import KEY, Answer, Got, translated, whole

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
USER: Any = [{"role": "user", "content": "hi"}]

CHAT: dict[str, Any] = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
CHAT_ANSWER = whole(CHAT)
MESSAGES: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": [{"type": "text", "text": "yes"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
MESSAGES_ANSWER = whole(MESSAGES)
GEMINI_ANSWER = whole(
    {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "yes"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
        "modelVersion": "m-1",
    }
)
CONVERSE_ANSWER = whole(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": "yes"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
    }
)
ANSWERS = {
    "anthropic": MESSAGES_ANSWER,
    "openai": CHAT_ANSWER,
    "gemini": GEMINI_ANSWER,
    "bedrock": CONVERSE_ANSWER,
}


def asked(dialect: str, path: str, **body: Any) -> Got:
    """What the provider was asked; one request, answered well."""
    status, _, data, provider = translated(ANSWERS[dialect], dialect, path, {"model": "m", **body})
    assert status == 200, data
    (got,) = provider.got
    return got


def test_anthropic_is_asked_as_it_wants_to_be() -> None:
    got = asked(
        "anthropic",
        "/v1/chat/completions",
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Be", "cache_control": {"type": "ephemeral"}}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                ],
            },
        ],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        max_completion_tokens=50,
        stop=["END"],
        seed=7,
    )
    assert (got.path, got.headers["x-api-key"]) == ("/v1/messages", KEY)
    sent = got.json
    assert sent["model"] == "m"
    assert sent["system"] == [{"type": "text", "text": "Be", "cache_control": {"type": "ephemeral"}}]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    assert (sent["tools"][0]["name"], sent["tools"][0]["input_schema"]["required"]) == ("weather", ["city"])
    assert sent["tool_choice"]["name"] == "weather"
    assert (sent["max_tokens"], sent["stop_sequences"]) == (50, ["END"])
    assert "seed" not in sent, "what a provider has no word for is left out"


def test_a_conversation_with_tools_goes_on() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    got = asked(
        "anthropic",
        "/v1/chat/completions",
        messages=[
            *USER,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
    )
    _, assistant, result = got.json["messages"]
    (use,) = [block for block in assistant["content"] if block["type"] == "tool_use"]
    assert (use["id"], use["name"], use["input"]) == ("call_1", "weather", {"city": "Rome"})
    assert (result["content"][0]["tool_use_id"], result["content"][0]["type"]) == ("call_1", "tool_result")


def test_gemini_is_asked_as_it_wants_to_be() -> None:
    hinted = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    got = asked(
        "gemini",
        "/v1/chat/completions",
        messages=[{"role": "system", "content": "Be"}, {"role": "user", "content": [hinted]}],
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}},
        temperature=0.5,
    )
    assert (got.path, got.headers["x-goog-api-key"]) == ("/v1beta/models/m:generateContent", KEY)
    sent = got.json
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}], "and no cache is made for the hint"
    assert sent["system_instruction"]["parts"] == [{"text": "Be"}]
    assert sent["generationConfig"]["temperature"] == 0.5
    assert sent["generationConfig"]["response_mime_type"] == "application/json"


@pytest.mark.parametrize("key", ["bedrock-bearer", None])
def test_bedrock_is_asked_with_a_bearer_or_signed(key: str | None) -> None:
    signs: Any = {"aws_access_key_id": "AKIA1", "aws_secret_access_key": "secret"} if key is None else {}
    status, _, data, provider = translated(
        CONVERSE_ANSWER, "bedrock", "/v1/chat/completions", {"model": "eu.m-v1:0", "messages": USER}, key=key, **signs
    )
    assert status == 200, data
    (got,) = provider.got
    assert got.path == "/model/eu.m-v1%3A0/converse"
    assert got.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA1" if signs else f"Bearer {key}")
    assert got.json["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]


def test_openai_is_asked_as_it_wants_to_be() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    got = asked(
        "openai",
        "/v1/messages",
        max_tokens=50,
        system=[{"type": "text", "text": "Be", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {"a": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}]},
        ],
        tools=[{"name": "weather", "description": "d", "input_schema": SCHEMA}],
        tool_choice={"type": "tool", "name": "weather"},
        stop_sequences=["END"],
    )
    assert (got.path, got.headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    sent = got.json
    system, user, assistant, result = sent["messages"]
    assert (system["role"], "cache_control" in got.body.decode()) == ("system", False)
    assert user["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    assert (assistant["tool_calls"][0]["id"], assistant["tool_calls"][0]["function"]["name"]) == ("t1", "weather")
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "t1", "sunny")
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert (sent["max_tokens"], sent["stop"]) == (50, ["END"])


def test_responses_become_a_chat() -> None:
    got = asked(
        "anthropic",
        "/v1/responses",
        instructions="Be",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        ],
        tools=[{"type": "function", "name": "weather", "parameters": SCHEMA}],
        max_output_tokens=50,
    )
    sent = got.json
    assert [block["text"] for block in sent["system"]] == ["Be"]
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert (sent["tools"][0]["name"], sent["max_tokens"]) == ("weather", 50)


DANGEROUS = {
    "api_base": "http://127.0.0.1:9",
    "base_url": "http://127.0.0.1:9",
    "api_key": "sk-mine",
    "api_version": "2020-01-01",
    "custom_llm_provider": "openai",
    "extra_headers": {"x-evil": "1"},
    "headers": {"x-evil": "1"},
    "extra_body": {"evil": 1},
    "extra_query": {"evil": "1"},
    "client": "x",
    "mock_response": "evil",
    "mock_tool_calls": [],
    "fallbacks": [{"model": "evil"}],
    "model_list": [{"model_name": "evil"}],
    "num_retries": 9,
    "timeout": 0.001,
    "metadata": {"evil": 1},
    "litellm_metadata": {"evil": 1},
    "logger_fn": "evil",
    "aws_bedrock_runtime_endpoint": "http://127.0.0.1:9",
    "aws_role_name": "evil",
    "vertex_credentials": "/etc/passwd",
    "cached_content": "evil",
    "caching": True,
    "drop_params": False,
    "additional_drop_params": ["messages"],
    "allowed_openai_params": ["evil"],
    "prompt_id": "evil",
    "ssl_verify": False,
    "input_cost_per_token": 0,
    "hf_model_name": "evil",
    "guardrails": ["evil"],
}


@pytest.mark.parametrize(
    ("dialect", "path", "body"),
    [
        ("anthropic", "/v1/chat/completions", {"messages": USER}),
        ("gemini", "/v1/chat/completions", {"messages": USER}),
        ("bedrock", "/v1/chat/completions", {"messages": USER}),
        ("anthropic", "/v1/responses", {"input": "hi"}),
        ("openai", "/v1/messages", {"messages": USER, "max_tokens": 9}),
    ],
)
def test_what_a_client_must_not_say_goes_nowhere(dialect: str, path: str, body: dict[str, Any]) -> None:
    plain = asked(dialect, path, **body)
    tried = asked(dialect, path, **DANGEROUS, **body)
    assert tried.json == plain.json
    assert tried.path == plain.path
    of_a_call = {"host", "x-amz-date", "x-stainless-retry-count"}
    assert {k: v for k, v in tried.headers.items() if k not in of_a_call} == {
        k: v for k, v in plain.headers.items() if k not in of_a_call
    }


@pytest.mark.parametrize("dialect", ["bedrock", "gemini", "anthropic"])
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_no_address_of_a_clients_is_fetched(dialect: str, scheme: str) -> None:
    """An image at an address that the provider could not fetch itself: refused, not fetched by the gateway."""
    trap = f"{scheme}://127.0.0.1:1/latest/meta-data/secret.png"
    image = {"type": "image_url", "image_url": {"url": trap}}
    body = {"model": "m", "messages": [{"role": "user", "content": [image]}]}
    status, _, data, provider = translated(ANSWERS[dialect], dialect, "/v1/chat/completions", body)
    if status == 200:  # handed on as it is, for the provider to fetch or refuse
        assert trap in provider.got[0].body.decode()
    else:
        assert (status, provider.got) == (400, []), data


def test_tools_that_litellm_would_run_are_refused() -> None:
    tool = {"type": "mcp", "server_label": "x", "server_url": "http://127.0.0.1:9", "require_approval": "never"}
    for path, said in (("/v1/chat/completions", {"messages": USER}), ("/v1/responses", {"input": "hi"})):
        status, _, data, provider = translated(
            MESSAGES_ANSWER, "anthropic", path, {"model": "m", "tools": [tool], **said}
        )
        assert (status, provider.got) == (400, [])
        assert b"'mcp'" in data


def test_headers_of_the_settings_are_sent() -> None:
    for dialect in ANSWERS:
        path = "/v1/messages" if dialect == "openai" else "/v1/chat/completions"
        body = {"model": "m", "max_tokens": 9, "messages": USER}
        _, _, _, provider = translated(ANSWERS[dialect], dialect, path, body, headers=(("x-team", "blue"),))
        assert provider.got[0].headers["x-team"] == "blue", dialect


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("gemini", {"embeddings": [{"values": [0.5, 1.0]}], "usageMetadata": {"promptTokenCount": 4}}),
        (
            "cohere",
            {
                "id": "e",
                "embeddings": {"float": [[0.5, 1.0]]},
                "texts": ["hi"],
                "meta": {"billed_units": {"input_tokens": 4}},
            },
        ),
    ],
)
def test_embeddings(dialect: str, answer: Any) -> None:
    status, _, data, provider = translated(whole(answer), dialect, "/v1/embeddings", {"model": "m", "input": ["hi"]})
    assert status == 200, data
    assert b'"embedding":[0.5,1.0]' in data
    assert b'"prompt_tokens":4' in data
    assert "mbed" in provider.got[0].path


SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}


def test_sound_is_passed_on_to_who_hears() -> None:
    message: Any = [{"role": "user", "content": [{"type": "text", "text": "Who speaks?"}, SOUND]}]
    (_, heard) = asked("gemini", "/v1/chat/completions", messages=message).json["contents"][0]["parts"]
    (data,) = heard.values()
    assert (data["mime_type"], data["data"]) == ("audio/wav", "UklGRg==")


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"])
def test_and_nobody_else_is_asked_with_the_sound_left_out(dialect: str) -> None:
    message: Any = [{"role": "user", "content": [{"type": "text", "text": "Who speaks?"}, SOUND]}]
    body = {"model": "m", "messages": message}
    status, _, data, provider = translated(ANSWERS[dialect], dialect, "/v1/chat/completions", body)
    assert (status, provider.got) == (400, []), data


@pytest.mark.parametrize(("dialect", "tier"), [("anthropic", "standard+us"), ("openai", "flex")])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_the_tier_that_decides_the_price_comes_through(dialect: str, tier: str, path: str) -> None:
    if dialect == "anthropic":
        usage = {"input_tokens": 3, "output_tokens": 1, "service_tier": "standard", "inference_geo": "us"}
        said = whole({**MESSAGES, "usage": usage})
    else:
        said = whole({**CHAT, "service_tier": "flex"})
    status, _, data, _ = translated(
        said, dialect, path, {"model": "m", "messages": USER, "input": "hi", "max_tokens": 9}
    )
    assert status == 200, data
    assert dialect_for(b"POST", path.encode()).settle(data, False).service_tier == tier


def test_ollama_is_asked_in_its_own_words() -> None:
    said = {
        "model": "llama3.2",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": "yes"},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 26,
        "eval_count": 7,
    }
    body = {"model": "llama3.2", "messages": USER, "temperature": 0.5, "max_tokens": 9}
    status, _, data, provider = translated(whole(said), "ollama", "/v1/chat/completions", body)
    assert status == 200, data
    (got,) = provider.got
    assert (got.path, got.json["messages"]) == ("/api/chat", [{"role": "user", "content": "hi", "images": []}])
    assert (got.json["options"]["temperature"], got.json["options"]["num_predict"]) == (0.5, 9)
    read = dialect_for(b"POST", b"/v1/chat/completions").read(data, False, 200)
    assert read.usage is not None
    assert (read.text, read.usage.input_tokens, read.usage.output_tokens) == ("yes", 26, 7)
    lines = [{**said, "message": {"role": "assistant", "content": "ye"}, "done": False}, said]
    pieces = [json.dumps(one).encode() + b"\n" for one in lines]
    stream = Answer(pieces, content_type="application/x-ndjson")
    asks = {**body, "stream": True, "stream_options": {"include_usage": True}}
    _, _, data, _ = translated(stream, "ollama", "/v1/chat/completions", asks)
    read = dialect_for(b"POST", b"/v1/chat/completions").read(data, True, 200)
    assert read.usage is not None
    assert (read.text, read.complete, read.usage.output_tokens) == ("yeyes", True, 7)


def test_ollama_s_embeddings_are_on_its_other_surface() -> None:
    status, _, data, provider = translated(CHAT_ANSWER, "ollama", "/v1/embeddings", {"model": "m", "input": "hi"})
    assert (status, provider.got) == (400, [])
    assert "OpenAI surface" in json.loads(data)["error"]["message"]
