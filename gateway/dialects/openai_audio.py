"""OpenAI audio: text to speech, and speech to text.

https://platform.openai.com/docs/api-reference/audio

Speech comes back as sound, so what was said is counted in the request: its characters. Transcriptions report tokens or
seconds, or (Groq, older ones) only how long the recording was. No answer names its model.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.dialects import openai_stream
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.evidence import with_evidence
from gateway.dialects.openai_deployment import InDeployment
from gateway.dialects.openai_form import form_fields
from gateway.dialects.openai_usage import MOST, responses_usage
from pricing.usage import Usage

_ENDED = re.compile(rb'"type"\s*:\s*"(?:transcript\.text|speech\.audio)\.done"')
_TEXT = re.compile(rb'"(?:delta|audio|text)"\s*:\s*"[^"]')


class _Request(msgspec.Struct):
    model: Any = None
    input: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    text: Any = None
    delta: Any = None
    duration: Any = None
    model: Any = None
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_event = msgspec.json.Decoder(_Event).decode


class OpenAISpeech(InDeployment, Dialect):
    name = "openai.speech"
    kind = "audio"
    family = "openai"
    reads_body = True
    needs_model = True

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = _of_stream(data) if streaming else Answer()
        asked = _speech_request(context.request)
        if answer.usage is None and isinstance(asked.input, str) and asked.input and not answer.error:
            answer.usage = Usage(characters=len(asked.input))
        if answer.model is None and answer.usage is not None:
            answer.model = asked.model if isinstance(asked.model, str) and asked.model else context.model
        return with_evidence(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return self.settle(data, streaming, context)

    def prompt(self, body: bytes) -> str | None:
        said = _speech_request(body).input
        return said if isinstance(said, str) and said else None


class OpenAITranscriptions(InDeployment, Dialect):
    """Also translations. The recording is in a form, which streams through; its model is found in the form's fields."""

    name = "openai.transcriptions"
    kind = "audio"
    family = "openai"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = self._settled(data, streaming)
        if answer.model is None and answer.usage is not None:
            answer.model = form_fields(context.request).get("model") or context.model
        return with_evidence(answer, data, context)

    def _settled(self, data: bytes, streaming: bool) -> Answer:
        if streaming:
            return _of_stream(data)
        try:
            whole = _decode_event(data)
        except UNREADABLE:
            return Answer()  # plain text or subtitles, which say nothing of what was used
        answer = Answer()
        _add(answer, whole)
        if answer.usage is None and answer.error is None and (seconds := _seconds(whole.duration)) is not None:
            answer.usage = Usage(audio_seconds=seconds)
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        if not streaming:
            try:
                text = _decode_event(data).text
            except UNREADABLE:
                text = data.decode("utf-8", "replace") if not data.lstrip().startswith((b"{", b"[")) else None
            answer.text = text if isinstance(text, str) and text else None
            return answer
        spoken = [event for event in map(_event, openai_stream.payloads(data)) if event is not None]
        whole = next((event.text for event in reversed(spoken) if _is_done(event)), None)
        pieces = "".join(event.delta for event in spoken if isinstance(event.delta, str))
        answer.text = (whole if isinstance(whole, str) else pieces) or None
        return answer

    def first_content(self, data: bytes) -> bool:
        return _TEXT.search(data) is not None


def _is_done(event: _Event) -> bool:
    return isinstance(event.type, str) and event.type.endswith(".done")


def _event(payload: bytes) -> _Event | None:
    try:
        return _decode_event(payload)
    except UNREADABLE:
        return None


def _of_stream(data: bytes) -> Answer:
    answer = Answer(complete=_ENDED.search(data) is not None or openai_stream.has_done(data))
    for payload in openai_stream.usage_payloads(data):
        if (event := _event(payload)) is not None:
            _add(answer, event)
        if answer.usage is not None:
            break
    for payload, _ in openai_stream.error_payloads(data):
        if answer.error is None and (event := _event(payload)) is not None:
            _add(answer, event)
    return answer


def _add(answer: Answer, event: _Event) -> None:
    if isinstance(event.model, str) and event.model:
        answer.model = event.model
    raw = bytes(event.usage)
    usage = responses_usage(raw) if raw != b"null" else None
    if usage is not None and answer.usage is None:
        answer.usage, answer.usage_raw = usage, raw
    error = bytes(event.error)
    if error != b"null" and answer.error is None:
        answer.error = error_message(b'{"error":' + error + b"}") or "the answer carried an error"


def _seconds(value: Any) -> float | None:
    """Some write the number as a text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < MOST and not isinstance(value, bool) else None


def _speech_request(body: bytes) -> _Request:
    try:
        return _decode_request(body)
    except UNREADABLE:
        return _Request()
