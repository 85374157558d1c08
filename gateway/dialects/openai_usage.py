"""The usage objects of OpenAI and everything compatible, in the one meaning of `pricing.Usage`.

`prompt_tokens` includes cache reads and writes, `completion_tokens` includes reasoning. The compatible ones put the
cached count in five places; Groq puts the whole object under `x_groq`, in streams sometimes only there.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.dialects.base import UNREADABLE
from pricing.usage import Usage

_Tokens = Annotated[int, msgspec.Meta(ge=0)] | float | None


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
    except UNREADABLE:
        return None
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
    written = input_.cache_creation_tokens if input_.cache_write_tokens is None else input_.cache_write_tokens
    reasoning = found.reasoning_tokens if output.reasoning_tokens is None else output.reasoning_tokens
    return Usage(
        input_tokens=_whole(input_tokens),
        output_tokens=_whole(output_tokens),
        total_reported=_whole(found.total_tokens),
        cached_input_tokens=_whole(cached),
        cache_write_tokens=_whole(written),
        audio_input_tokens=_whole(input_.audio_tokens),
        image_input_tokens=_whole(input_.image_tokens),
        video_input_tokens=_whole(input_.video_tokens),
        reasoning_tokens=_whole(reasoning),
        audio_output_tokens=_whole(output.audio_tokens),
        image_output_tokens=_whole(output.image_tokens),
        web_searches=None if tools is None else _whole(tools.web_search_requests),
    )


_MOST = 2**53
"""Above it a number is no count: it would fit neither the journal nor a database."""


def _whole(count: float | None) -> int | None:
    """Some servers write 12.0; a negative count is none."""
    if count is None:
        return None
    return int(count) if 0 <= count <= _MOST else None
