"""Bedrock: its own words for usage, content and failure, whole and in streams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.eventstream import encode, messages
from gateway.core.span import ToolCall
from gateway.dialects import Answer, Context, Dialect, dialect_for
from gateway.dialects.bedrock_converse import settled_stream
from gateway.dialects.bedrock_events import as_lines, events, settling
from gateway.errors import CallError
from pricing import Usage
from tests.dialects.bedrock_shapes import (
    CLAUDE_STREAM,
    COMMAND,
    COMMAND_STREAM,
    FAILED,
    GPT,
    GPT_STREAM,
    LLAMA,
    LLAMA_STREAM,
    MISTRAL,
    MISTRAL_STREAM,
    MODEL,
    NOVA,
    NOVA_STREAM,
    STREAM,
    TITAN,
    TITAN_STREAM,
    WHOLE,
    chunk,
    context,
    exception,
    frame,
)

CONVERSE = dialect_for(b"POST", b"/model/m/converse")
INVOKE = dialect_for(b"POST", b"/model/m/invoke")


@pytest.mark.parametrize(("body", "streaming"), [(WHOLE, False), (STREAM, True)])
def test_converse_whole_and_in_pieces(body: bytes, streaming: bool):
    answer = CONVERSE.read(body, streaming, 200, context("converse"))
    assert answer.model == MODEL
    assert answer.usage == Usage(
        input_tokens=239,
        output_tokens=12,
        total_reported=251,
        cached_input_tokens=200,
        cache_write_tokens=36,
        cache_write_5m_tokens=36,
    )
    assert (answer.text, answer.reasoning) == ("Let me look.", "Hm.")
    (call,) = answer.tool_calls
    assert (call.name, call.id, json.loads(call.arguments or "")) == ("get_file", "t-1", {"path": "a"})
    assert (answer.finish_reasons, answer.service_tier, answer.complete) == (["tool_use"], "priority", True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(TITAN, "FINISH"), (LLAMA, "stop"), (NOVA, "end_turn"), (GPT, "stop")],
    ids=["titan", "llama", "nova", "gpt"],
)
def test_invoke_reads_each_makers_words(body: bytes, reason: str):
    answer = INVOKE.read(body, False, 200, context("invoke"))
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 5)
    assert (answer.text, answer.finish_reasons) == ("Hello.", [reason])
    assert answer.priced_as == MODEL


@pytest.mark.parametrize("body", [MISTRAL, COMMAND], ids=["mistral", "command"])
def test_what_the_body_does_not_count_is_in_the_headers(body: bytes):
    headers = {b"x-amzn-bedrock-input-token-count": b"7", b"x-amzn-bedrock-output-token-count": b"5"}
    answer = INVOKE.read(body, False, 200, context("invoke", headers))
    assert answer.usage == Usage(input_tokens=7, output_tokens=5)
    assert json.loads(answer.usage_raw or b"") == {name.decode(): int(count) for name, count in headers.items()}
    assert answer.text == "Hello."
    assert INVOKE.read(body, False, 200, context("invoke")).usage is None


def test_cached_counts_in_headers_are_input_as_well():
    headers = {
        b"x-amzn-bedrock-input-token-count": b"7",
        b"x-amzn-bedrock-cache-read-input-token-count": b"100",
        b"x-amzn-bedrock-cache-write-input-token-count": b"10",
        b"x-amzn-bedrock-output-token-count": b"many",
    }
    answer = INVOKE.settle(MISTRAL, False, context("invoke", headers))
    assert answer.usage == Usage(input_tokens=117, cached_input_tokens=100, cache_write_tokens=10)


@pytest.mark.parametrize(
    "stream",
    [TITAN_STREAM, LLAMA_STREAM, MISTRAL_STREAM, COMMAND_STREAM, NOVA_STREAM, GPT_STREAM, CLAUDE_STREAM],
    ids=["titan", "llama", "mistral", "command", "nova", "gpt", "claude"],
)
def test_streams_of_every_maker(stream: bytes):
    for body in (stream, as_lines(stream)):
        answer = INVOKE.read(body, True, 200, context("invoke-with-response-stream"))
        assert answer.usage is not None
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 5)
        assert answer.text == "Hello."
        assert len(answer.finish_reasons) == 1
        assert answer.complete
    assert INVOKE.first_content(stream)
    assert not INVOKE.first_content(stream[:40])


@pytest.mark.parametrize("dialect", [CONVERSE, INVOKE], ids=["converse", "invoke"])
def test_an_exception_within_a_stream_is_the_calls_failure(dialect: Dialect):
    for answer in (dialect.settle(FAILED, True), dialect.read(as_lines(FAILED), True, 200)):
        assert (answer.error, answer.complete) == ("Too many tokens.", False)


def test_an_error_that_is_no_exception():
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "It broke."}
    assert CONVERSE.settle(encode(headers, b""), True).error == "It broke."


def test_the_gateways_own_error_is_an_exception_to_an_sdk():
    (message,) = messages(CONVERSE.error_event(CallError(429, "rate_limit_exceeded", "Later.")))
    assert message.headers[":message-type"] == "exception"
    assert message.headers[":exception-type"] == "throttlingException"
    assert json.loads(message.payload) == {
        "message": "Later.",
        "code": "ThrottlingException",
        "reason": "rate_limit_exceeded",
    }


def test_within_a_message_nothing_is_said():
    error = CallError(502, "upstream_reset", "It broke.")
    whole = frame("messageStart", {"role": "assistant"})
    for sent, spoken in ((b"", True), (whole, True), (whole + whole[:9], False), (whole[5:] + whole, False)):
        words = CONVERSE.last_words(sent, error)
        assert (words == CONVERSE.error_event(error)) is spoken
        assert (words is None) is not spoken


def test_what_is_stored_is_one_event_a_line():
    sent = (
        frame("messageStart", {"role": "assistant"})
        + chunk({"outputText": "é\n"})
        + encode({":event-type": "odd", ":message-type": "event"}, b'{"a":\n1}')
        + encode({":event-type": "text", ":message-type": "event"}, b"no json\n\xff")
        + exception("throttlingException", "Later.")
    )
    lines = as_lines(sent)
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"messageStart": {"role": "assistant", "p": "abc"}},
        {"chunk": {"outputText": "é\n"}},
        {"odd": {"a": 1}},
        {"text": "no json\n\ufffd"},
        {"throttlingException": {"message": "Later."}},
    ]
    assert as_lines(lines) == lines
    assert [event.name for event in events(lines)] == [event.name for event in events(sent)]


@pytest.mark.parametrize(
    ("path", "model", "streams"),
    [
        (b"/model/us.amazon.nova-micro-v1%3A0/converse", "us.amazon.nova-micro-v1:0", False),
        (b"/model/anthropic.claude-v2/invoke-with-response-stream", "anthropic.claude-v2", True),
        (b"/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.m/converse-stream",
         "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m", True),
        (b"/model/arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m/invoke",
         "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m", False),
        (b"/model/m/count-tokens", "m", False),
    ],
)  # fmt: skip
def test_the_model_is_in_the_path(path: bytes, model: str, streams: bool):
    dialect = dialect_for(b"POST", path)
    assert dialect.model_in(path) == model
    assert dialect.streams(path) is streams
    assert dialect.with_model(path, "a:b/c") == b"/model/a%3Ab%2Fc/" + path.rpartition(b"/")[2]


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        (b"/model/m/converse", "bedrock.converse", "llm"),
        (b"/model/m/count-tokens", "bedrock.count_tokens", "tokens"),
        (b"/model/anthropic.claude-v2/invoke", "bedrock.invoke", "llm"),
        (b"/model/amazon.titan-embed-text-v1/invoke", "bedrock.embed", "embedding"),
        (b"/model/amazon.nova-canvas-v1%3A0/invoke", "bedrock.image", "image"),
        (b"/model/cohere.rerank-v3-5%3A0/invoke", "bedrock.rerank", "rerank"),
        (b"/model/m/unheard-of", "opaque", "llm"),
    ],
)
def test_each_operation_has_its_dialect(path: bytes, name: str, kind: str):
    dialect = dialect_for(b"POST", path)
    assert (dialect.name, dialect.kind) == (name, kind)


def settled(path: str, body: Any, request: bytes = b"") -> Answer:
    dialect = dialect_for(b"POST", path.encode())
    return dialect.settle(json.dumps(body).encode(), False, Context(path=path.encode(), request=request))


def test_images_and_rerank_queries_are_counted():
    assert settled("/model/amazon.nova-canvas-v1%3A0/invoke", {"images": ["a", "b"]}).usage == Usage(images=2)
    documents = json.dumps({"query": "q", "documents": ["d"] * 101}).encode()
    assert settled("/model/cohere.rerank-v3-5%3A0/invoke", {"results": []}, documents).usage == Usage(search_units=2)
    assert settled("/model/cohere.rerank-v3-5%3A0/invoke", {"results": []}).usage is None


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "Hi"),
        ({"prompt": "Hi"}, "Hi"),
        ({"inputText": "Hi"}, "Hi"),
        ({"inputText": 1}, None),
        ([], None),
    ],
)
def test_the_prompt(body: Any, prompt: str | None):
    assert INVOKE.prompt(json.dumps(body).encode()) == prompt


def test_what_a_prompt_router_chose_is_the_model_that_answered():
    trace = {
        "promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0"}
    }
    body = json.loads(WHOLE) | {"trace": trace}
    assert settled("/model/arn%3Aaws%3Abedrock%3A1%3Arouter/converse", body).model == "us.amazon.nova-lite-v1:0"
    stream = frame("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1}, "trace": trace})
    assert CONVERSE.read(stream, True, 200, context("converse-stream")).model == "us.amazon.nova-lite-v1:0"


def test_a_tool_call_without_arguments():
    stream = frame(
        "contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "now"}}}
    )
    assert CONVERSE.read(stream, True, 200).tool_calls == [ToolCall("now", "t", None)]


def test_a_body_that_lost_its_middle_is_read_on_behind_it():
    """The tap keeps the beginning and the end of a long answer, with a blank line between."""
    answer = CONVERSE.settle(STREAM[:150] + b"\n\n" + STREAM[-600:], True)
    assert answer.complete
    assert answer.usage is not None


@given(
    st.sampled_from([STREAM, STREAM + STREAM, FAILED, STREAM + FAILED, as_lines(STREAM), STREAM + b"\x00" * 40]),
    st.integers(0, 4000),
    st.sampled_from([b"", b"\x00", b"\xff" * 3, b":event-type\x07\x00\x08metadata"]),
    st.integers(0, 200),
)
@example(STREAM, 4000, b"", 0)
def test_settling_from_the_end_is_settling_every_event(stream: bytes, at: int, put_in: bytes, lost: int) -> None:
    damaged = stream[:at] + put_in + stream[at + lost :]
    assert settled_stream(settling(damaged)) == settled_stream(events(damaged))


def test_an_ordinary_stream_is_settled_by_its_last_event() -> None:
    assert [event.name for event in settling(STREAM)] == ["metadata"]
    assert [event.is_failure for event in settling(FAILED)] == [False, True]
