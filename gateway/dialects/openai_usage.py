"""The usage objects of OpenAI and everything compatible, in the one meaning of `pricing.Usage`.

`prompt_tokens` includes cache reads and writes, `completion_tokens` includes reasoning. The compatible ones put the
cached count in five places; Groq puts the whole object under `x_groq`, in streams sometimes only there.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec.structs import replace

from gateway.dialects.base import UNREADABLE
from pricing.usage import Usage

MOST = 2**53
"""Above it a number is no count: it would fit neither the journal nor a database."""

_Shape = TypeVar("_Shape", bound=msgspec.Struct)
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST)] | None
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=MOST)] | None


class _InputDetails(msgspec.Struct):
    cached_tokens: _Tokens = None
    cache_write_tokens: _Tokens = None
    cache_creation_tokens: _Tokens = None
    cache_write_5m_tokens: _Tokens = None
    """Those two only from the translator (gateway.translation), for providers that say it."""
    cache_write_1h_tokens: _Tokens = None
    audio_tokens: _Tokens = None
    image_tokens: _Tokens = None
    video_tokens: _Tokens = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Tokens = None
    audio_tokens: _Tokens = None
    image_tokens: _Tokens = None


class _ServerTools(msgspec.Struct):
    web_search_requests: _Tokens = None


class _OpenAIUsage(msgspec.Struct):
    prompt_tokens: _Tokens = None
    completion_tokens: _Tokens = None
    total_tokens: _Tokens = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: _Tokens = None
    cached_tokens: _Tokens = None
    num_cached_tokens: _Tokens = None
    reasoning_tokens: _Tokens = None
    server_tool_use_details: _ServerTools | None = None
    server_tool_use: _ServerTools | None = None
    prompt_audio_seconds: _Seconds = None
    """Mistral's: some of its models are paid by them."""


_decode = msgspec.json.Decoder(_OpenAIUsage).decode
_NO_INPUT = _InputDetails()
_NO_OUTPUT = _OutputDetails()


def openai_usage(raw: bytes) -> Usage | None:
    """None where the object holds no count at all, or cannot be read."""
    try:
        found = _decode(raw)
    except UNREADABLE:
        repaired = _repaired(raw, _OpenAIUsage)
        if repaired is None:
            return None
        found = repaired
    input_tokens, output_tokens = found.prompt_tokens, found.completion_tokens
    if input_tokens is None and output_tokens is None:
        input_tokens = found.total_tokens  # embeddings of Voyage and others: nothing is generated
        if input_tokens is None:
            return None
    input_ = found.prompt_tokens_details or _NO_INPUT
    output = found.completion_tokens_details or _NO_OUTPUT
    tools = found.server_tool_use_details or found.server_tool_use
    cached = input_.cached_tokens
    if cached is None:
        cached = found.prompt_cache_hit_tokens
        if cached is None:
            cached = found.num_cached_tokens if found.cached_tokens is None else found.cached_tokens
    return Usage(  # by position: this runs for every call
        input_tokens,
        output_tokens,
        found.total_tokens,
        cached,
        input_.cache_creation_tokens if input_.cache_write_tokens is None else input_.cache_write_tokens,
        input_.cache_write_5m_tokens,
        input_.cache_write_1h_tokens,
        None,
        input_.audio_tokens,
        input_.image_tokens,
        input_.video_tokens,
        None,
        found.reasoning_tokens if output.reasoning_tokens is None else output.reasoning_tokens,
        output.audio_tokens,
        output.image_tokens,
        None if tools is None else tools.web_search_requests,
        None,
        None,
        found.prompt_audio_seconds,
    )


def with_hidden_thinking(usage: Usage, model: str | None) -> Usage:
    """Usage whose total has more than its parts, made whole where it is known what the rest is.

    xAI reports reasoning beside the completion, not within it. Gemini's OpenAI surface reports thinking nowhere but in
    the total. Any other surplus is left alone: nobody knows what it is.
    """
    input_tokens, output_tokens, total = usage.input_tokens, usage.output_tokens, usage.total_reported
    if input_tokens is None or total is None:
        return usage
    rest = total - input_tokens - (output_tokens or 0)
    if rest <= 0:
        return usage
    if rest == usage.reasoning_tokens:
        return replace(usage, output_tokens=total - input_tokens)
    if usage.reasoning_tokens is None and model is not None and "gemini" in model:
        return replace(usage, output_tokens=total - input_tokens, reasoning_tokens=rest)
    return usage


class _ResponsesInput(msgspec.Struct):
    cached_tokens: _Tokens = None
    cache_write_tokens: _Tokens = None
    cache_write_5m_tokens: _Tokens = None
    cache_write_1h_tokens: _Tokens = None
    audio_tokens: _Tokens = None
    image_tokens: _Tokens = None
    video_tokens: _Tokens = None
    text_tokens: _Tokens = None


class _ResponsesUsage(msgspec.Struct):
    """Of responses, images, transcriptions and speech: OpenAI's younger endpoints."""

    input_tokens: _Tokens = None
    output_tokens: _Tokens = None
    total_tokens: _Tokens = None
    input_tokens_details: _ResponsesInput | None = None
    input_token_details: _ResponsesInput | None = None
    output_tokens_details: _OutputDetails | None = None
    output_token_details: _OutputDetails | None = None
    seconds: _Seconds = None


_decode_responses = msgspec.json.Decoder(_ResponsesUsage).decode
_NO_RESPONSES_INPUT = _ResponsesInput()


def responses_usage(raw: bytes) -> Usage | None:
    """The same for objects that say `input_tokens`. None where there is no count."""
    try:
        found = _decode_responses(raw)
    except UNREADABLE:
        repaired = _repaired(raw, _ResponsesUsage)
        if repaired is None:
            return None
        found = repaired
    if found.input_tokens is None and found.output_tokens is None:
        return openai_usage(raw) if found.seconds is None else Usage(audio_seconds=found.seconds)
    input_ = found.input_tokens_details or found.input_token_details or _NO_RESPONSES_INPUT
    output = found.output_tokens_details or found.output_token_details or _NO_OUTPUT
    return Usage(
        found.input_tokens,
        found.output_tokens,
        found.total_tokens,
        input_.cached_tokens,
        input_.cache_write_tokens,
        input_.cache_write_5m_tokens,
        input_.cache_write_1h_tokens,
        None,
        input_.audio_tokens,
        input_.image_tokens,
        input_.video_tokens,
        None,
        output.reasoning_tokens,
        output.audio_tokens,
        output.image_tokens,
    )


def any_usage(raw: bytes) -> Usage | None:
    """For endpoints where either way of saying it occurs."""
    return responses_usage(raw) if b'"input_tokens"' in raw else openai_usage(raw)


def _repaired(raw: bytes, shape: type[_Shape]) -> _Shape | None:
    """An object with counts that are none: 12.0 is 12, a negative or absurd number or a text is not reported."""
    try:
        return msgspec.convert(_counts(msgspec.json.decode(raw)), shape)
    except UNREADABLE:
        return None


def _counts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _counts(part) for name, part in value.items() if isinstance(name, str)}
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
        return int(value)
    return None
