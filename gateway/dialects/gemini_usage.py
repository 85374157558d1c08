"""Google's `usageMetadata` in the one meaning of `pricing.Usage`.

The prompt's count includes what came from the cache; the prompts of tools come on top of it, and thoughts on top of the
candidates. Protocol buffers leave a zero out: where there are counts and none of them is of output, there was none.
https://ai.google.dev/api/generate-content#UsageMetadata
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.dialects.counts import Tokens, reader
from pricing.usage import Usage


class _Modality(msgspec.Struct, rename="camel"):
    modality: str | None = None
    token_count: Tokens = None


class _UsageMetadata(msgspec.Struct, rename="camel"):
    prompt_token_count: Tokens = None
    candidates_token_count: Tokens = None
    thoughts_token_count: Tokens = None
    tool_use_prompt_token_count: Tokens = None
    cached_content_token_count: Tokens = None
    total_token_count: Tokens = None
    prompt_tokens_details: list[_Modality] | None = None
    prompt_token_details: list[_Modality] | None = None
    """What `batchEmbedContents` calls the same."""
    tool_use_prompt_tokens_details: list[_Modality] | None = None
    cache_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None
    cache_write_token_count: Tokens = None
    """These four only from the translator (gateway.translation), for providers that say it."""
    cache_write5m_token_count: Tokens = msgspec.field(default=None, name="cacheWrite5mTokenCount")
    cache_write1h_token_count: Tokens = msgspec.field(default=None, name="cacheWrite1hTokenCount")
    web_search_requests: Tokens = None
    service_tier: str | None = None
    traffic_type: str | None = None
    """Vertex's word for the tier."""


class Spent(NamedTuple):
    usage: Usage
    service_tier: str | None


_read = reader(_UsageMetadata)


def gemini_usage(raw: bytes) -> Spent | None:
    """None where the object holds no count at all, as that of a prompt that was blocked."""
    found = _read(raw)
    if found is None:
        return None
    prompt, tools = found.prompt_token_count, found.tool_use_prompt_token_count
    said, thought = found.candidates_token_count, found.thoughts_token_count
    if prompt is None and tools is None and said is None and thought is None:
        return None
    prompt_parts = found.prompt_tokens_details or found.prompt_token_details or ()
    tool_parts = found.tool_use_prompt_tokens_details or ()
    has_media = _has_media(prompt_parts) or _has_media(tool_parts)
    said_parts = found.candidates_tokens_details
    usage = Usage(  # by position: this runs for every call
        None if prompt is None and tools is None else (prompt or 0) + (tools or 0),
        (said or 0) + (thought or 0),
        found.total_token_count,
        found.cached_content_token_count,
        found.cache_write_token_count,
        found.cache_write5m_token_count,
        found.cache_write1h_token_count,
        _of(found.cache_tokens_details, "AUDIO") if found.cache_tokens_details else None,
        _of((*prompt_parts, *tool_parts), "AUDIO") if has_media else None,
        _of((*prompt_parts, *tool_parts), "IMAGE") if has_media else None,
        _of((*prompt_parts, *tool_parts), "VIDEO") if has_media else None,
        tools,
        thought,
        _of(said_parts, "AUDIO") if said_parts else None,
        _of(said_parts, "IMAGE") if said_parts else None,
        found.web_search_requests,
    )
    return Spent(usage, found.service_tier or found.traffic_type)


def _has_media(parts: Sequence[_Modality]) -> bool:
    return bool(parts) and (len(parts) > 1 or parts[0].modality != "TEXT")


def _of(parts: Sequence[_Modality] | None, modality: str) -> int | None:
    """The tokens of one modality, which may be listed more than once; None where it is not listed."""
    known = [part.token_count for part in parts or () if part.modality == modality and part.token_count is not None]
    return sum(known) if known else None
