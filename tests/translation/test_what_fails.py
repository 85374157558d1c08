"""Failures of a provider, as the client's dialect tells them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.dialects import dialect_for
from gateway.settings import Timeout
from gateway.translation import Backend
from tests.translation.provider import (
    ENGINE,
    Answer,
    Provider,
    closing,
    events,
    request,
    said,
    serving,
    translated,
    whole,
)

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}


def anthropic_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "prompt is too long: 210000 tokens > 200000 maximum context", "context_length_exceeded"),
        (400, "Output blocked by content filtering policy", "content_filter"),
        (401, "invalid x-api-key", "invalid_api_key"),
        (403, "no", "invalid_request_error"),
        (429, "slow down", "rate_limit_exceeded"),
        (500, "internal", "upstream_error"),
        (529, "Overloaded", "upstream_error"),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_status_message_and_retry_after_are_the_providers(status: int, message: str, code: str, streams: bool) -> None:
    answer = whole(anthropic_error("x", message), status, retry_after="7", request_id="req_1", set_cookie="no=1")
    given, headers, data, provider = translated(
        answer, "anthropic", "/v1/chat/completions", {**CHAT, "stream": streams}
    )
    error = json.loads(data)["error"]
    assert (given, error["message"], error["code"]) == (status, message, code)
    assert (headers["retry-after"], headers["request-id"], "set-cookie" in headers) == ("7", "req_1", False)
    assert len(provider.got) == 1, "nothing is tried again here: that is for routes"


@pytest.mark.parametrize("status", [400, 429, 500])
def test_the_same_for_a_client_of_messages(status: int) -> None:
    answer = whole({"error": {"message": "no", "type": "x", "code": None}}, status, retry_after_ms="70")
    given, headers, data, _ = translated(answer, "openai", "/v1/messages", CHAT)
    body = json.loads(data)
    assert (given, body["type"], body["error"]["message"]) == (status, "error", "no")
    assert headers["retry-after-ms"] == "70"


START: Any = {
    "type": "message_start",
    "message": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    },
}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}


def test_a_stream_that_is_cut_ends_with_an_error() -> None:
    answer = events(START, BLOCK, TEXT, named=True)
    answer.cut = True
    _, _, data, _ = translated(answer, "anthropic", "/v1/chat/completions", {**CHAT, "stream": True})
    *_, last = data.decode().strip().split("\n\n")
    assert "Hello" in data.decode()
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "upstream_reset"
    assert b"[DONE]" not in data
    assert b'"finish_reason":"stop"' not in data


def test_an_error_within_a_stream_keeps_its_words() -> None:
    answer = events(START, BLOCK, TEXT, anthropic_error("overloaded_error", "Overloaded"), named=True)
    _, _, data, _ = translated(answer, "anthropic", "/v1/chat/completions", {**CHAT, "stream": True})
    *_, last = data.decode().strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "Overloaded"


def test_an_answer_that_is_no_json() -> None:
    status, _, data, _ = translated(Answer([b"<html>"]), "anthropic", "/v1/chat/completions", CHAT)
    assert (status, json.loads(data)["error"]["code"]) == (502, "upstream_malformed")
    assert b"Traceback" not in data


def answered(backend: Backend, path: str, body: object) -> tuple[int, Any]:
    async def call() -> tuple[int, Any]:
        bridge = await ENGINE.bridge()
        reply = await bridge.answer(request(backend, path, body))
        data = await said(reply)
        await closing(backend)
        return reply.status, json.loads(data)

    return asyncio.run(call())


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "cohere", "bedrock"])
def test_nobody_is_there(dialect: str) -> None:
    backend = Backend(name="gone", dialect=dialect, base_url="http://127.0.0.1:1", region="us-east-1")
    status, body = answered(backend, "/v1/chat/completions", CHAT)
    assert (status, body["error"]["code"]) == (502, "upstream_unreachable")
    assert "gone cannot be reached" in body["error"]["message"]


def test_silence_is_a_timeout() -> None:
    quiet = Answer([], stalls=True)
    short = Timeout(connect_s=1, first_byte_s=0.2, idle_s=0.2)
    status, _, data, _ = translated(quiet, "anthropic", "/v1/chat/completions", CHAT, timeout=short)
    assert (status, json.loads(data)["error"]["code"]) == (504, "upstream_timeout")


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/chat/completions", b"{", "not JSON"),
        ("/v1/chat/completions", b"[]", "JSON object"),
        ("/v1/chat/completions", {"messages": []}, "'model'"),
        ("/v1/chat/completions", {"model": "m"}, "'messages'"),
        ("/v1/responses", {"model": "m"}, "'input'"),
        ("/v1/responses", {"model": "m", "input": "hi", "previous_response_id": "r"}, "'previous_response_id'"),
        ("/v1/embeddings", {"model": "m"}, "'input'"),
    ],
)
def test_a_request_that_cannot_be_understood(path: str, body: object, named: str) -> None:
    status, _, data, provider = translated(whole({}), "anthropic", path, body)
    assert (status, provider.got) == (400, [])
    assert named in json.loads(data)["error"]["message"]


def test_a_stream_that_is_given_up_ends_the_call_to_the_provider() -> None:
    async def leave() -> None:
        answer = events(START, BLOCK, TEXT, named=True)
        answer.stalls = True
        provider = Provider(answer)
        bridge = await ENGINE.bridge()
        async with serving(provider):
            backend = provider.backend("anthropic")
            reply = await bridge.answer(request(backend, "/v1/chat/completions", {**CHAT, "stream": True}))
            stream: Any = reply.body
            assert b"Hello" in await anext(stream)
            await stream.aclose()
            await asyncio.wait_for(provider.gone.wait(), 5)
            await closing(backend)

    asyncio.run(leave())


@pytest.mark.parametrize("path", ["/v1/messages", "/v1beta/models/m:streamGenerateContent?alt=sse"])
def test_nothing_at_all_where_a_stream_was_asked_for_is_no_answer(path: str) -> None:
    body = {"model": "m", "stream": True, "messages": USER, "max_tokens": 9, "contents": CONTENTS}
    _, _, data, _ = translated(Answer([]), "openai", path, body)
    read = dialect_for(b"POST", path.partition("?")[0].encode()).read(data, True, 200)
    assert (read.complete, read.finish_reasons) == (False, [])
    assert read.error is not None


def opening(dialect: str) -> list[Any]:
    """What a provider begins a stream with, and does not end."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": "yes"}, "finish_reason": None}
    start = {"id": "1", "model": "m-1", "role": "assistant", "content": [], "usage": {"input_tokens": 3}}
    return {
        "openai": [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}],
        "anthropic": [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}},
        ],
        "gemini": [{"candidates": [{"content": {"role": "model", "parts": [{"text": "yes"}]}, "index": 0}]}],
    }[dialect]


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("openai", "/v1/messages"),
        ("openai", "/v1beta/models/m:streamGenerateContent?alt=sse"),
        ("anthropic", "/v1/chat/completions"),
        ("anthropic", "/v1/responses"),
        ("anthropic", "/v1/completions"),
        ("gemini", "/v1/chat/completions"),
        ("gemini", "/v1/messages"),
    ],
)
def test_a_stream_that_ends_too_early_is_never_finished(dialect: str, path: str) -> None:
    """litellm writes a finish of its own where the provider's never came."""
    asked = {"prompt": "hi"} if path.endswith("completions") else {"input": "hi"}
    body = {"model": "m", "stream": True, "messages": USER, "contents": CONTENTS, **asked}
    answer = events(*opening(dialect), named=dialect == "anthropic")
    _, _, data, _ = translated(answer, dialect, path, {**body, "max_tokens": 9})
    read = dialect_for(b"POST", path.partition("?")[0].encode()).read(data, True, 200)
    assert (read.complete, read.finish_reasons) in ((False, []), (False, ["in_progress"])), data
    assert read.error is not None
    assert "ended before the answer was complete" in read.error


USER = [{"role": "user", "content": "hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
