"""Cohere's chat, version 2: https://docs.cohere.com/v2/reference/chat and …/chat-stream.

A stream's events have a `type`; the last one, `message-end`, carries the reason and the usage. There is no `[DONE]`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.core.sse import events
from gateway.dialects.base import NOTHING, UNREADABLE, Answer, Context, error_message
from gateway.dialects.cohere_dialect import CohereDialect, take_usage
from gateway.dialects.cohere_usage import Reported
from gateway.dialects.lines import payloads_from_end
from gateway.dialects.openai_chat import last_user_text
from gateway.errors import CallError

_CONTENT = re.compile(rb'"(?:text|thinking|tool_plan|name|arguments)"\s*:\s*"[^"]')


class _Function(msgspec.Struct):
    name: Any = None
    arguments: Any = None


class _Call(msgspec.Struct):
    id: Any = None
    function: _Function | None = None


class _Piece(msgspec.Struct):
    type: Any = None
    text: Any = None
    thinking: Any = None


class _Message(msgspec.Struct):
    content: list[_Piece] | _Piece | str | None = None
    tool_plan: Any = None
    tool_calls: list[_Call] | _Call | None = None
    """A list in a whole answer, one call or a piece of one in an event."""


class _Whole(msgspec.Struct):
    id: Any = None
    finish_reason: Any = None
    message: _Message | None = None


class _Delta(Reported):
    finish_reason: Any = None
    error: Any = None
    message: _Message | None = None


class _Event(msgspec.Struct):
    type: Any = None
    id: Any = None
    index: Any = None
    delta: _Delta | None = None


class _End(Reported):
    finish_reason: Any = None
    error: Any = None


class _LastEvent(msgspec.Struct):
    type: Any = None
    delta: _End | None = None


_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_last = msgspec.json.Decoder(_LastEvent).decode


class CohereChat(CohereDialect):
    name = "cohere.chat"
    kind = "llm"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        if not streaming:
            return super().settle(data, streaming, context)
        answer = Answer(complete=False)
        for payload in payloads_from_end(data, b'"message-end"'):
            try:
                event = _decode_last(payload)
            except UNREADABLE:
                continue
            if event.type == "message-end":
                answer.complete = True
                if event.delta is not None:
                    take_usage(answer, event.delta)
                    answer.error = error_of(event.delta.finish_reason, event.delta.error)
                break
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        collected = _Collected()
        if streaming:
            for event in events(data):
                try:
                    collected.add_event(_decode_event(event.data))
                except UNREADABLE:
                    continue
        else:
            try:
                collected.add_whole(_decode_whole(data))
            except UNREADABLE:
                return answer
        collected.into(answer)
        return answer

    def prompt(self, body: bytes) -> str | None:
        return last_user_text(body)

    def first_content(self, data: bytes) -> bool:
        return _CONTENT.search(data) is not None

    def error_event(self, error: CallError) -> bytes:
        end = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": error.message}}
        return b"event: message-end\ndata: " + msgspec.json.encode(end) + b"\n\n"


def error_of(finish_reason: Any, message: Any) -> str | None:
    """The error that a stream ended with; None where it ended well."""
    if isinstance(message, str) and message:
        return message
    return "the stream ended with an error" if finish_reason in ("ERROR", "ERROR_TOXIC") else None


class _Collected:
    """Puts an answer together from its events; a whole answer is one."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._finish: str | None = None
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._plan: list[str] = []
        self._calls: dict[int, tuple[_Call, list[str]]] = {}

    def add_whole(self, whole: _Whole) -> None:
        self._name(whole.id, whole.finish_reason)
        if whole.message is not None:
            self._add(whole.message, 0)

    def add_event(self, event: _Event) -> None:
        self._name(event.id, event.delta.finish_reason if event.delta is not None else None)
        if event.delta is not None and event.delta.message is not None:
            self._add(event.delta.message, event.index if isinstance(event.index, int) else 0)

    def _name(self, identity: Any, finish_reason: Any) -> None:
        self._id = self._id or (identity if isinstance(identity, str) else None)
        self._finish = finish_reason if isinstance(finish_reason, str) else self._finish

    def _add(self, message: _Message, index: int) -> None:
        content = message.content
        if isinstance(content, str):
            self._text.append(content)
        for piece in content if isinstance(content, list) else [content] if isinstance(content, _Piece) else ():
            if isinstance(piece.text, str):
                self._text.append(piece.text)
            if isinstance(piece.thinking, str):
                self._thinking.append(piece.thinking)
        if isinstance(message.tool_plan, str):
            self._plan.append(message.tool_plan)
        calls = message.tool_calls
        for place, call in enumerate(calls if isinstance(calls, list) else [calls] if calls is not None else ()):
            self._add_call(call, place if isinstance(calls, list) else index)

    def _add_call(self, call: _Call, place: int) -> None:
        _, pieces = self._calls.setdefault(place, (call, []))
        arguments = call.function.arguments if call.function is not None else None
        if arguments is not None:
            pieces.append(arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode())

    def into(self, answer: Answer) -> None:
        answer.response_id = self._id
        answer.finish_reasons = [self._finish] if self._finish else []
        answer.text = "".join(self._text) or None
        answer.reasoning = "".join([*self._plan, *self._thinking]) or None
        answer.tool_calls = [
            ToolCall(
                name=call.function.name,
                id=call.id if isinstance(call.id, str) else None,
                arguments="".join(pieces) or None,
            )
            for _, (call, pieces) in sorted(self._calls.items(), key=lambda item: item[0])
            if call.function is not None and isinstance(call.function.name, str)
        ]
