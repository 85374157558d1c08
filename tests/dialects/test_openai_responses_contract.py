"""OpenAI's responses keep the contract of a dialect; what is counted, what is billed, what a person wants to know."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.span import ToolCall
from gateway.dialects import Dialect, dialect_for
from pricing import Billed, Usage
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract
from tests.dialects.openai_shapes import dumped

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 25},
    "total_tokens": 140,
}
FULL = Usage(input_tokens=100, output_tokens=40, total_reported=140, cached_input_tokens=60, reasoning_tokens=25)
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
SPEECH = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello there"}]}
CALL = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Paris"}'}
CUSTOM = {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** Begin"}
MCP = {"type": "mcp_call", "id": "mcp_1", "name": "ask", "arguments": "{}", "server_label": "wiki", "output": "x"}
SEARCHES = [
    {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "a"}},
    {"type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "u"}},
    {"type": "web_search_call", "status": "completed"},
]


def response(status: str = "completed", output: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "error": None,
        "instructions": 'Say "usage":{"input_tokens":1}.',
        "model": "m-1-2026",
        "output": [THOUGHT, SPEECH] if output is None else output,
        "service_tier": "default",
        "usage": USAGE,
        **more,
    }


def event(type_: str, *, named: bool = True, **data: Any) -> bytes:
    name = b"event: " + type_.encode() + b"\n" if named else b""
    return name + b"data: " + dumped({"type": type_, **data}) + b"\n\n"


def stream(last: bytes, *, named: bool = True) -> bytes:
    begun = response("in_progress", [], usage=None, service_tier="auto")
    return (
        event("response.created", named=named, response=begun)
        + event("response.in_progress", named=named, response=begun)
        + event("response.output_item.added", named=named, output_index=0, item={**SPEECH, "content": []})
        + event("response.output_text.delta", named=named, output_index=0, content_index=0, delta="Hello")
        + event("response.output_text.delta", named=named, output_index=0, content_index=0, delta=" there")
        + last
    )


COMPLETED = event("response.completed", response=response())
WHOLE = [
    dumped(response()),
    dumped(response(output=[CALL, CUSTOM, MCP])),
    dumped(response("queued", [], usage=None, service_tier="auto")),
    dumped(response("incomplete", incomplete_details={"reason": "max_output_tokens"})),
    dumped(response("failed", [], error={"code": "server_error", "message": "It broke."})),
    dumped(response(output=[*SEARCHES, SPEECH])),
    dumped({"object": "response.compaction", "id": "resp_2", "output": [], "usage": USAGE}),
    dumped({"error": {"message": "no"}}),
    b"{}",
    b"",
]
STREAMS = [
    stream(COMPLETED),
    stream(event("response.completed", named=False, response=response()) + b"data: [DONE]\n\n", named=False),
    stream(COMPLETED).replace(b"\n", b"\r\n"),
    stream(event("response.incomplete", response=response("incomplete"))),
    stream(
        event(
            "response.failed", response=response("failed", [], error={"code": "x", "message": "It broke."}, usage=None)
        )
    ),
    stream(event("error", code="server_error", message="It broke.", param=None)),
    stream(event("error", named=False, error={"message": "It broke."})),
    stream(b'event: error\ndata: {"message":"It broke."}\n\n'),
    stream(event("response.completed", response=response(output=[*SEARCHES, SPEECH]))),
    b": waiting\n\n" + stream(b""),
]


@pytest.fixture
def dialect() -> Dialect:
    return dialect_for(b"POST", b"/v1/responses")


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return STREAMS


@pytest.mark.parametrize("answer", [(WHOLE[0], False), *((stream, True) for stream in STREAMS[:4])])
def test_what_was_said_and_used(dialect: Dialect, answer: tuple[bytes, bool]) -> None:
    read = dialect.read(*answer, 200)
    assert (read.text, read.reasoning, read.usage, read.response_id) == ("Hello there", "Hm.", FULL, "resp_1")
    assert (read.model, read.service_tier, read.complete, read.error) == ("m-1-2026", "default", True, None)


@pytest.mark.parametrize(
    ("answer", "finish"),
    [(WHOLE[0], "completed"), (WHOLE[2], "queued"), (WHOLE[3], "incomplete"), (WHOLE[4], "failed")],
)
def test_the_status_is_how_it_finished(dialect: Dialect, answer: bytes, finish: str) -> None:
    assert dialect.read(answer, False, 200).finish_reasons == [finish]
    assert dialect.read(WHOLE[6], False, 200).finish_reasons == []


@pytest.mark.parametrize(("stream", "complete"), [(STREAMS[0], True), (STREAMS[4], True), (STREAMS[5], False)])
def test_a_stream_that_failed(dialect: Dialect, stream: bytes, complete: bool) -> None:
    assert dialect.settle(stream, True).complete is complete


@pytest.mark.parametrize("stream", STREAMS[4:8])
def test_its_errors(dialect: Dialect, stream: bytes) -> None:
    assert dialect.settle(stream, True).error == dialect.read(stream, True, 200).error == "It broke."


def test_a_cut_stream_keeps_what_was_said(dialect: Dialect) -> None:
    cut = STREAMS[0][: STREAMS[0].find(b"response.completed")]
    read = dialect.read(cut, True, 200)
    assert (read.text, read.usage, read.complete, read.service_tier) == ("Hello there", None, False, "auto")


def test_tools_are_those_with_a_name(dialect: Dialect) -> None:
    assert dialect.read(WHOLE[1], False, 200).tool_calls == [
        ToolCall("weather", "call_1", '{"city":"Paris"}'),
        ToolCall("patch", "call_2", "*** Begin"),
        ToolCall("ask", "mcp_1", "{}"),
    ]
    assert dialect.read(WHOLE[5], False, 200).tool_calls == []


def test_tool_calls_of_a_stream_that_repeats_no_output(dialect: Dialect) -> None:
    items = event("response.output_item.done", output_index=1, item=CALL)
    last = event("response.completed", response=response(output=[]))
    assert [call.name for call in dialect.read(stream(items + last), True, 200).tool_calls] == ["weather"]


@pytest.mark.parametrize(
    ("output", "told", "searches"),
    [
        ([SPEECH], None, None),
        ([*SEARCHES, SPEECH], None, 2),
        ([*SEARCHES, SPEECH], {"web_search": {"num_requests": 0}}, 2),
        ([*SEARCHES, SPEECH], {"web_search": {"num_requests": 5}}, 5),
    ],
)
def test_web_searches_are_counted(dialect: Dialect, output: list[Any], told: Any, searches: int | None) -> None:
    answered = response(output=output, tool_usage=told)
    for settled in (
        dialect.settle(dumped(answered), False),
        dialect.settle(stream(event("response.completed", response=answered)), True),
    ):
        assert settled.usage is not None
        assert settled.usage.web_searches == searches


def test_pictures_drawn_on_the_way_are_paid_at_their_models_price(dialect: Dialect) -> None:
    drawn = {"input_tokens": 7, "output_tokens": 900, "total_tokens": 907}
    answer = response(
        output=[{"type": "image_generation_call", "result": "aGk="}],
        tool_usage={"image_gen": drawn},
        tools=[{"type": "image_generation", "model": "gpt-image-9"}],
    )
    paid = Usage(input_tokens=7, output_tokens=900, total_reported=907)
    assert dialect.settle(dumped(answer), False).also == [Billed("gpt-image-9", paid)]
    assert dialect.settle(dumped(response(tool_usage={"image_gen": drawn})), False).also == []


def test_every_bill_has_an_id_and_what_was_not_billed_has_none(dialect: Dialect) -> None:
    fetched = dialect_for(b"GET", b"/v1/responses/resp_1")
    assert fetched.name == "openai.responses.retrieve"
    for answer in (dialect.settle(WHOLE[0], False), fetched.settle(WHOLE[0], False), dialect.settle(STREAMS[0], True)):
        assert (answer.bill_id, answer.usage) == ("resp_1", FULL)
    assert dialect.settle(WHOLE[2], False).bill_id is None
    assert dialect.settle(WHOLE[0], False).bill_is_own
    assert not fetched.settle(WHOLE[0], False).bill_is_own


def test_a_fetched_stream_is_known_by_its_bytes() -> None:
    fetched = dialect_for(b"GET", b"/v1/responses/resp_1")
    assert fetched.settle(STREAMS[0], False).usage == FULL
    assert fetched.read(STREAMS[0], False, 200).text == "Hello there"


@pytest.mark.parametrize(
    ("method", "path", "name", "kind"),
    [
        (b"POST", b"/v1/responses/compact", "openai.responses", "llm"),
        (b"POST", b"/v1/responses/resp_1/cancel", "openai.responses.retrieve", "llm"),
        (b"POST", b"/v1/responses/input_tokens", "openai.input_tokens", "tokens"),
        (b"GET", b"/v1/responses/resp_1/input_items", "openai.stored", "stored"),
        (b"DELETE", b"/v1/responses/resp_1", "openai.stored", "stored"),
    ],
)
def test_its_other_paths(method: bytes, path: bytes, name: str, kind: str) -> None:
    found = dialect_for(method, path)
    assert (found.name, found.kind) == (name, kind)


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"input": "a text"}, "a text"),
        ({"input": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]}, "one"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "one"}]}]}, "one"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "42"}]}, None),
        ({"input": []}, None),
        ({}, None),
    ],
)
def test_the_prompt(dialect: Dialect, body: dict[str, Any], prompt: str | None) -> None:
    assert dialect.prompt(dumped(body)) == prompt


def test_azure_names_the_model_in_the_path(dialect: Dialect) -> None:
    path = b"/openai/deployments/my%20gpt/responses"
    assert dialect.model_in(path) == "my gpt"
    assert dialect.with_model(path, "a/b") == b"/openai/deployments/a%2Fb/responses"
    assert dialect.model_in(b"/v1/responses") is None
