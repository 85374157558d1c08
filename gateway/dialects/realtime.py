"""OpenAI's realtime API: what one of its events says of a turn. A turn ends with `response.done`; the transcription of
what a user said is billed apart, at another model's price.

https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect
from gateway.dialects.bedrock_usage import count
from pricing.usage import Usage

DONE = "response.done"
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


class _CachedDetails(msgspec.Struct):
    audio_tokens: Any = None


class _InputDetails(msgspec.Struct):
    audio_tokens: Any = None
    image_tokens: Any = None
    cached_tokens: Any = None
    cached_tokens_details: _CachedDetails | None = None


class _OutputDetails(msgspec.Struct):
    audio_tokens: Any = None


class _Usage(msgspec.Struct):
    """Of a response in tokens; of a transcription in tokens or in `seconds`."""

    input_tokens: Any = None
    output_tokens: Any = None
    total_tokens: Any = None
    input_token_details: _InputDetails | None = None
    output_token_details: _OutputDetails | None = None
    seconds: Any = None


class _Error(msgspec.Struct):
    message: Any = None
    code: Any = None
    type: Any = None


class _StatusDetails(msgspec.Struct):
    reason: Any = None
    error: _Error | None = None


class _Response(msgspec.Struct):
    id: Any = None
    status: Any = None
    status_details: _StatusDetails | None = None
    usage: msgspec.Raw = NULL
    output: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    response: _Response | None = None
    item_id: Any = None
    transcript: Any = None
    usage: msgspec.Raw = NULL


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


class Realtime(Dialect):
    """An answer is the one event that ends a turn, or ends a transcription; a connection has none."""

    name = "realtime"
    kind = "realtime"
    family = "openai"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        event = _event(data)
        answer = Answer()
        if event is None:
            return answer
        response = event.response or _Response()
        raw = bytes(response.usage if event.response is not None else event.usage)
        if raw != b"null":
            answer.usage = realtime_usage(raw)
            answer.usage_raw = raw if answer.usage is not None else None
        if response.status == "failed":
            error = response.status_details.error if response.status_details is not None else None
            words = (error.message, error.code, error.type) if error is not None else ()
            answer.error = next((word for word in words if isinstance(word, str) and word), "the response failed")
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        answer = self.settle(data, streaming, context)
        event = _event(data)
        if event is None:
            return answer if status < 400 else super().read(data, streaming, status, context)
        response = event.response
        if response is None:
            answer.text = event.transcript if isinstance(event.transcript, str) else None
            answer.response_id = event.item_id if isinstance(event.item_id, str) else None
            return answer
        answer.response_id = response.id if isinstance(response.id, str) else None
        reason = response.status_details.reason if response.status_details is not None else None
        answer.finish_reasons = [word for word in (reason or response.status,) if isinstance(word, str)]
        _take_output(answer, response.output)
        return answer

    def prompt(self, body: bytes) -> str | None:
        """Of the client's events before a turn, the last text that it put into the conversation."""
        found = None
        for line in body.split(b"\n"):
            found = _said_by_client(line) or found
        return found


def _event(data: bytes) -> _Event | None:
    try:
        event = _decode_event(data)
    except UNREADABLE:
        return None
    return event if event.type in (DONE, TRANSCRIBED) else None


def realtime_usage(raw: bytes) -> Usage | None:
    try:
        found = _decode_usage(raw)
    except UNREADABLE:
        return None
    asked = found.input_token_details or _InputDetails()
    cached = asked.cached_tokens_details or _CachedDetails()
    said = found.output_token_details or _OutputDetails()
    usage = Usage(
        input_tokens=count(found.input_tokens),
        output_tokens=count(found.output_tokens),
        total_reported=count(found.total_tokens),
        cached_input_tokens=count(asked.cached_tokens),
        cached_audio_tokens=count(cached.audio_tokens),
        audio_input_tokens=count(asked.audio_tokens),
        image_input_tokens=count(asked.image_tokens),
        audio_output_tokens=count(said.audio_tokens),
        audio_seconds=_seconds(found.seconds),
    )
    return None if usage == Usage() else usage


def _seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e9 else None


def _take_output(answer: Answer, output: Any) -> None:
    texts = []
    for item in output if isinstance(output, list) else ():
        if not isinstance(item, dict):
            continue
        if item.get("type") == "function_call" and isinstance(name := item.get("name"), str):
            texts_of = (item.get("call_id"), item.get("arguments"))
            id_, arguments = (value if isinstance(value, str) else None for value in texts_of)
            answer.tool_calls.append(ToolCall(name=name, id=id_, arguments=arguments))
        texts += _texts(item.get("content"))
    answer.text = "\n\n".join(texts) or None


def _texts(content: Any) -> list[str]:
    """What is said in parts of text, and in audio by its transcript."""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    said = [part.get("text") or part.get("transcript") for part in parts]
    return [text for text in said if isinstance(text, str) and text]


class _ClientItem(msgspec.Struct):
    content: Any = None


class _ClientEvent(msgspec.Struct):
    item: _ClientItem | None = None


_decode_client = msgspec.json.Decoder(_ClientEvent).decode


def _said_by_client(line: bytes) -> str | None:
    try:
        item = _decode_client(line).item
    except UNREADABLE:
        return None
    return "\n".join(_texts(item.content)) or None if item is not None else None
