"""OpenAI's Responses API: made, streamed, run in the background, fetched later, compacted.

https://platform.openai.com/docs/api-reference/responses

A response object carries everything: model, status, output items, usage. A stream is events around it; the object is
in the first ones and, with usage, in the last. Some send `event:` lines and no `[DONE]`, others the reverse, so only
the data is read. A background call is answered before anything was used; its usage comes with whatever fetches it
later, so every response names itself as the bill it is (`Answer.bill_id`) and is booked once.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.core.sse import events
from gateway.dialects import openai_stream
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.evidence import with_evidence
from gateway.dialects.openai_deployment import InDeployment
from gateway.dialects.openai_output import Collected, Output, last_input_text, with_tools
from gateway.dialects.openai_usage import responses_usage
from gateway.errors import CallError

_CONTENT = re.compile(rb'"delta"\s*:\s*"[^"]|"type"\s*:\s*"response\.[a-z_]+\.done"')
"""A piece of what was generated: text, reasoning or arguments. A response that was only created holds none."""

_ENDS = (b'"response.completed"', b'"response.incomplete"', b'"response.failed"', b'"response.cancelled"')
"""Types of the last event. Only as a type can they stand between quotes: within a text, quotes are escaped."""
_RESPONSE = re.compile(rb'"response"\s*:\s*\{')


class _Head(msgspec.Struct):
    """What `settle` is after in a response object."""

    id: Any = None
    model: Any = None
    service_tier: Any = None
    status: Any = None
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


class _Full(_Head):
    output: Output = []


class _HeadEvent(msgspec.Struct):
    response: _Head | None = None


class _FullEvent(msgspec.Struct):
    type: Any = None
    response: _Full | None = None
    item: Any = None
    output_index: Any = None
    content_index: Any = None
    delta: Any = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_full = msgspec.json.Decoder(_Full).decode
_decode_head_event = msgspec.json.Decoder(_HeadEvent).decode
_decode_full_event = msgspec.json.Decoder(_FullEvent).decode


class OpenAIResponses(InDeployment, Dialect):
    name = "openai.responses"
    kind = "llm"
    family = "openai"
    reads_body = True
    needs_model = True
    makes_bills = True
    """Whether what it answers was made by the call, and not only fetched."""

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        if not streaming:
            try:
                head = _decode_head(data)
            except UNREADABLE:
                return Answer()
            answer = _with_head(Answer(), head)
            with_tools(answer, data)
        else:
            answer = Answer(complete=_is_complete(data))
            _settle_stream(answer, data)
        answer.bill_is_own = self.makes_bills and answer.bill_id is not None
        return with_evidence(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        collected = Collected()
        if not streaming:
            try:
                whole = _decode_full(data)
            except UNREADABLE:
                return Answer()
            answer = _with_head(Answer(), whole)
            with_tools(answer, data)
            collected.finish(whole.output)
            _with_status(answer, whole)
        else:
            answer = Answer(complete=_is_complete(data))
            _read_stream(answer, collected, data)
        collected.into(answer)
        answer.bill_is_own = self.makes_bills and answer.bill_id is not None
        return with_evidence(answer, data, context)

    def prompt(self, body: bytes) -> str | None:
        return last_input_text(body)

    def first_content(self, data: bytes) -> bool:
        return _CONTENT.search(data) is not None

    def error_event(self, error: CallError) -> bytes:
        """As an event of its own type, and with the object at which OpenAI's clients raise."""
        said = {"type": "error", "code": error.code, "message": error.message, "param": error.param}
        return b"event: error\ndata: " + msgspec.json.encode(said)[:-1] + b"," + self.error_body(error)[1:] + b"\n\n"


class OpenAIResponseRetrieved(OpenAIResponses):
    """A response fetched or cancelled by its id: the same object, and the bill of one that ran in the background."""

    name = "openai.responses.retrieve"
    reads_body = False
    needs_model = False
    makes_bills = False

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        return super().settle(data, streaming or _looks_like_a_stream(data), context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        return super().read(data, streaming or _looks_like_a_stream(data), status, context)


def _looks_like_a_stream(data: bytes) -> bool:
    """`?stream=true` of a GET is in neither its path nor a body."""
    return data.startswith((b"event:", b"data:", b":"))


def _with_head(answer: Answer, head: _Head) -> Answer:
    """Later values replace earlier ones, but the model is the first that was named."""
    if answer.model is None and isinstance(head.model, str) and head.model:
        answer.model = head.model
    if isinstance(head.service_tier, str):
        answer.service_tier = head.service_tier
    raw = bytes(head.usage)
    usage = responses_usage(raw) if raw != b"null" else None
    if usage is not None:
        answer.usage, answer.usage_raw = usage, raw
        if isinstance(head.id, str) and head.id:
            answer.bill_id = head.id
    error = bytes(head.error)
    if error != b"null":
        _with_error(answer, b'{"error":' + error + b"}")
    elif head.status == "failed":
        _with_error(answer, b"{}")
    return answer


def _with_status(answer: Answer, head: _Head) -> None:
    if answer.response_id is None and isinstance(head.id, str):
        answer.response_id = head.id
    if isinstance(head.status, str) and head.status:
        answer.finish_reasons = [head.status]


def _with_error(answer: Answer, payload: bytes) -> None:
    if answer.error is None:
        answer.error = error_message(payload) or "the answer carried an error"


def _settle_stream(answer: Answer, data: bytes) -> None:
    """The first and the last response object that can be read: nothing in between says more."""
    if first := _RESPONSE.search(data):
        payload = openai_stream.payload_at(data, first.start())
        _merge(answer, payload)
        at = data.rfind(b'"response"')
        while at > first.start():
            later = openai_stream.payload_at(data, at)
            if _RESPONSE.match(data, at) and _merge(answer, later):
                payload = later
                break
            at = data.rfind(b'"response"', 0, at)
        with_tools(answer, payload)
    for payload, name in openai_stream.failed_payloads(data):
        if answer.error is None and _is_error(name, payload):
            _with_error(answer, payload)


def _merge(answer: Answer, payload: bytes) -> bool:
    """Whether it could be read and held a response."""
    try:
        head = _decode_head_event(payload).response
    except UNREADABLE:
        return False
    if head is not None:
        _with_head(answer, head)
    return head is not None


def _read_stream(answer: Answer, collected: Collected, data: bytes) -> None:
    error: bytes | None = None
    last: tuple[_Full, bytes] | None = None
    for event in events(data):
        if error is None and _is_error(event.name, event.data):
            error = event.data
        try:
            part = _decode_full_event(event.data)
        except UNREADABLE:
            continue
        if part.response is not None:
            if last is None:
                _with_head(answer, part.response)
            last = part.response, event.data
        else:
            collected.add(part.type, part.item, part.output_index, part.content_index, part.delta)
    if last is not None:
        _with_head(answer, last[0])
        _with_status(answer, last[0])
        with_tools(answer, last[1])
        collected.finish(last[0].output)
    if error is not None:
        _with_error(answer, error)


class _Typed(msgspec.Struct):
    type: Any = None


_decode_typed = msgspec.json.Decoder(_Typed).decode


def _is_error(name: bytes | None, payload: bytes) -> bool:
    """An event named `error`, or whose data says that it is one: `{"type": "error", "code", "message"}`."""
    if name != b"error" and b"error" not in payload:
        return False
    try:
        typed = _decode_typed(payload).type
    except UNREADABLE:
        return False
    return name == b"error" or typed == "error"


def _is_complete(data: bytes) -> bool:
    """Whether the stream came to its own end. An `error` event is none: the response has no result."""
    if data.rfind(_ENDS[0]) >= 0:
        return True
    return any(data.rfind(end) >= 0 for end in _ENDS[1:]) or openai_stream.has_done(data)
