"""The models of Bedrock's `invoke` that speak no language of their own: Titan, Llama, Mistral, Command, embeddings,
images. Each has a few fields; a stream repeats them piece by piece.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE, Answer
from gateway.dialects.bedrock_usage import count
from pricing.usage import Usage


class _Part(msgspec.Struct):
    """A whole answer, or one chunk of a stream."""

    # Titan
    input_text_token_count: Any = msgspec.field(default=None, name="inputTextTokenCount")
    total_output_text_token_count: Any = msgspec.field(default=None, name="totalOutputTextTokenCount")
    output_text: Any = msgspec.field(default=None, name="outputText")
    completion_reason: Any = msgspec.field(default=None, name="completionReason")
    results: Any = None
    # Llama
    prompt_token_count: Any = None
    generation_token_count: Any = None
    generation: Any = None
    stop_reason: Any = None
    # Mistral, Command, the first Claudes
    outputs: Any = None
    generations: Any = None
    text: Any = None
    finish_reason: Any = None
    completion: Any = None
    # Titan, Nova Canvas, Stability
    images: Any = None


_decode = msgspec.json.Decoder(_Part).decode
_TEXTS = ("output_text", "generation", "text", "completion")
_REASONS = ("completion_reason", "stop_reason", "finish_reason")


def read_parts(parts: Iterable[bytes]) -> Answer:
    """A whole answer is one part. `complete` where a reason to finish was given, or it is no text at all."""
    answer = Answer()
    texts: list[str] = []
    given = generated = images = None
    for data in parts:
        try:
            part = _decode(data)
        except UNREADABLE:
            continue
        for one in (part, *_nested(part)):
            _take_text(answer, texts, one)
        now_given = _first(part.input_text_token_count, part.prompt_token_count)
        now_generated = _first(part.total_output_text_token_count, part.generation_token_count, _titan_count(part))
        given = now_given if now_given is not None else given
        generated = now_generated if now_generated is not None else generated
        if isinstance(part.images, list):
            images = (images or 0) + len(part.images)
    answer.text = "".join(texts) or None
    if given is not None or generated is not None or images is not None:
        answer.usage = Usage(input_tokens=given, output_tokens=generated, images=images)
    answer.complete = bool(answer.finish_reasons)
    return answer


def _nested(part: _Part) -> list[_Part]:
    """Titan's `results`, Mistral's `outputs`, Command's `generations`."""
    found = []
    for listed in (part.results, part.outputs, part.generations):
        for each in listed if isinstance(listed, list) else ():
            try:
                found.append(msgspec.convert(each, _Part))
            except UNREADABLE:
                continue
    return found


def _take_text(answer: Answer, texts: list[str], part: _Part) -> None:
    texts += [text for name in _TEXTS if isinstance(text := getattr(part, name), str)]
    answer.finish_reasons += [
        reason for name in _REASONS if isinstance(reason := getattr(part, name), str) and reason != "null"
    ]


def _titan_count(part: _Part) -> int | None:
    """`results[].tokenCount`, which only Titan has."""
    if not isinstance(part.results, list):
        return None
    counts = [count(each.get("tokenCount")) for each in part.results if isinstance(each, dict)]
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def _first(*values: Any) -> int | None:
    return next((found for value in values if (found := count(value)) is not None), None)
