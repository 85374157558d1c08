"""Gemini's `generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI.

Every chunk of a stream has a `usageMetadata`; the last one counts, neither their sum nor their maximum. A stream has
no end mark: it is whole with a finish reason, or with the reason why the prompt was blocked.
https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, error_message
from gateway.dialects.evidence import with_evidence
from gateway.dialects.gemini_chunks import Chunks, is_array
from gateway.dialects.gemini_dialect import Content, GeminiDialect, text_of
from gateway.dialects.gemini_usage import gemini_usage

_CONTENT = re.compile(rb'"(?:text|name|code|output|data)"\s*:\s*"[^"]')
"""The first thing generated: text or a thought, a function's name, code or its output, an image."""


class _Head(msgspec.Struct, rename="camel"):
    """The facts `settle` is after, of a whole answer or of one chunk."""

    model_version: Any = None
    usage_metadata: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


class _Blocked(msgspec.Struct, rename="camel"):
    block_reason: Any = None


class _Ended(msgspec.Struct, rename="camel"):
    finish_reason: Any = None


class _End(msgspec.Struct, rename="camel"):
    candidates: list[_Ended] | None = None
    prompt_feedback: _Blocked | None = None


class _Last(_Head):
    """Both, as the last chunk of a stream has them."""

    candidates: list[_Ended] | None = None
    prompt_feedback: _Blocked | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    index: Any = None
    content: Content | None = None
    finish_reason: Any = None


class _Full(msgspec.Struct, rename="camel"):
    response_id: Any = None
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Blocked | None = None


class _Request(msgspec.Struct):
    contents: Any = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_end = msgspec.json.Decoder(_End).decode
_decode_last = msgspec.json.Decoder(_Last).decode
_decode_full = msgspec.json.Decoder(_Full).decode
_decode_request = msgspec.json.Decoder(_Request).decode


class GeminiGenerate(GeminiDialect):
    name = "gemini.generate"
    kind = "llm"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = Answer()
        if streaming or is_array(data):
            _settle_stream(answer, data)
        elif (head := _head(data)) is not None:
            _take_model(answer, head)
            _take_usage(answer, head)
            _take_error(answer, head)
        return with_evidence(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        collected = _Collected()
        for chunk in Chunks(data).every() if streaming or is_array(data) else (data,):
            try:
                collected.add(_decode_full(chunk))
            except UNREADABLE:
                continue
        collected.into(answer)
        return answer

    def prompt(self, body: bytes) -> str | None:
        return _last_user_text(body)

    def first_content(self, data: bytes) -> bool:
        return _CONTENT.search(data) is not None


class GeminiStream(GeminiGenerate):
    name = "gemini.stream"
    stream_types = (b"text/event-stream", b"application/json")

    def streams(self, path: bytes) -> bool | None:
        return True


def _settle_stream(answer: Answer, data: bytes) -> None:
    chunks = Chunks(data)
    answer.complete = False
    for chunk in chunks.having(b'"modelVersion"'):
        if (head := _head(chunk)) is not None:
            _take_model(answer, head)
        if answer.model is not None:
            break
    for chunk in chunks.having_from_end(b'"usageMetadata"'):
        if (head := _last(chunk) or _head(chunk)) is not None:
            answer.complete = answer.complete or (isinstance(head, _Last) and _has_ended(head))
            _take_usage(answer, head)
        if answer.usage is not None:
            break
    answer.complete = answer.complete or any(_ends(chunk) for chunk in chunks.having_from_end(b'Reason"'))
    for chunk in chunks.having_from_end(b'"error"'):
        if (head := _head(chunk)) is not None:
            _take_error(answer, head)  # of several the first


def _head(chunk: bytes) -> _Head | None:
    try:
        return _decode_head(chunk)
    except UNREADABLE:
        return None


def _last(chunk: bytes) -> _Last | None:
    try:
        return _decode_last(chunk)
    except UNREADABLE:
        return None


def _ends(chunk: bytes) -> bool:
    try:
        return _has_ended(_decode_end(chunk))
    except UNREADABLE:
        return False


def _has_ended(end: _End | _Last) -> bool:
    """Whether the model said why it stopped, or why it did not begin."""
    is_blocked = end.prompt_feedback is not None and bool(end.prompt_feedback.block_reason)
    return is_blocked or any(candidate.finish_reason for candidate in end.candidates or ())


def _take_model(answer: Answer, head: _Head) -> None:
    if isinstance(head.model_version, str) and head.model_version:
        answer.model = head.model_version


def _take_usage(answer: Answer, head: _Head) -> None:
    raw = bytes(head.usage_metadata)
    spent = gemini_usage(raw) if raw != b"null" else None
    if spent is not None:
        answer.usage, answer.service_tier = spent
        answer.usage_raw = raw


def _take_error(answer: Answer, head: _Head) -> None:
    error = bytes(head.error)
    if error != b"null":
        answer.error = error_message(b'{"error":' + error + b"}") or "the answer carried an error"


class _Collected:
    """Puts an answer together from its chunks; a whole answer is one chunk."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._text: dict[int, list[str]] = {}
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._finish: dict[int, str] = {}
        self._blocked: str | None = None

    def add(self, chunk: _Full) -> None:
        if self._id is None and isinstance(chunk.response_id, str):
            self._id = chunk.response_id
        if chunk.prompt_feedback is not None and isinstance(chunk.prompt_feedback.block_reason, str):
            self._blocked = chunk.prompt_feedback.block_reason
        for candidate in chunk.candidates or ():
            index = candidate.index if isinstance(candidate.index, int) else 0
            if isinstance(candidate.finish_reason, str):
                self._finish[index] = candidate.finish_reason
            if spoken := text_of(candidate.content):
                self._text.setdefault(index, []).append(spoken)
            for part in candidate.content.parts or () if candidate.content is not None else ():
                if part.thought is True and isinstance(part.text, str):
                    self._thoughts.append(part.text)
                if (call := _call(part.function_call)) is not None:
                    self._calls.append(call)

    def into(self, answer: Answer) -> None:
        answer.response_id = self._id
        answer.text = "\n\n".join("".join(parts) for _, parts in sorted(self._text.items())) or None
        answer.reasoning = "".join(self._thoughts) or None
        answer.tool_calls = self._calls
        answer.finish_reasons = [reason for _, reason in sorted(self._finish.items())]
        if not answer.finish_reasons and self._blocked is not None:
            answer.finish_reasons = [f"BLOCKED:{self._blocked}"]


def _call(function_call: Any) -> ToolCall | None:
    """None for what names no function: the further pieces of a call whose arguments come bit by bit."""
    if not isinstance(function_call, dict) or not isinstance(name := function_call.get("name"), str):
        return None
    identity, arguments = function_call.get("id"), function_call.get("args")
    return ToolCall(
        name=name,
        id=identity if isinstance(identity, str) else None,
        arguments=msgspec.json.encode(arguments).decode() if arguments is not None else None,
    )


def _last_user_text(body: bytes) -> str | None:
    """Contents come as a list; the SDKs' shorter forms are spelled out before they are sent."""
    try:
        found = _decode_request(body).contents
        contents = msgspec.convert(found if isinstance(found, list) else [found], list[Content])
    except UNREADABLE:
        return None
    for wanted in (("user", None), None):
        for content in reversed(contents):
            if (wanted is None or content.role in wanted) and (text := text_of(content)):
                return text
    return None
