"""Official clients, unchanged, at a real gateway whose providers speak another dialect than they do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.harness import APP_KEY, Gateway, configuration, wait_for

PRICE = {"input_per_mtok": 1.0, "output_per_mtok": 4.0, "cached_input_per_mtok": 0.1}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
HELLO: Any = [{"role": "user", "content": "Hello there, gateway"}]


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The demo provider on a port: it speaks OpenAI's chat and Anthropic's messages."""
    command = [sys.executable, "-m", "gateway.demo", "--port", "0", "--controls", "ttft-ms=0, tps=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip().removesuffix("/v1")
        process.terminate()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, demo: str) -> Iterator[Gateway]:
    providers = {
        "claude": {"dialect": "anthropic", "base_url": demo, "api_key": ["sk-one", "sk-two"]},
        "gpt": {"dialect": "openai", "base_url": f"{demo}/v1", "api_key": "sk-gpt"},
        "nowhere": {"dialect": "anthropic", "base_url": "http://127.0.0.1:1", "api_key": "sk"},
    }
    config = configuration(
        providers=providers,
        models={
            "saved": {"targets": ["nowhere/echo"], "fallbacks": ["claude/echo"]},
            "patient": {"targets": ["claude/echo:status=429,retry-after=0,times=1"], "retries": 2},
        },
        prices={"overrides": {"echo": PRICE, "lorem": PRICE, "echo-thinking": PRICE}},
    )
    running = Gateway(tmp_path_factory.mktemp("translated") / "data", config).start()
    assert (readiness(running), running.memory_mb() < 90) == ("not loaded", True)
    yield running
    assert running.stop() == 0


def readiness(gateway: Gateway) -> str:
    state: str = gateway.get("/readyz")[1]["translation"]["state"]
    return state


@pytest.fixture
def chats(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=APP_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def messages(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=APP_KEY, max_retries=0) as client:
        yield client


def test_nothing_is_loaded_for_calls_that_need_no_translation(gateway: Gateway, demo: str) -> None:
    gpt = {"dialect": "openai", "base_url": f"{demo}/v1", "api_key": "sk"}
    alone = Gateway(gateway.data.parent / "native", configuration(providers={"gpt": gpt}))
    alone.start()
    try:
        assert alone.chat("gpt/echo").status == 200
        assert alone.post("/v1/messages", {"model": "demo/echo", "max_tokens": 9, "messages": HELLO}).status == 200
        assert readiness(alone) == "not loaded"
        loaded = subprocess.run(
            ["grep", "-c", "litellm", f"/proc/{alone.pid}/maps"], capture_output=True, text=True, check=False
        )
        assert loaded.stdout.strip() == "0"
        assert alone.memory_mb() < 90
    finally:
        alone.stop()


def test_chat_at_a_provider_of_messages(gateway: Gateway, chats: openai.OpenAI) -> None:
    answer = chats.chat.completions.with_raw_response.create(model="claude/echo", messages=HELLO)
    said = answer.parse()
    assert said.choices[0].message.content == "Hello there, gateway"
    assert said.choices[0].finish_reason == "stop"
    assert said.usage is not None
    row = gateway.row(answer.headers["x-request-id"])
    spent = said.usage.prompt_tokens, said.usage.completion_tokens
    assert (row["provider"], row["model"], row["status_code"]) == ("claude", "echo", 200)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (*spent, "reported")
    assert row["cost_nanousd"] == spent[0] * 1000 + spent[1] * 4000
    assert row["upstream_request_id"].startswith("demo-")
    assert readiness(gateway) == "loaded"
    assert 'callgate_translation_state{state="loaded",worker="0"} 1.0' in gateway.get("/metrics")[1]


@pytest.mark.parametrize("asks", [True, False])
def test_a_stream_of_chat(gateway: Gateway, chats: openai.OpenAI, asks: bool) -> None:
    options: Any = {"include_usage": True} if asks else openai.omit
    stream = chats.chat.completions.create(model="claude/lorem", messages=HELLO, stream=True, stream_options=options)
    chunks = list(stream)
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) > 5
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason] == [
        "stop"
    ]
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usages) == asks, "the client sees a usage only if it asked for one"
    row = gateway.row(stream.response.headers["x-request-id"])
    assert (row["usage_source"], row["stream"], row["error_type"]) == ("reported", True, None)
    assert not asks or row["output_tokens"] == usages[0].completion_tokens


def test_a_tool_that_chat_calls(chats: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
    asked: Any = {"model": "claude/echo", "messages": HELLO, "tools": [tool], "tool_choice": "required"}
    said = chats.chat.completions.create(**asked)
    assert said.choices[0].finish_reason == "tool_calls"
    (call,) = said.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, "city" in call.function.arguments) == ("weather", True)
    with chats.chat.completions.stream(**asked) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [one.function.name for one in streamed] == ["weather"]
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    again = chats.chat.completions.create(
        model="claude/echo", messages=[*HELLO, said.choices[0].message.to_dict(), result], tools=[tool]
    )
    assert again.choices[0].finish_reason == "stop"


def test_responses_at_a_provider_of_messages(gateway: Gateway, chats: openai.OpenAI) -> None:
    said = chats.responses.create(model="claude/echo", input="Hello there, gateway")
    assert said.output_text == "Hello there, gateway"
    with chats.responses.stream(model="claude/echo", input="Hello there, gateway") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert (kinds[0], kinds[-1], final.output_text) == ("response.created", "response.completed", said.output_text)
    assert final.usage is not None
    assert said.usage is not None
    assert final.usage.input_tokens == said.usage.input_tokens > 0


def test_messages_at_a_provider_of_chat(gateway: Gateway, messages: anthropic.Anthropic) -> None:
    answer = messages.messages.with_raw_response.create(model="gpt/echo", max_tokens=100, messages=HELLO)
    said = answer.parse()
    assert (said.content[0].type, said.stop_reason, said.role) == ("text", "end_turn", "assistant")
    assert said.content[0].type == "text"
    assert said.content[0].text == "Hello there, gateway"
    row = gateway.row(answer.headers["x-request-id"])
    assert (row["input_tokens"], row["output_tokens"]) == (said.usage.input_tokens, said.usage.output_tokens)
    assert row["cost_nanousd"] == said.usage.input_tokens * 1000 + said.usage.output_tokens * 4000


def test_a_stream_of_messages(gateway: Gateway, messages: anthropic.Anthropic) -> None:
    with messages.messages.stream(model="gpt/echo", max_tokens=100, messages=HELLO) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
        request_id = stream.response.headers["x-request-id"]
    own = [kind for kind in kinds if kind.startswith(("message", "content_block")) and not kind.endswith("_delta")]
    assert own == ["message_start", "content_block_start", "content_block_stop", "message_stop"]
    assert final.content[0].type == "text"
    assert (final.content[0].text, final.stop_reason) == ("Hello there, gateway", "end_turn")
    row = gateway.row(request_id)
    assert row["input_tokens"] == final.usage.input_tokens > 0
    assert (row["output_tokens"], row["error_type"]) == (final.usage.output_tokens, None)


@pytest.mark.parametrize("streams", [False, True])
def test_a_tool_that_messages_call(messages: anthropic.Anthropic, streams: bool) -> None:
    asked: Any = {
        "model": "gpt/echo",
        "max_tokens": 100,
        "messages": HELLO,
        "tools": [{"name": "weather", "input_schema": WEATHER}],
        "tool_choice": {"type": "any"},
    }
    if streams:
        with messages.messages.stream(**asked) as stream:
            said = stream.get_final_message()
    else:
        said = messages.messages.create(**asked)
    assert said.stop_reason == "tool_use"
    (call,) = [block for block in said.content if block.type == "tool_use"]
    assert call.name == "weather"
    assert isinstance(call.input, dict)
    assert "city" in call.input


def test_tokens_are_counted(messages: anthropic.Anthropic) -> None:
    short = messages.messages.count_tokens(model="gpt/echo", messages=HELLO).input_tokens
    long = messages.messages.count_tokens(model="gpt/echo", messages=HELLO, system="word " * 500).input_tokens
    assert 0 < short < 50 < 400 < long < 700


def test_errors_are_the_providers_in_the_clients_dialect(chats: openai.OpenAI, messages: anthropic.Anthropic) -> None:
    with pytest.raises(openai.RateLimitError, match="asked for status 429") as limited:
        chats.chat.completions.create(model="claude/echo:status=429,retry-after=7", messages=HELLO)
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.RateLimitError, match="asked for status 429") as limited_too:
        messages.messages.create(model="gpt/echo:status=429,retry-after=7", max_tokens=9, messages=HELLO)
    assert limited_too.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.NotFoundError, match="no model 'nope'"):
        chats.chat.completions.create(model="claude/nope", messages=HELLO)
    with pytest.raises(openai.InternalServerError, match="nowhere cannot be reached"):
        chats.chat.completions.create(model="nowhere/echo", messages=HELLO)


def test_a_stream_that_breaks_is_never_finished_cleanly(gateway: Gateway, chats: openai.OpenAI) -> None:
    for word in ("error-after=4", "cut-after=4"):
        stream = chats.chat.completions.create(model=f"claude/lorem:{word}", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError):
            list(stream)
        row = gateway.row(stream.response.headers["x-request-id"])
        assert row["error_type"] == "upstream_error", word
        assert row["usage_source"] == "estimated", word


def test_routes_fall_back_to_and_retry_at_a_translated_provider(gateway: Gateway, chats: openai.OpenAI) -> None:
    saved = chats.chat.completions.with_raw_response.create(model="saved", messages=HELLO)
    assert (saved.headers["x-callgate-provider"], saved.headers["x-callgate-attempts"]) == ("claude", "2")
    attempts = gateway.row(saved.headers["x-request-id"])["attempts"]
    assert [attempt["status_code"] for attempt in attempts] == [502, 200]
    patient = chats.chat.completions.with_raw_response.create(model="patient", messages=HELLO)
    assert patient.headers["x-callgate-attempts"] == "2"


def test_a_client_that_leaves_ends_the_providers_call(gateway: Gateway, chats: openai.OpenAI) -> None:
    stream = chats.chat.completions.create(model="claude/lorem:stall-after=6", messages=HELLO, stream=True)
    assert next(iter(stream)).choices
    request_id = stream.response.headers["x-request-id"]
    stream.close()
    row = gateway.row(request_id)
    assert (row["status_code"], row["error_type"], row["usage_source"]) == (499, "cancelled", "estimated")
    wait_for(lambda: gateway.get("/metrics")[1].count("callgate_in_flight") > 0, "the gateway goes on")


def test_what_is_not_translated_is_said(gateway: Gateway) -> None:
    for path in ("/v2/chat", "/v1/chat"):
        answer = gateway.post(path, {"model": "claude/echo", "messages": HELLO, "message": "hi"})
        assert (answer.status, answer.json()["code"]) == (400, "dialect_not_translated")


def test_a_path_of_a_named_provider_is_never_translated(gateway: Gateway) -> None:
    answer = gateway.post("/p/gpt/messages", {"model": "echo", "max_tokens": 9, "messages": HELLO})
    assert (answer.status, answer.json()["type"]) == (200, "message"), "the demo speaks that itself"
