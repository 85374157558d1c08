"""OpenAI images: generations, edits, variations, whole and streamed.

https://platform.openai.com/docs/api-reference/images

The GPT image models report tokens. The others report nothing: they are paid by the image, by its quality and size,
which stand in the request; as the tier they are part of the price (`pricing.catalog`). The answer names no model.
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
from gateway.dialects.openai_usage import responses_usage
from pricing.usage import Usage

_ENDED = re.compile(rb'"type"\s*:\s*"image_(?:generation|edit)\.completed"')


class _Skipped(msgspec.Struct):
    """An image: only that it is there matters."""


class _Answer(msgspec.Struct):
    model: Any = None
    data: list[_Skipped] | None = None
    usage: msgspec.Raw = NULL
    size: Any = None
    quality: Any = None
    error: msgspec.Raw = NULL


class _Request(msgspec.Struct):
    model: Any = None
    prompt: Any = None
    n: Any = None
    size: Any = None
    quality: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_request = msgspec.json.Decoder(_Request).decode


class OpenAIImages(InDeployment, Dialect):
    name = "openai.images"
    kind = "image"
    family = "openai"
    reads_body = True

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = _of_stream(data) if streaming else _of_whole(data, context)
        asked = _request(context.request)
        if answer.model is None and (answer.usage is not None):
            answer.model = _text(asked.model) or context.model
        return with_evidence(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return self.settle(data, streaming, context)

    def prompt(self, body: bytes) -> str | None:
        return _text(_request(body).prompt)

    def first_content(self, data: bytes) -> bool:
        return b'"b64_json"' in data or b'"url"' in data


class OpenAIImageForms(OpenAIImages):
    """The same with the pictures to be changed sent along in a form, which streams through."""

    name = "openai.images.form"
    reads_body = False


def _of_whole(data: bytes, context: Context) -> Answer:
    try:
        found = _decode_answer(data)
    except UNREADABLE:
        found = _with_gap(data)
    answer = Answer(model=_text(found.model))
    if bytes(found.error) != b"null":
        answer.error = error_message(b'{"error":' + bytes(found.error) + b"}") or "the answer carried an error"
        return answer
    raw = bytes(found.usage)
    usage = responses_usage(raw) if raw != b"null" else None
    if usage is not None:
        answer.usage, answer.usage_raw = usage, raw
    elif found.data:
        asked = _request(context.request)
        answer.usage = Usage(images=len(found.data))
        answer.service_tier = image_tier(_text(found.quality) or _text(asked.quality), found.size or asked.size)
    return answer


def image_tier(quality: str | None, size: Any) -> str | None:
    """`hd/1024x1792`, `1024x1024`: what a price by the image depends on. None where neither is said."""
    said = (quality if quality != "auto" else None, size if isinstance(size, str) and size != "auto" else None)
    return "/".join(part[:40].lower() for part in said if part) or None


def _of_stream(data: bytes) -> Answer:
    """Usage is in the event that has the finished picture; one event for each picture asked for."""
    answer = Answer(complete=_ENDED.search(data) is not None or openai_stream.has_done(data))
    answer.model = openai_stream.lone_text(data, b"model")
    for payload in openai_stream.usage_payloads(data):
        try:
            raw = bytes(_decode_answer(payload).usage)
        except UNREADABLE:
            continue
        answer.usage, answer.usage_raw = responses_usage(raw), raw
        if answer.usage is not None:
            break
    for payload, named in openai_stream.error_payloads(data):
        if answer.error is None and payload.endswith(b"}"):
            answer.error = error_message(payload) or "the answer carried an error" if named else error_message(payload)
    return answer


def _with_gap(data: bytes) -> _Answer:
    """Pictures are large: of an answer that was not kept whole, what its end says."""
    return _Answer(usage=msgspec.Raw(openai_stream.lone_usage(data) or b"null"))


def _request(body: bytes) -> _Request:
    if not body:
        return _Request()
    try:
        return _decode_request(body)
    except UNREADABLE:
        fields = form_fields(body)
        return _Request(
            fields.get("model"), fields.get("prompt"), fields.get("n"), fields.get("size"), fields.get("quality")
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
