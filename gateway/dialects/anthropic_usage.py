"""Anthropic's usage objects in the one meaning of `pricing.Usage`.

`input_tokens` leaves out cache reads and writes; they are added. Where `iterations` are listed (compaction, an advisor
at another model), the bill is their sum and the object's own counts are only the last part of it.
https://docs.claude.com/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from gateway.dialects.base import UNREADABLE, Billed
from gateway.dialects.counts import Tokens, reader
from pricing.usage import Usage


class _Written(msgspec.Struct):
    """Cache writes by how long they are kept."""

    ephemeral_5m_input_tokens: Tokens = None
    ephemeral_1h_input_tokens: Tokens = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Tokens = None


class _ServerTools(msgspec.Struct):
    web_search_requests: Tokens = None


class _Part(msgspec.Struct):
    input_tokens: Tokens = None
    output_tokens: Tokens = None
    cache_read_input_tokens: Tokens = None
    cache_creation_input_tokens: Tokens = None
    cache_creation: _Written | None = None


class _Iteration(_Part):
    model: str | None = None
    """Only where it is not the one that answers."""


class _AnthropicUsage(_Part):
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[_Iteration] | None = None


class Spent(NamedTuple):
    usage: Usage
    service_tier: str | None
    """With what else its price depends on: `standard+us`, `standard+fast`."""
    also: list[Billed]


_read = reader(_AnthropicUsage)
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def anthropic_usage(raw: bytes, model: str | None = None) -> Spent | None:
    """What was spent, `model` being the one that answered; None where the object holds no count at all."""
    found = _read(raw)
    if found is None:
        return None
    searches = found.server_tool_use.web_search_requests if found.server_tool_use is not None else None
    thinking = found.output_tokens_details.thinking_tokens if found.output_tokens_details is not None else None
    tier = _tier(found)
    if not found.iterations:
        usage = _usage(found, thinking, searches)
        return Spent(usage, tier, []) if usage is not None else None
    by_model: dict[str | None, list[_Iteration]] = {}
    for iteration in found.iterations:
        by_model.setdefault(iteration.model if iteration.model != model else None, []).append(iteration)
    own = by_model.pop(None, None) or by_model.pop(found.iterations[-1].model)
    usage = _usage(_sum(own), thinking, searches)
    if usage is None:
        return None
    parts = ((other, _usage(_sum(some))) for other, some in by_model.items())
    also = [Billed(other, part, tier) for other, part in parts if other and part is not None]
    return Spent(usage, tier, also)


_USUAL = (None, "", "standard", "global", "not_available")


def _tier(found: _AnthropicUsage) -> str | None:
    """The service tier, and what multiplies its prices: https://platform.claude.com/docs/en/about-claude/pricing"""
    if found.speed in _USUAL and found.inference_geo in _USUAL:
        return found.service_tier
    dearer = [word for word in (found.inference_geo, found.speed) if word is not None and word not in _USUAL]
    return "+".join([found.service_tier or "standard", *dearer])


def later_usage(earlier: bytes | None, later: bytes) -> bytes:
    """Two objects of one stream as one: what the later one says replaces, what it leaves out stays, each value as it
    was written. The split of cache writes and the service tier are only in the first."""
    if earlier is None:
        return later
    try:
        fields, newer = _decode_fields(earlier), _decode_fields(later)
    except UNREADABLE:
        return later
    if b"null" in later:
        newer = {name: value for name, value in newer.items() if bytes(value) != b"null"}
    fields.update(newer)
    return msgspec.json.encode(fields)


def _usage(part: _Part, thinking: int | None = None, searches: int | None = None) -> Usage | None:
    read, written, split = part.cache_read_input_tokens, part.cache_creation_input_tokens, part.cache_creation
    short = split.ephemeral_5m_input_tokens if split is not None else None
    long = split.ephemeral_1h_input_tokens if split is not None else None
    if written is None:
        written = _known_sum((short, long))
    if part.input_tokens is None and part.output_tokens is None and not read and not written:
        return None
    return Usage(  # by position: this runs for every call
        None
        if part.input_tokens is None and read is None and written is None
        else (part.input_tokens or 0) + (read or 0) + (written or 0),
        part.output_tokens,
        None,
        read,
        written,
        short,
        long,
        None,
        None,
        None,
        None,
        None,
        thinking,
        None,
        None,
        searches,
    )


def _sum(parts: Sequence[_Part]) -> _Part:
    splits = [part.cache_creation for part in parts if part.cache_creation is not None]
    return _Part(
        _known_sum(part.input_tokens for part in parts),
        _known_sum(part.output_tokens for part in parts),
        _known_sum(part.cache_read_input_tokens for part in parts),
        _known_sum(part.cache_creation_input_tokens for part in parts),
        _Written(
            _known_sum(split.ephemeral_5m_input_tokens for split in splits),
            _known_sum(split.ephemeral_1h_input_tokens for split in splits),
        ),
    )


def _known_sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
