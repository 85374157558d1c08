"""MCP: what was called, with what, and what became of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import DECIDED, Answer, Context, Dialect
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract

MCP, CHANNEL = DECIDED["mcp"]

ASKED = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {"q": "cats"}}},
    separators=(",", ":"),
).encode()
RESULT = {"content": [{"type": "text", "text": "Two cats."}, {"type": "image", "data": "x"}], "isError": False}
FAILED = {"content": [{"type": "text", "text": "No such index."}], "isError": True}


def message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}, separators=(",", ":")).encode()


def stream(*messages: bytes) -> bytes:
    return b"".join(b"event: message\ndata: %b\n\n" % each for each in messages)


PROGRESS = message(method="notifications/progress", params={"progress": 1})
WHOLE = message(id=1, result=RESULT)
STREAM = stream(PROGRESS, WHOLE)


@pytest.fixture
def dialect() -> Dialect:
    return MCP


@pytest.fixture
def whole() -> list[bytes]:
    return [WHOLE, message(id=1, result=FAILED), message(id=1, error={"code": -32602, "message": "No such tool."})]


@pytest.fixture
def streams() -> list[bytes]:
    return [STREAM, stream(message(id=1, result=FAILED))]


def read(data: bytes, status: int = 200, request: bytes = ASKED) -> Answer:
    return MCP.read(data, False, status, Context(request=request))


@pytest.mark.parametrize("data", [WHOLE, STREAM], ids=["whole", "stream"])
def test_a_tool_call_is_a_tool_span(data: bytes):
    answer = read(data)
    assert (answer.kind, answer.name, answer.text) == ("tool", "search", "Two cats.")
    assert (answer.error, answer.complete) == (None, True)
    assert MCP.prompt(ASKED) == '{"q":"cats"}'


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (message(id=1, result=FAILED), "No such index."),
        (message(id=1, result={"isError": True}), "the tool failed"),
        (message(id=1, error={"code": -32602, "message": "No such tool."}), "No such tool."),
        (stream(PROGRESS, message(id=1, error={"code": -32602, "message": "No such tool."})), "No such tool."),
    ],
)
def test_a_tool_that_fails(data: bytes, error: str):
    assert read(data).error == MCP.settle(data, True).error == error


def test_structured_results_are_the_output_where_there_is_no_text():
    assert read(message(id=1, result={"content": [], "structuredContent": {"n": 2}})).text == '{"n":2}'


def test_a_stream_without_the_answer_was_cut():
    assert not MCP.settle(stream(PROGRESS), True).complete
    assert MCP.settle(b"", False).complete


@pytest.mark.parametrize(
    ("request_", "kind", "name"),
    [
        ({"method": "initialize", "params": {"protocolVersion": "2025-06-18"}}, None, "initialize"),
        ({"method": "resources/read", "params": {"uri": "file:///a"}}, None, "file:///a"),
        ({"method": "prompts/get", "params": {"name": "review"}}, None, "review"),
        ({"method": "tools/list"}, None, "tools/list"),
        ({"method": "tools/call", "params": {}}, "tool", "tools/call"),
        ({}, None, None),
        ([], None, None),
    ],
)
def test_what_is_no_tool_call_has_the_methods_name(request_: Any, kind: str | None, name: str | None):
    answer = read(message(id=1, result={}), request=json.dumps(request_).encode())
    assert (answer.kind, answer.name) == (kind, name)


def test_an_error_of_the_server_before_any_json_rpc():
    assert read(b"no session", 404).error == "no session"


def test_nothing_is_asked_and_nothing_counted():
    assert MCP.prompt(b'{"method":"tools/list"}') is None
    assert read(WHOLE).usage is None


def test_what_a_server_says_of_its_own_is_no_answer_and_never_cut_short():
    heard = stream(PROGRESS)
    assert (CHANNEL.kind, CHANNEL.reads_body) == ("mcp", False)
    assert CHANNEL.settle(heard, True) == CHANNEL.read(heard, True, 200) == Answer()
    assert CHANNEL.read(b"no session", True, 404).error == "no session"
