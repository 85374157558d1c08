"""OpenAI chat completions, as spoken by OpenAI, Azure, Groq, OpenRouter, DeepSeek, vLLM and most others.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.core.sse import events
from gateway.dialects import openai_stream
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.evidence import provider_name, with_evidence
from gateway.dialects.openai_deployment import InDeployment
from gateway.dialects.openai_usage import openai_usage, with_hidden_thinking
from pricing.usage import Usage

_CONTENT = re.compile(rb'"(?:content|reasoning|reasoning_content|refusal|text|name|arguments|transcript)"\s*:\s*"[^"]')
"""The first thing generated: text, reasoning or a tool call. A role or an empty delta is none."""


class _Groq(msgspec.Struct):
    usage: msgspec.Raw = NULL


class _Head(msgspec.Struct):
    """The facts `settle` is after, of a whole answer or of one chunk."""

    model: Any = None
    service_tier: Any = None
    usage: msgspec.Raw = NULL
    x_groq: _Groq | None = None
    provider: Any = None
    error: msgspec.Raw = NULL


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    refusal: Any = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct):
    index: int | None = None
    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Full(_Head):
    id: Any = None
    choices: list[_Choice] | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_full = msgspec.json.Decoder(_Full).decode


class OpenAIChat(InDeployment, Dialect):
    name = "openai.chat"
    kind = "llm"
    family = "openai"
    reads_body = True
    needs_model = True
    asks_usage = True

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = self._settle_stream(data) if streaming else self._settle_whole(data)
        return with_evidence(answer, data, context)

    def _settle_whole(self, data: bytes) -> Answer:
        try:
            head = _decode_head(data)
        except UNREADABLE:
            return _with_gap(data)
        return _with_head(Answer(), head)

    def _settle_stream(self, data: bytes) -> Answer:
        answer = Answer(complete=openai_stream.is_complete(data))
        if first := openai_stream.first_with_model(data):
            _merge(answer, first)
        for payload in openai_stream.usage_payloads(data):
            _merge(answer, payload)
            if answer.usage is not None:
                break
        for payload, is_named in openai_stream.error_payloads(data):
            if _merge(answer, payload) and is_named:
                _with_error(answer, payload)
            if answer.error is not None:
                break
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        if not streaming:
            try:
                whole = _decode_full(data)
            except UNREADABLE:
                return with_evidence(_with_gap(data), data, context)
            collected = _Collected()
            collected.add(whole)
            return with_evidence(collected.answer(complete=True), data, context)
        collected = _Collected()
        for event in events(data):
            if event.data.strip() == b"[DONE]":
                continue
            try:
                collected.add(_decode_full(event.data))
            except UNREADABLE:
                continue
            if event.name == b"error":
                collected.fail(event.data)
        return with_evidence(collected.answer(complete=openai_stream.is_complete(data)), data, context)

    def prompt(self, body: bytes) -> str | None:
        return last_user_text(body)

    def first_content(self, data: bytes) -> bool:
        return _CONTENT.search(data) is not None


def _with_head(answer: Answer, head: _Head) -> Answer:
    """Takes from a chunk what it has; later values replace earlier ones, but the model is the first that was named."""
    if answer.model is None and isinstance(head.model, str) and head.model:
        answer.model = head.model
    if isinstance(head.service_tier, str):
        answer.service_tier = head.service_tier
    if head.provider is not None:
        answer.provider = provider_name(head.provider) or answer.provider
    raw = bytes(head.usage)
    if raw == b"null" and head.x_groq is not None:
        raw = bytes(head.x_groq.usage)
    usage: Usage | None = openai_usage(raw) if raw != b"null" else None
    if usage is not None:
        if usage.total_reported:
            usage = with_hidden_thinking(usage, answer.model)
        answer.usage, answer.usage_raw = usage, raw
    if head.error is not NULL and (error := bytes(head.error)) != b"null":
        _with_error(answer, b'{"error":' + error + b"}")
    return answer


def _with_gap(data: bytes) -> Answer:
    """Of a whole answer that is too large to be kept whole, or broken: what its end says."""
    raw = openai_stream.lone_usage(data)
    usage = openai_usage(raw) if raw else None
    if usage is None:
        return Answer()
    return Answer(model=openai_stream.lone_text(data, b"model"), usage=usage, usage_raw=raw)


def _with_error(answer: Answer, payload: bytes) -> None:
    """Takes the message of what is known to be an error; the first one counts."""
    if answer.error is None:
        answer.error = error_message(payload) or "the answer carried an error"


def _merge(answer: Answer, payload: bytes) -> bool:
    """Whether it could be read."""
    try:
        _with_head(answer, _decode_head(payload))
    except UNREADABLE:
        return False
    return True


class _Collected:
    """Puts an answer together from its chunks; a whole answer is one chunk."""

    def __init__(self) -> None:
        self._head = Answer()
        self._text: dict[int, list[str]] = {}
        self._reasoning: list[str] = []
        self._finish: list[str] = []
        self._calls: dict[tuple[int, int], list[Any]] = {}

    def add(self, chunk: _Full) -> None:
        _with_head(self._head, chunk)
        if self._head.response_id is None and isinstance(chunk.id, str):
            self._head.response_id = chunk.id
        for choice in chunk.choices or ():
            index = choice.index or 0
            if choice.finish_reason is not None:
                self._finish.append(choice.finish_reason)
            if choice.text:
                self._text.setdefault(index, []).append(choice.text)
            message = choice.message or choice.delta
            if message is not None:
                self._add_message(index, message)

    def fail(self, payload: bytes) -> None:
        """For an event that is an error by its name."""
        _with_error(self._head, payload)

    def _add_message(self, index: int, message: _Message) -> None:
        if spoken := plain_text(message.content) or plain_text(message.refusal):
            self._text.setdefault(index, []).append(spoken)
        if thought := plain_text(message.reasoning_content) or plain_text(message.reasoning) or _thinking(message):
            self._reasoning.append(thought)
        for position, call in enumerate(message.tool_calls or ()):
            self._add_call((index, position if call.index is None else call.index), call)
        if message.function_call is not None:
            self._add_call((index, -1), _Call(function=message.function_call))

    def _add_call(self, at: tuple[int, int], call: _Call) -> None:
        name, id_, arguments = self._calls.setdefault(at, [None, None, []])
        function = call.function or _Function()
        self._calls[at][0] = name or function.name
        self._calls[at][1] = id_ or call.id
        if function.arguments is not None:
            written = function.arguments
            arguments.append(written if isinstance(written, str) else msgspec.json.encode(written).decode())

    def answer(self, *, complete: bool) -> Answer:
        head = self._head
        head.complete = complete
        head.text = "\n\n".join("".join(parts) for _, parts in sorted(self._text.items())) or None
        head.reasoning = "".join(self._reasoning) or None
        head.finish_reasons = self._finish
        head.tool_calls = [
            ToolCall(name=name, id=id_, arguments="".join(arguments))
            for _, (name, id_, arguments) in sorted(self._calls.items())
            if name
        ]
        return head


def _thinking(message: _Message) -> str | None:
    """Mistral's thinking is a part of the content: `{"type": "thinking", "thinking": [{"type": "text", …}]}`."""
    if not isinstance(message.content, list):
        return None
    parts = [plain_text(part.get("thinking")) for part in message.content if isinstance(part, dict)]
    return "\n".join(part for part in parts if part) or None


def plain_text(content: Any) -> str | None:
    """The text of a message's content: a string, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content or None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str)) or None
    return None


class _RequestMessage(msgspec.Struct):
    role: Any = None
    content: Any = None


class _Request(msgspec.Struct):
    messages: list[_RequestMessage] = []


_decode_request = msgspec.json.Decoder(_Request).decode


def last_user_text(body: bytes) -> str | None:
    try:
        messages = _decode_request(body).messages
    except UNREADABLE:
        return None
    for wanted in ("user", None):
        for message in reversed(messages):
            if (wanted is None or message.role == wanted) and (text := plain_text(message.content)):
                return text
    return None
