"""The demo provider's answers in each API, without a connection."""

from __future__ import annotations

import json
from base64 import b64decode
from struct import unpack
from typing import Any

import pytest

from gateway.demo import MODELS, PRICES, Demo
from gateway.demo.service import Reply

QUICK = {"ttft-ms": 0, "tps": 0}
LONG = "The same long instructions. " * 200
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}


def ask(path: str, body: dict[str, Any], said: str = "", demo: Demo | None = None, method: str = "POST") -> Reply:
    return (demo or Demo(QUICK)).reply(method, path, said, json.dumps(body).encode())


def whole(reply: Reply) -> Any:
    assert not reply.stream
    data = b"".join(piece.data for piece in reply.pieces)
    assert len(data) == reply.length
    return json.loads(data)


def events(reply: Reply) -> list[Any]:
    """The data of each event; [DONE] as a string. Every piece is exactly one event."""
    assert reply.stream
    found = []
    for piece in reply.pieces:
        lines = piece.data.decode().removesuffix("\n\n").split("\n")
        data = lines[-1].removeprefix("data: ")
        found.append(data if data == "[DONE]" else json.loads(data))
        if len(lines) == 2:
            assert lines[0] == f"event: {found[-1]['type']}"
    return found


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "demo/echo", "messages": [{"role": "user", "content": text}], **more}


# -- what is said, in each API

SAYING = "Grüße an alle, 日本"
ECHOES = {
    "/v1/chat/completions": (
        chat(SAYING),
        lambda r: (r["choices"][0]["message"]["content"], r["choices"][0]["finish_reason"]),
        lambda es: "".join(e["choices"][0]["delta"].get("content", "") for e in es if e != "[DONE]"),
        "stop",
    ),
    "/v1/completions": (
        {"model": "echo", "prompt": SAYING},
        lambda r: (r["choices"][0]["text"], r["choices"][0]["finish_reason"]),
        lambda es: "".join(e["choices"][0]["text"] for e in es if e != "[DONE]"),
        "stop",
    ),
    "/v1/responses": (
        {"model": "echo", "input": SAYING},
        lambda r: (r["output"][0]["content"][0]["text"], r["status"]),
        lambda es: "".join(e["delta"] for e in es if e["type"] == "response.output_text.delta"),
        "completed",
    ),
    "/v1/messages": (
        chat(SAYING, max_tokens=100),
        lambda r: (r["content"][0]["text"], r["stop_reason"]),
        lambda es: "".join(e["delta"]["text"] for e in es if e["type"] == "content_block_delta"),
        "end_turn",
    ),
}


@pytest.mark.parametrize("path", ECHOES)
def test_echo_says_the_last_text_of_the_user_whole_and_streaming(path: str) -> None:
    body, said, streamed, finish = ECHOES[path]
    assert said(whole(ask(path, body))) == (SAYING, finish)
    assert streamed(events(ask(path, {**body, "stream": True}))) == SAYING


@pytest.mark.parametrize("path", ECHOES)
def test_an_answer_ends_at_the_limit(path: str) -> None:
    body, said, _, _ = ECHOES[path]
    limit = "max_output_tokens" if path == "/v1/responses" else "max_tokens"
    text, finish = said(whole(ask(path, {**body, limit: 2})))
    assert (text, finish) == (
        "Gr" + "ü",
        {"/v1/responses": "incomplete", "/v1/messages": "max_tokens"}.get(path, "length"),
    )


@pytest.mark.parametrize("path", ECHOES)
def test_lorem_says_the_same_for_the_same_prompt_and_as_much_as_is_asked_for(path: str) -> None:
    body, said, _, _ = ECHOES[path]
    one, again = (said(whole(ask(path, {**body, "model": "demo/lorem"})))[0] for _ in range(2))
    assert one == again
    assert 60 <= len(one.split()) < 300
    reply = whole(ask(path, {**body, "model": "lorem:tokens=33"}))
    assert (reply["usage"].get("output_tokens") or reply["usage"]["completion_tokens"]) == 33


def test_the_answers_name_their_model_without_what_was_said_to_it() -> None:
    assert whole(ask("/v1/chat/completions", chat("x", model="demo/lorem:tokens=3")))["model"] == "lorem"


# -- usage


def test_chat_usage_is_on_a_last_chunk_when_asked_for_and_null_before() -> None:
    plain = events(ask("/v1/chat/completions", chat("Hi you", stream=True)))
    assert all("usage" not in e for e in plain if e != "[DONE]")
    asked = events(ask("/v1/chat/completions", chat("Hi you", stream=True, stream_options={"include_usage": True})))
    assert asked[-1] == plain[-1] == "[DONE]"
    assert all(e["usage"] is None for e in asked[:-2])
    assert asked[-2]["choices"] == []
    assert asked[-2]["usage"] == whole(ask("/v1/chat/completions", chat("Hi you")))["usage"]
    assert asked[-2]["usage"]["completion_tokens"] == 2


def test_cached_tokens_in_each_meaning() -> None:
    """OpenAI's input has them in it, Anthropic's does not."""
    demo = Demo(QUICK)
    first = whole(ask("/v1/chat/completions", chat(LONG), demo=demo))["usage"]
    again = whole(ask("/v1/chat/completions", chat(LONG), demo=demo))["usage"]
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert again["prompt_tokens_details"]["cached_tokens"] == 1280
    assert again["prompt_tokens"] == first["prompt_tokens"] == 1402
    claude = [whole(ask("/v1/messages", chat(LONG), demo=demo))["usage"] for _ in range(2)][1]
    assert claude["cache_read_input_tokens"] == 1280
    assert (
        claude["input_tokens"] + claude["cache_read_input_tokens"]
        == whole(ask("/v1/messages/count_tokens", chat(LONG)))["input_tokens"]
    )


def test_thinking_is_billed_and_takes_its_time() -> None:
    reply = ask("/v1/responses", {"model": "echo-thinking", "input": "Hi", "stream": True})
    found = events(reply)
    usage = found[-1]["response"]["usage"]
    thought = usage["output_tokens_details"]["reasoning_tokens"]
    assert 40 <= thought <= 160
    assert usage["output_tokens"] == thought + 1
    first = next(i for i, e in enumerate(found) if e["type"] == "response.output_text.delta")
    assert reply.pieces[first].tokens == thought + 1
    assert reply.pieces[0].tokens == 0


@pytest.mark.parametrize("path", ECHOES)
def test_usage_none(path: str) -> None:
    body = ECHOES[path][0]
    assert not whole(ask(path, body, "usage=none")).get("usage")


# -- tools and structured output

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]


@pytest.mark.parametrize(
    ("body", "called"),
    [
        (chat("please call get_weather", tools=TOOLS), True),
        (chat("how are you?", tools=TOOLS), False),
        (chat("how are you?", tools=TOOLS, tool_choice="required"), True),
        (chat("hm", tools=TOOLS, tool_choice={"type": "function", "function": {"name": "get_weather"}}), True),
        (chat("call get_weather", tools=TOOLS, tool_choice="none"), False),
        (chat("call my_get_weather_2", tools=TOOLS), False),
        (
            chat("", tools=TOOLS)
            | {
                "messages": [
                    {"role": "user", "content": "get_weather"},
                    {"role": "tool", "content": "12 °C", "tool_call_id": "x"},
                ]
            },
            False,
        ),
    ],
)
def test_when_a_tool_is_called(body: dict[str, Any], called: bool) -> None:
    choice = whole(ask("/v1/chat/completions", body))["choices"][0]
    assert (choice["finish_reason"] == "tool_calls") is called
    assert bool(choice["message"].get("tool_calls")) is called
    if called:
        function = choice["message"]["tool_calls"][0]["function"]
        assert function["name"] == "get_weather"
        assert isinstance(json.loads(function["arguments"])["city"], str)
        assert choice["message"]["content"] is None


def test_a_tool_call_streams_its_arguments_in_every_api() -> None:
    said = "call get_weather"
    chunks = events(ask("/v1/chat/completions", chat(said, tools=TOOLS, stream=True)))
    calls = [c["choices"][0]["delta"].get("tool_calls", [{}])[0] for c in chunks[:-1]]
    assert calls[0]["function"]["name"] == "get_weather"
    arguments = ["".join(c["function"]["arguments"] for c in calls if c)]
    tool = {"type": "function", "name": "get_weather", "parameters": WEATHER}
    found = events(ask("/v1/responses", {"model": "echo", "input": said, "tools": [tool], "stream": True}))
    deltas = [e["delta"] for e in found if e["type"] == "response.function_call_arguments.delta"]
    assert found[-1]["response"]["output"][0]["arguments"] == "".join(deltas)
    arguments.append("".join(deltas))
    claude = [{"name": "get_weather", "input_schema": WEATHER}]
    found = events(ask("/v1/messages", chat(said, tools=claude, stream=True)))
    arguments.append("".join(e["delta"]["partial_json"] for e in found if e["type"] == "content_block_delta"))
    assert found[-2]["delta"]["stop_reason"] == "tool_use"
    assert all(isinstance(json.loads(each)["city"], str) for each in arguments)
    block = whole(ask("/v1/messages", chat(said, tools=claude)))["content"][0]
    assert (block["type"], block["input"]) == ("tool_use", json.loads(arguments[-1]))


def test_structured_output() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER}}
    text = whole(ask("/v1/chat/completions", chat("x", response_format=wanted)))["choices"][0]["message"]["content"]
    assert set(json.loads(text)) == {"city", "days"}
    text = whole(ask("/v1/chat/completions", chat("x", response_format={"type": "json_object"})))["choices"][0][
        "message"
    ]["content"]
    assert isinstance(json.loads(text), dict)
    form = {"format": {"type": "json_schema", "name": "weather", "schema": WEATHER}}
    item = whole(ask("/v1/responses", {"model": "echo", "input": "x", "text": form}))["output"][0]
    assert set(json.loads(item["content"][0]["text"])) == {"city", "days"}


# -- embeddings and models


def test_embeddings_are_unit_vectors_and_like_texts_are_near() -> None:
    texts = ["the cat sat on the mat", "the cat lay on the mat", "quarterly revenue grew", ""]
    data = whole(ask("/v1/embeddings", {"model": "echo", "input": texts}))["data"]
    vectors = [one["embedding"] for one in data]
    assert [one["index"] for one in data] == [0, 1, 2, 3]
    assert {len(v) for v in vectors} == {256}
    dots = [sum(a * b for a, b in zip(vectors[0], v, strict=True)) for v in vectors]
    assert dots[0] == pytest.approx(1)
    assert dots[1] > 0.5 > dots[2]
    assert sum(x * x for x in vectors[3]) == pytest.approx(1)


def test_embeddings_as_base64_tokens_and_of_other_dimensions() -> None:
    plain, packed = (
        whole(ask("/v1/embeddings", {"model": "echo", "input": [7, 8, 9], "dimensions": 8, "encoding_format": form}))
        for form in ("float", "base64")
    )
    assert unpack("<8f", b64decode(packed["data"][0]["embedding"])) == pytest.approx(plain["data"][0]["embedding"])
    assert plain["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    assert len(whole(ask("/v1/embeddings", {"model": "echo", "input": [[1], [2, 3]]}))["data"]) == 2
    for impossible in (0, 5000):
        assert ask("/v1/embeddings", {"model": "echo", "input": "x", "dimensions": impossible}).status == 400


def test_models() -> None:
    listed = whole(ask("/v1/models", {}, method="GET"))
    assert [model["id"] for model in listed["data"]] == list(MODELS)
    assert whole(ask("/v1/models/echo", {}, method="GET"))["id"] == "echo"
    assert ask("/v1/models/other", {}, method="GET").status == 404
    assert set(PRICES) == {f"demo/{model}" for model in MODELS}


# -- failures


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        (
            "/v1/chat/completions",
            {"model": "gpt-5", "messages": []},
            404,
            {"type": "invalid_request_error", "code": "model_not_found"},
        ),
        ("/v1/chat/completions", {"model": "echo", "messages": []}, 400, {"type": "invalid_request_error"}),
        ("/v1/chat/completions", {"messages": []}, 400, {"type": "invalid_request_error"}),
        ("/v1/chat/completions", chat("x", model="echo:nonsense"), 400, {"type": "invalid_request_error"}),
        (
            "/v1/chat/completions",
            chat("x", model="echo:status=429"),
            429,
            {"type": "rate_limit_error", "code": "rate_limit_exceeded"},
        ),
        ("/v1/chat/completions", chat("x", demo={"status": 503}), 503, {"type": "server_error"}),
        ("/v1/messages", chat("x", model="echo:status=529"), 529, {"type": "overloaded_error"}),
        ("/v1/messages", {"model": "echo", "messages": []}, 400, {"type": "invalid_request_error"}),
        ("/v1/embeddings", {"model": "echo:status=401", "input": "x"}, 401, {"type": "authentication_error"}),
        ("/v1/nowhere", {}, 404, {"type": "invalid_request_error"}),
    ],
)
def test_errors_have_the_shape_of_the_api(path: str, body: dict[str, Any], status: int, error: dict[str, str]) -> None:
    reply = ask(path, body)
    found = whole(reply)
    assert reply.status == status
    assert error.items() <= found["error"].items()
    assert found["error"]["message"]
    assert (found.get("type") == "error") is (path == "/v1/messages")


def test_the_wrong_method_is_told_the_right_one() -> None:
    reply = ask("/v1/chat/completions", {}, method="GET")
    assert reply.status == 405
    assert ("allow", "POST") in reply.headers


def test_not_json_at_all() -> None:
    assert Demo().reply("POST", "/v1/chat/completions", "", b"{").status == 400


def test_times_fails_only_the_first_tries_of_a_body() -> None:
    demo = Demo(QUICK)
    body = chat("x", model="echo:status=503,retry-after=0.5,times=2")
    replies = [ask("/v1/chat/completions", body, demo=demo) for _ in range(4)]
    assert [reply.status for reply in replies] == [503, 503, 200, 200]
    assert ("retry-after", "0.5") in replies[0].headers
    assert ask("/v1/chat/completions", {**body, "user": "other"}, demo=demo).status == 503


@pytest.mark.parametrize("path", ECHOES)
def test_an_error_within_a_stream(path: str) -> None:
    found = events(ask(path, {**ECHOES[path][0], "stream": True}, "error-after=2"))
    assert len(found) == 3
    assert "error" in found[-1] or found[-1]["type"] == "error"


@pytest.mark.parametrize(
    ("said", "stream", "end", "size"),
    [
        ("stall", False, "stall", 0),
        ("reset", False, "reset", 0),
        ("cut-after=10", False, "cut", 10),
        ("stall-after=10", False, "stall", 10),
    ],
)
def test_broken_connections(said: str, stream: bool, end: str, size: int) -> None:
    reply = ask("/v1/chat/completions", chat("Hello", stream=stream), said)
    assert reply.end == end
    assert sum(len(piece.data) for piece in reply.pieces) == size
    assert (reply.status is None) is (size == 0)
    assert reply.length > size


def test_cut_after_some_events() -> None:
    reply = ask("/v1/chat/completions", chat("Hello there", stream=True), "cut-after=2")
    assert [reply.end, len(reply.pieces)] == ["cut", 2]


def test_the_pace() -> None:
    slow = ask("/v1/chat/completions", chat("x"), demo=Demo())
    assert 0.15 <= slow.ttft_s <= 0.35
    assert 40 <= slow.tokens_per_s <= 80
    told = ask("/v1/chat/completions", chat("x"), "ttft-ms=5, tps=10, delay-ms=7", demo=Demo())
    assert (told.ttft_s, told.tokens_per_s, told.delay_s) == (0.005, 10, 0.007)
    assert ask("/v1/chat/completions", chat("x"), "status=500, delay-ms=7").delay_s == 0.007
