"""MCP's streamable HTTP: JSON-RPC by POST, answered with JSON or with an event stream that ends in the answer.

A `tools/call` is logged as a span of kind `tool`: its name is the tool's, its input the arguments, its output the
result. https://modelcontextprotocol.io/specification/2025-06-18/basic/transports
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.core.sse import events
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.errors import CallError

_TOOL_CALL = "tools/call"
_SERVER_ERROR = -32000
"""The first of JSON-RPC's codes that are an implementation's own."""


class _Params(msgspec.Struct):
    name: Any = None
    arguments: msgspec.Raw = NULL
    uri: Any = None


class _Request(msgspec.Struct):
    method: Any = None
    params: _Params | None = None


class _Part(msgspec.Struct):
    text: Any = None


class _Result(msgspec.Struct):
    """Of a tool. What other methods answer has none of these."""

    content: list[_Part] | None = None
    structured_content: msgspec.Raw = msgspec.field(default=NULL, name="structuredContent")
    is_error: Any = msgspec.field(default=None, name="isError")


class _Message(msgspec.Struct):
    """An answer has a result or an error; a notification or a request of the server's has neither."""

    result: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_result = msgspec.json.Decoder(_Result).decode


class McpChannel(Dialect):
    """Listening to what a server says of its own (GET), and ending a session (DELETE)."""

    name = "mcp.channel"
    kind = "mcp"
    family = "mcp"


class Mcp(Dialect):
    """Chosen by the provider (`dialect: mcp`), for every POST to it; whether an answer is a stream, it says itself."""

    name = "mcp"
    kind = "mcp"
    family = "mcp"
    reads_body = True

    def streams(self, path: bytes) -> bool | None:
        return False

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        return _answer(data, full=False)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        answer = _answer(data, full=True)
        if status >= 400:
            answer.error = answer.error or error_message(data)
        request = _request(context.request)
        if request.method == _TOOL_CALL:
            answer.kind = "tool"
        answer.name = _name(request)
        return answer

    def prompt(self, body: bytes) -> str | None:
        """The arguments, as they were written."""
        request = _request(body)
        arguments = bytes(request.params.arguments) if request.params is not None else b"null"
        return arguments.decode("utf-8", "replace") if arguments != b"null" else None

    def error_body(self, error: CallError) -> bytes:
        """JSON-RPC's; which request failed is not known here."""
        return msgspec.json.encode(
            {
                "jsonrpc": "2.0",
                "id": None,
                "error": {"code": _SERVER_ERROR, "message": error.message, "data": {"code": error.code}},
            }
        )


def _request(body: bytes) -> _Request:
    try:
        return _decode_request(body)
    except UNREADABLE:
        return _Request()


def _name(request: _Request) -> str | None:
    """The tool, prompt or resource that was asked for; else the method."""
    params = request.params or _Params()
    named = next((value for value in (params.name, params.uri) if isinstance(value, str) and value), None)
    return named or (request.method if isinstance(request.method, str) else None)


def _answer(data: bytes, *, full: bool) -> Answer:
    """`complete` where the answer has come; an empty body is the answer to a notification."""
    start = data.lstrip()[:1]
    is_stream = start not in (b"", b"{", b"[")
    answer = Answer(complete=not is_stream)
    for payload in [event.data for event in events(data)] if is_stream else [data]:
        try:
            message = _decode_message(payload)
        except UNREADABLE:
            continue
        if bytes(message.error) != b"null":
            answer.complete = True
            answer.error = error_message(b'{"error":%b}' % bytes(message.error)) or "the answer is an error"
        elif bytes(message.result) != b"null":
            answer.complete = True
            _take_result(answer, bytes(message.result), full=full)
    return answer


def _take_result(answer: Answer, raw: bytes, *, full: bool) -> None:
    """A tool that fails says so within its result."""
    try:
        result = _decode_result(raw)
    except UNREADABLE:
        return
    texts = [part.text for part in result.content or () if isinstance(part.text, str)]
    text = "\n".join(texts) or None
    if text is None and bytes(result.structured_content) != b"null":
        text = bytes(result.structured_content).decode("utf-8", "replace")
    if result.is_error is True:
        answer.error = text or "the tool failed"
    if full:
        answer.text = text
