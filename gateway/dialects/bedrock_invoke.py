"""Bedrock's `invoke` and `invoke-with-response-stream`: every model in its own maker's language.

Which one is told by what the answer looks like, so that profiles and models under other names are read as well. Where
an answer does not say what was used, the headers do, or the metrics in a stream's last chunk.
"""

from __future__ import annotations

import re

import msgspec

from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.bedrock import Bedrock, failure
from gateway.dialects.bedrock_converse import CONTENT, read_stream, read_whole, settled_stream, settled_whole
from gateway.dialects.bedrock_events import CHUNK, Event, events
from gateway.dialects.bedrock_plain import read_parts
from gateway.dialects.bedrock_usage import header_usage, metrics_usage
from gateway.dialects.openai_chat import last_user_text
from pricing.usage import Usage

_METRICS = "amazon-bedrock-invocationMetrics"
_GENERATED = re.compile(rb'"(?:thinking|partial_json|outputText|generation|content|reasoning|completion)"\s*:\s*"[^"]')


class _Shape(msgspec.Struct):
    """What tells one language from the others."""

    type: msgspec.Raw = NULL
    choices: msgspec.Raw = NULL
    usage: msgspec.Raw = NULL
    output: msgspec.Raw = NULL
    message_start: msgspec.Raw = msgspec.field(default=NULL, name="messageStart")
    content_block_delta: msgspec.Raw = msgspec.field(default=NULL, name="contentBlockDelta")
    metrics: msgspec.Raw = msgspec.field(default=NULL, name=_METRICS)


class _Documents(msgspec.Struct):
    documents: list[msgspec.Raw] = []


class _Prompt(msgspec.Struct):
    """Requests that are one text."""

    prompt: object = None
    input_text: object = msgspec.field(default=None, name="inputText")


_decode_shape = msgspec.json.Decoder(_Shape).decode
_decode_prompt = msgspec.json.Decoder(_Prompt).decode
_decode_documents = msgspec.json.Decoder(_Documents).decode
_decode_event = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class BedrockInvoke(Bedrock):
    own_metadata = ("user_id",)

    def __init__(self, name: str, kind: str, *, anthropic: Dialect, openai: Dialect) -> None:
        """`anthropic` and `openai` read what is written in these makers' own language."""
        self.name = name
        self.kind = kind
        self._anthropic = anthropic
        self._openai = openai

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = self._stream(data, full=False) if streaming else self._whole(data, full=False)
        return self._around(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self._stream(data, full=True) if streaming else self._whole(data, full=True)
        return self._around(answer, data, context)

    def _whole(self, data: bytes, *, full: bool) -> Answer:
        shape = _shape(data)
        if native := self._native(shape):
            return native.read(data, False, 200) if full else native.settle(data, False)
        if _has(shape.output) and _has(shape.usage):
            return read_whole(data) if full else settled_whole(data)
        answer = read_parts([data])
        answer.complete = True
        return answer

    def _stream(self, data: bytes, *, full: bool) -> Answer:
        sent = events(data)
        chunks = [event.data for event in sent if event.name == CHUNK]
        shape = _shape(chunks[0]) if chunks else _Shape()
        if native := self._native(shape):
            stream = b"".join([_as_sse(chunk) for chunk in chunks])
            answer = native.read(stream, True, 200) if full else native.settle(stream, True)
        elif _has(shape.message_start) or _has(shape.content_block_delta):
            inner = [event for chunk in chunks for event in _amazon_events(chunk)]
            answer = read_stream(inner) if full else settled_stream(inner)
        else:
            answer = read_parts(chunks)
        _take_metrics(answer, chunks)
        if answer.error is None:
            answer.error = next((failure(event) for event in sent if event.is_failure), None)
        return answer

    def _native(self, shape: _Shape) -> Dialect | None:
        """The dialect that an answer or a chunk is written in; None for Amazon's own and the small ones."""
        if _has(shape.type):
            return self._anthropic
        return self._openai if _has(shape.choices) else None

    def _around(self, answer: Answer, data: bytes, context: Context) -> Answer:
        """What is only beside the body: the model, whose region the body leaves out, and counts in the headers."""
        called = self.answered_model(context)
        answer.model = answer.model or called
        answer.priced_as = called
        counted, raw = header_usage(context.headers)
        if counted is not None and (answer.usage is None or not _has_tokens(answer.usage)):
            images = answer.usage.images if answer.usage is not None else None
            answer.usage, answer.usage_raw = msgspec.structs.replace(counted, images=images), raw
        elif answer.usage is None and self.kind == "rerank":
            answer.usage = _queries(context.request)
        return answer

    def prompt(self, body: bytes) -> str | None:
        if text := last_user_text(body):
            return text
        try:
            asked = _decode_prompt(body)
        except UNREADABLE:
            return None
        return next((text for text in (asked.prompt, asked.input_text) if isinstance(text, str) and text), None)

    def first_content(self, data: bytes) -> bool:
        return any(
            event.name == CHUNK and (CONTENT.search(event.data) or _GENERATED.search(event.data))
            for event in events(data)
        )


def _has_tokens(usage: Usage) -> bool:
    return usage.input_tokens is not None or usage.output_tokens is not None


def _queries(request: bytes) -> Usage | None:
    """A rerank is billed by the query, which is up to 100 documents."""
    try:
        documents = _decode_documents(request).documents
    except UNREADABLE:
        return None
    return Usage(search_units=(len(documents) + 99) // 100) if documents else None


def _shape(data: bytes) -> _Shape:
    try:
        return _decode_shape(data)
    except UNREADABLE:
        return _Shape()


def _has(raw: msgspec.Raw) -> bool:
    return bytes(raw) != b"null"


class _Type(msgspec.Struct):
    type: object = None


_decode_type = msgspec.json.Decoder(_Type).decode


def _as_sse(chunk: bytes) -> bytes:
    """A chunk as the maker's own API would have sent it."""
    try:
        name = _decode_type(chunk).type
    except UNREADABLE:
        name = None
    named = b"event: %b\n" % name.encode("utf-8", "replace") if isinstance(name, str) and name.isidentifier() else b""
    return b"%bdata: %b\n\n" % (named, chunk)


def _amazon_events(chunk: bytes) -> list[Event]:
    """Nova's chunks are `converse`'s events, by their names."""
    try:
        return [Event(name, bytes(value)) for name, value in _decode_event(chunk).items() if name != _METRICS]
    except UNREADABLE:
        return []


def _take_metrics(answer: Answer, chunks: list[bytes]) -> None:
    """The last chunk of a stream that came to its end says what was used."""
    raw = bytes(_shape(chunks[-1]).metrics) if chunks else b"null"
    if raw == b"null":
        return
    answer.complete = True
    if answer.usage is None or not _has_tokens(answer.usage):
        answer.usage = metrics_usage(raw)
        answer.usage_raw = raw if answer.usage is not None else None
