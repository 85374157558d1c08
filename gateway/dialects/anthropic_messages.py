"""Anthropic messages: https://docs.claude.com/en/api/messages, and streams of them (…/build-with-claude/streaming).

A stream says its usage twice: `message_start` has the prompt's, `message_delta` replaces it at the end. Only
`message_stop` is a clean end. An error can come after a 200, as `event: error`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.dialects import anthropic_content as content
from gateway.dialects.anthropic_usage import anthropic_usage, later_usage
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.evidence import with_evidence
from gateway.dialects.lines import payloads, payloads_from_end
from gateway.dialects.openai_chat import last_user_text
from gateway.errors import CallError

_CONTENT = re.compile(rb'"(?:text|thinking|partial_json|name|data|content)"\s*:\s*"[^"]')
"""The first thing generated: text, thinking (redacted too), a tool's name or arguments, a compaction's summary."""

_STOP = re.compile(rb'\ndata: \{"type":"message_stop" *\}\n\n\Z')
_STOP_BYTES = 80
"""How Anthropic's own streams end, padded with spaces, and where that is looked for."""

_ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class _Head(msgspec.Struct):
    """The facts `settle` is after, of a whole answer or of the message that a stream starts with."""

    type: Any = None
    model: Any = None
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


class _Event(_Head):
    message: _Head | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_event = msgspec.json.Decoder(_Event).decode


class AnthropicErrors(Dialect):
    """How errors of the gateway's own look to Anthropic's clients."""

    def error_body(self, error: CallError) -> bytes:
        kind = _ERROR_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
        return msgspec.json.encode(
            {"type": "error", "error": {"type": kind, "message": error.message, "code": error.code}}
        )

    def error_event(self, error: CallError) -> bytes:
        return b"event: error\ndata: " + self.error_body(error) + b"\n\n"


class AnthropicMessages(AnthropicErrors):
    name = "anthropic.messages"
    kind = "llm"
    family = "anthropic"
    reads_body = True
    needs_model = True
    own_metadata = ("user_id",)

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = Answer()
        if streaming:
            _settle_stream(answer, data)
        else:
            _settle_whole(answer, data)
        return with_evidence(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        message = content.streamed(data) if streaming else content.whole(data)
        answer.response_id = message.id if isinstance(message.id, str) else None
        answer.finish_reasons = [message.stop_reason] if isinstance(message.stop_reason, str) else []
        answer.text = content.text(message.blocks)
        answer.reasoning = content.thinking(message.blocks)
        answer.tool_calls = content.tool_calls(message.blocks)
        return answer

    def prompt(self, body: bytes) -> str | None:
        return last_user_text(body)

    def first_content(self, data: bytes) -> bool:
        return _CONTENT.search(data) is not None


def _settle_whole(answer: Answer, data: bytes) -> None:
    try:
        head = _decode_head(data)
    except UNREADABLE:
        return
    _take_model(answer, head)
    _take_usage(answer, bytes(head.usage))
    _take_error(answer, head, data)


def _settle_stream(answer: Answer, data: bytes) -> None:
    answer.complete = _stopped(data)
    usage: bytes | None = None
    for payload in payloads(data, b'"message_start"'):
        if (event := _event(payload)) is not None and event.message is not None:
            _take_model(answer, event.message)
            usage = _object(event.message.usage)
            break
    for payload in payloads_from_end(data, b'"message_delta"'):
        if (event := _event(payload)) is not None and (later := _object(event.usage)) is not None:
            usage = later_usage(usage, later)  # of several the last, which counts everything
            break
    if usage is not None:
        _take_usage(answer, usage, unless_zero=True)
    for payload in payloads_from_end(data, b'"error"'):
        if (event := _event(payload)) is not None:
            _take_error(answer, event, payload)


def _stopped(data: bytes) -> bool:
    if _STOP.search(data, max(0, len(data) - _STOP_BYTES)) is not None:
        return True
    for payload in payloads_from_end(data, b'"message_stop"'):
        if (event := _event(payload)) is not None and event.type == "message_stop":
            return True
    return False


def _event(payload: bytes) -> _Event | None:
    try:
        return _decode_event(payload)
    except UNREADABLE:
        return None


def _object(raw: msgspec.Raw) -> bytes | None:
    written = bytes(raw)
    return written if written[:1] == b"{" else None


def _take_model(answer: Answer, head: _Head) -> None:
    if isinstance(head.model, str) and head.model:
        answer.model = head.model


def _take_usage(answer: Answer, raw: bytes, *, unless_zero: bool = False) -> None:
    """All counts are 0 in `message_start` where nobody knows yet, as translated answers and some compatible servers
    have it: `unless_zero`, a stream that is cut after it reports nothing."""
    spent = anthropic_usage(raw, answer.model) if raw != b"null" else None
    if spent is not None and (spent.usage.total_tokens or not unless_zero):
        answer.usage, answer.service_tier, answer.also = spent
        answer.usage_raw = raw


def _take_error(answer: Answer, head: _Head, payload: bytes) -> None:
    """An event of the type `error` is one whatever else it holds."""
    error = bytes(head.error)
    if error == b"null" and head.type != "error":
        return
    shaped = b'{"error":' + error + b"}" if error != b"null" else payload
    answer.error = error_message(shaped) or "the answer carried an error"
