"""The usage objects of OpenAI and everything compatible, in the one meaning of `pricing.Usage`.

`prompt_tokens` includes cache reads and writes, `completion_tokens` includes reasoning. The compatible ones put the
cached count in five places; Groq puts the whole object under `x_groq`, in streams sometimes only there.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pricing.usage import Usage

_Tokens = Annotated[int, msgspec.Meta(ge=0)] | float | None
"""Some servers write 12.0; nothing sensible is negative."""


class _InputDetails(msgspec.Struct):
    cached_tokens: _Tokens = None
    cache_write_tokens: _Tokens = None
    cache_creation_tokens: _Tokens = None
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


_decode = msgspec.json.Decoder(_OpenAIUsage).decode
_NO_INPUT = _InputDetails()
_NO_OUTPUT = _OutputDetails()


def openai_usage(raw: bytes) -> Usage | None:
    """None where the object holds no count at all, or cannot be read."""
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if found.prompt_tokens is None and found.completion_tokens is None and found.total_tokens is None:
        return None
    input_ = found.prompt_tokens_details or _NO_INPUT
    output = found.completion_tokens_details or _NO_OUTPUT
    tools = found.server_tool_use_details or found.server_tool_use
    input_tokens = found.prompt_tokens
    if input_tokens is None and found.completion_tokens is None:
        input_tokens = found.total_tokens  # embeddings of Voyage and others: nothing is generated
    return Usage(
        input_tokens=_int(input_tokens),
        output_tokens=_int(found.completion_tokens),
        total_reported=_int(found.total_tokens),
        cached_input_tokens=_int(
            _first(input_.cached_tokens, found.prompt_cache_hit_tokens, found.cached_tokens, found.num_cached_tokens)
        ),
        cache_write_tokens=_int(_first(input_.cache_write_tokens, input_.cache_creation_tokens)),
        audio_input_tokens=_int(input_.audio_tokens),
        image_input_tokens=_int(input_.image_tokens),
        video_input_tokens=_int(input_.video_tokens),
        reasoning_tokens=_int(_first(output.reasoning_tokens, found.reasoning_tokens)),
        audio_output_tokens=_int(output.audio_tokens),
        image_output_tokens=_int(output.image_tokens),
        web_searches=_int(tools.web_search_requests) if tools else None,
    )


def _first(*counts: float | None) -> float | None:
    return next((count for count in counts if count is not None), None)


def _int(count: float | None) -> int | None:
    return None if count is None or count < 0 else int(count)
