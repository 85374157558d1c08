"""The official `openai` client, unchanged but for its base URL, with the demo provider behind the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.e2e.harness import APP_KEY, NARROW_KEY, UPSTREAM_KEY, Gateway, wait_for
from tests.e2e.upstream import Upstream, completes
from tests.e2e.wire import Message, Wire, answer

SAY: Any = [{"role": "user", "content": "Hello there, old friend"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=APP_KEY, max_retries=0, timeout=10) as client:
        yield client


# -- answers


def test_a_whole_answer(client: OpenAI, gateway: Gateway) -> None:
    completion = client.chat.completions.create(model="demo/echo", messages=SAY, metadata={"job": "whole"})
    assert completion.choices[0].message.content == "Hello there, old friend"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage
    row = gateway.row(completion._request_id)
    assert (row["input_tokens"], row["output_tokens"]) == (
        completion.usage.prompt_tokens,
        completion.usage.completion_tokens,
    )
    assert (row["provider"], row["model"], row["tags"]["job"]) == ("demo", "echo", "whole")
    assert row["response_text"] == "Hello there, old friend"
    assert row["cost_source"] == "override"
    assert row["cost_nanousd"] == row["input_tokens"] * 150 + row["output_tokens"] * 600


def test_a_stream(client: OpenAI, gateway: Gateway) -> None:
    with client.chat.completions.create(model="demo/echo", messages=SAY, stream=True) as stream:
        request_id = stream.response.headers["x-request-id"]
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Hello there, old friend"
    assert all(chunk.choices and chunk.usage is None for chunk in chunks), "no chunk the client did not ask for"
    row = gateway.row(request_id)
    assert row["stream"] is True
    assert row["output_tokens"] == 4, "metered all the same"
    assert row["ttft_ms"] is not None


def test_a_stream_with_usage(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="demo/echo", messages=SAY, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 4


def test_the_stream_helper(client: OpenAI) -> None:
    with client.chat.completions.stream(model="demo/echo", messages=SAY) as stream:
        said = "".join(event.delta for event in stream if event.type == "content.delta")
        assert said == stream.get_final_completion().choices[0].message.content == "Hello there, old friend"


def test_tools_whole_and_streaming(client: OpenAI, gateway: Gateway) -> None:
    ask: Any = [{"role": "user", "content": "use get_weather"}]
    raw = client.chat.completions.with_raw_response.create(model="demo/echo", messages=ask, tools=[WEATHER])
    message = raw.parse().choices[0].message
    assert message.tool_calls
    call = message.tool_calls[0]
    assert call.type == "function"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    row = gateway.row(raw.headers["x-request-id"])
    assert row["finish_reason"] == "tool_calls"
    assert [(c["name"], c["arguments"]) for c in row["tool_calls"]] == [("get_weather", call.function.arguments)]
    with client.chat.completions.stream(model="demo/echo", messages=ask, tools=[WEATHER]) as stream:
        final = stream.get_final_completion().choices[0].message
    assert final.tool_calls
    assert final.tool_calls[0].function.arguments == call.function.arguments
    result: Any = [
        *ask,
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "9 °C"},
    ]
    after = client.chat.completions.create(model="demo/echo", messages=result, tools=[WEATHER])
    assert after.choices[0].finish_reason == "stop"


class Step(BaseModel):
    explanation: str
    weight: float


class Plan(BaseModel):
    title: str
    steps: list[Step]
    mood: Literal["calm", "bold"]
    next: Plan | None


def test_structured_output(client: OpenAI) -> None:
    parsed = client.chat.completions.parse(model="demo/lorem", messages=SAY, response_format=Plan)
    plan = parsed.choices[0].message.parsed
    assert isinstance(plan, Plan)
    assert plan.steps


def test_legacy_completions(client: OpenAI, gateway: Gateway) -> None:
    whole = client.completions.create(model="demo/echo", prompt="Once upon a time")
    assert whole.choices[0].text == "Once upon a time"
    pieces = client.completions.create(model="demo/echo", prompt="Once upon a time", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "Once upon a time"
    assert gateway.row(whole._request_id)["output_tokens"] == 4


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(encoding: Any, client: OpenAI, gateway: Gateway) -> None:
    """Without a choice the client asks for base64 and decodes it itself."""
    wanted: Any = {"encoding_format": encoding} if encoding else {}
    found = client.embeddings.create(model="demo/echo", input=["red fox", "blue whale"], dimensions=16, **wanted)
    assert len(found.data) == 2
    if encoding != "base64":
        assert all(len(one.embedding) == 16 for one in found.data)
    row = gateway.row(found._request_id)
    assert (row["kind"], row["input_tokens"]) == ("embedding", found.usage.prompt_tokens)


def test_models(client: OpenAI, gateway: Gateway) -> None:
    assert {"demo/echo", "demo/lorem"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("demo/echo").id == "demo/echo"
    narrow = OpenAI(base_url=f"{gateway.url}/v1", api_key=NARROW_KEY)
    with narrow:
        assert [model.id for model in narrow.models.list()] == ["demo/echo"], "only those the key may use"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_files_go_to_the_default_provider(client: OpenAI, upstream: Upstream, gateway: Gateway) -> None:
    content = b'{"custom_id": "1"}\n' * 1000
    file = {"id": "file-1", "object": "file", "bytes": len(content), "created_at": 1, "filename": "a.jsonl"}
    file |= {"purpose": "batch", "status": "processed"}

    def script(wire: Wire, request: Message) -> None:
        wire.send(answer(content if request.target.endswith("/content") else file))

    upstream.script = script
    uploaded = client.files.create(file=("a.jsonl", content), purpose="batch")
    assert uploaded.id == "file-1"
    sent = upstream.request()
    assert (sent.method, sent.target) == ("POST", "/v1/files")
    assert sent.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert content in sent.body
    assert (sent.header("content-type") or "").startswith("multipart/form-data; boundary=")
    assert client.files.content("file-1").read() == content
    row = gateway.row(uploaded._request_id)
    assert (row["endpoint"], row["status_code"], row["input_tokens"]) == ("POST /v1/files", 200, None)


# -- raw access


def test_raw_responses(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="demo/echo", messages=SAY)
    assert raw.headers["x-callgate-provider"] == "demo"
    assert raw.headers["x-callgate-attempts"] == "1"
    assert float(raw.headers["x-callgate-cost-usd"]) > 0
    assert raw.headers["x-upstream-request-id"].startswith("demo-")
    assert raw.parse().choices[0].message.content == "Hello there, old friend"


def test_with_streaming_response(client: OpenAI) -> None:
    asked = client.chat.completions.with_streaming_response
    with asked.create(model="demo/echo", messages=SAY, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in lines)


# -- errors, retries, time limits


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_a_providers_error_is_the_exception_it_would_be(
    status: int, error: type[openai.APIStatusError], client: OpenAI, gateway: Gateway
) -> None:
    with pytest.raises(error) as raised:
        client.chat.completions.create(model=f"demo/echo:status={status}", messages=SAY)
    assert f"asked for status {status}" in raised.value.message
    assert gateway.row(raised.value.request_id)["status_code"] == status


def test_the_gateways_own_errors(client: OpenAI, gateway: Gateway) -> None:
    with pytest.raises(openai.AuthenticationError) as unknown:
        client.with_options(api_key="cg-nobody-knows-this-key").models.list()
    assert unknown.value.code == "invalid_api_key"
    with pytest.raises(openai.PermissionDeniedError) as forbidden:
        client.with_options(api_key=NARROW_KEY).chat.completions.create(model="demo/lorem", messages=SAY)
    assert forbidden.value.code == "model_not_allowed"
    with pytest.raises(openai.BadRequestError) as bad:
        client.post("/chat/completions", body={"messages": []}, cast_to=httpx.Response)
    assert (bad.value.code, bad.value.param) == ("invalid_request_error", "model")
    with pytest.raises(openai.InternalServerError) as garbled:
        client.chat.completions.create(model="demo/echo:garbage", messages=SAY)
    assert (garbled.value.status_code, garbled.value.code) == (502, "upstream_malformed")


def test_an_error_within_a_stream_is_raised(client: OpenAI, gateway: Gateway) -> None:
    stream = client.chat.completions.create(model="demo/lorem:error-after=3", messages=SAY, stream=True)
    with stream, pytest.raises(openai.APIError, match="asked to fail"):
        list(stream)
    assert gateway.row(stream.response.headers["x-request-id"])["error_type"] == "upstream_error"


def test_a_stream_that_is_cut_is_raised(client: OpenAI, gateway: Gateway) -> None:
    stream = client.chat.completions.create(model="demo/lorem:cut-after=3", messages=SAY, stream=True)
    with stream, pytest.raises(openai.APIError):
        list(stream)
    assert gateway.row(stream.response.headers["x-request-id"])["error_type"] == "network"


@pytest.mark.parametrize("failure", ["status=429,retry-after=0.01", "status=503", "reset", "garbage"])
def test_the_clients_own_retries(failure: str, client: OpenAI) -> None:
    """What fails twice succeeds the third time; a `times` of its own for each test, so that no other counts along."""
    patient = client.with_options(max_retries=2)
    ask: Any = [{"role": "user", "content": f"try again after {failure}"}]
    said = patient.chat.completions.create(model=f"demo/echo:{failure},times=2", messages=ask)
    assert said.choices[0].message.content == f"try again after {failure}"


def test_retry_after_reaches_the_client(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="demo/echo:status=429,retry-after=3", messages=SAY)
    assert raised.value.response.headers["retry-after"] == "3"


def test_the_clients_own_time_limit(client: OpenAI, gateway: Gateway) -> None:
    tag = {"x-callgate-tags": "test=time-limit"}
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="demo/echo:stall", messages=SAY, timeout=0.3, extra_headers=tag)
    rows = wait_for(lambda: gateway.rows("tag.test=time-limit"), "the call is in the log")
    assert [(row["status_code"], row["error_type"]) for row in rows] == [(499, "cancelled")]


# -- async


def test_the_async_client(gateway: Gateway) -> None:
    async def scenario() -> None:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=APP_KEY, max_retries=0) as client:
            together = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="demo/echo", messages=[{"role": "user", "content": f"number {n}"}]
                    )
                    for n in range(20)
                )
            )
            assert [c.choices[0].message.content for c in together] == [f"number {n}" for n in range(20)]
            stream = await client.chat.completions.create(model="demo/echo", messages=SAY, stream=True)
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
            assert "".join(said) == "Hello there, old friend"
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(model="demo/echo:status=429", messages=SAY)

    asyncio.run(scenario())


def test_responses_pass_through(client: OpenAI) -> None:
    """Forwarded as they are; to the demo through its native path, since they name no provider the gateway reads yet."""
    there = client.with_options(base_url=str(client.base_url).replace("/v1/", "/p/demo/v1/"))
    response = there.responses.create(model="echo", input="Hello there")
    assert response.output_text == "Hello there"
    with there.responses.stream(model="echo", input="Hello there") as stream:
        assert stream.get_final_response().output_text == "Hello there"


def test_the_default_provider_takes_what_nobody_claims(client: OpenAI, upstream: Upstream) -> None:
    upstream.script = completes
    completion = client.chat.completions.create(model="some-model-of-theirs", messages=SAY)
    assert completion.model == "m-1-2026"
    assert upstream.request().json()["model"] == "some-model-of-theirs"
