"""Cohere's chat, version 1: https://docs.cohere.com/v1/reference/chat

A stream is JSON lines, or server-sent events where the client accepts them. Its last event, `stream-end`, holds the
whole answer once more.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, error_message
from gateway.dialects.cohere_chat import error_of
from gateway.dialects.cohere_dialect import CohereDialect, take_usage
from gateway.dialects.cohere_usage import Reported
from gateway.dialects.lines import payloads, payloads_from_end
from gateway.errors import CallError

_CONTENT = re.compile(rb'"(?:text|name)"\s*:\s*"[^"]')


class _Call(msgspec.Struct):
    name: Any = None
    parameters: msgspec.Raw = NULL


class _Whole(Reported):
    response_id: Any = None
    text: Any = None
    finish_reason: Any = None
    tool_calls: list[_Call] | None = None


class _Event(msgspec.Struct):
    event_type: Any = None
    text: Any = None
    error: Any = None
    finish_reason: Any = None
    tool_calls: list[_Call] | None = None
    response: _Whole | None = None


class _Request(msgspec.Struct):
    message: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_request = msgspec.json.Decoder(_Request).decode


class CohereChatV1(CohereDialect):
    name = "cohere.chat.v1"
    kind = "llm"
    stream_types = (b"text/event-stream", b"application/stream+json")
    needs_model = False

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        if not streaming and not _is_lines(data):
            return super().settle(data, streaming, context)
        answer = Answer(complete=False)
        end = _end(data)
        if end is not None:
            answer.complete = True
            answer.error = error_of(end.finish_reason, end.error)
            if end.response is not None:
                take_usage(answer, end.response)
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        if streaming or _is_lines(data):
            end = _end(data)
            _take(answer, end.response if end is not None and end.response is not None else _pieced_together(data))
            if not answer.finish_reasons and end is not None and isinstance(end.finish_reason, str):
                answer.finish_reasons = [end.finish_reason]
            return answer
        with suppress(*UNREADABLE):
            _take(answer, _decode_whole(data))
        return answer

    def prompt(self, body: bytes) -> str | None:
        try:
            message = _decode_request(body).message
        except UNREADABLE:
            return None
        return message if isinstance(message, str) and message else None

    def first_content(self, data: bytes) -> bool:
        return _CONTENT.search(data) is not None

    def error_event(self, error: CallError) -> bytes:
        """A line of JSON; readers of server-sent events pass over it and see a stream without its end."""
        end = {"is_finished": True, "event_type": "stream-end", "finish_reason": "ERROR", "error": error.message}
        return msgspec.json.encode(end) + b"\n\n"


def _is_lines(data: bytes) -> bool:
    """Lines have a content type of their own, which not everything in between keeps."""
    return b'"event_type"' in data[:256]


def _end(data: bytes) -> _Event | None:
    for payload in payloads_from_end(data, b'"stream-end"'):
        try:
            event = _decode_event(payload)
        except UNREADABLE:
            continue
        if event.event_type == "stream-end":
            return event
    return None


def _pieced_together(data: bytes) -> _Whole:
    """What there is of an answer whose stream was cut."""
    whole = _Whole(text="")
    for payload in payloads(data, b'"event_type"'):
        try:
            event = _decode_event(payload)
        except UNREADABLE:
            continue
        if event.event_type == "text-generation" and isinstance(event.text, str):
            whole.text += event.text
        elif event.event_type == "tool-calls-generation":
            whole.tool_calls = event.tool_calls
    return whole


def _take(answer: Answer, whole: _Whole) -> None:
    answer.response_id = whole.response_id if isinstance(whole.response_id, str) else None
    answer.text = whole.text if isinstance(whole.text, str) and whole.text else None
    answer.finish_reasons = [whole.finish_reason] if isinstance(whole.finish_reason, str) else []
    answer.tool_calls = [
        ToolCall(name=call.name, arguments=bytes(call.parameters).decode("utf-8", "replace"))
        if bytes(call.parameters) != b"null"
        else ToolCall(name=call.name)
        for call in whole.tool_calls or ()
        if isinstance(call.name, str)
    ]
