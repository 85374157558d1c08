"""Cohere's usage: `billed_units` is what is paid, `tokens` what the model saw (its own preamble and tools included).

Version 2's chat has it under `usage`, everything else under `meta`. https://docs.cohere.com/reference/chat
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.dialects.base import NULL
from gateway.dialects.counts import Tokens, reader
from pricing.usage import Usage


class _Units(msgspec.Struct):
    input_tokens: Tokens = None
    output_tokens: Tokens = None
    image_tokens: Tokens = None
    images: Tokens = None
    search_units: Tokens = None


class _CohereUsage(msgspec.Struct):
    billed_units: _Units | None = None
    tokens: _Units | None = None
    cached_tokens: Tokens = None


class Reported(msgspec.Struct):
    """What holds a usage object: an answer, or the last event of a stream."""

    usage: msgspec.Raw = NULL
    meta: msgspec.Raw = NULL


class Spent(NamedTuple):
    usage: Usage
    raw: bytes


_read = reader(_CohereUsage)


def cohere_usage(reported: Reported) -> Spent | None:
    """None where nothing was counted. Cached tokens may exceed the billed ones: they are of what the model saw."""
    for raw in (bytes(reported.usage), bytes(reported.meta)):
        found = _read(raw) if raw != b"null" else None
        if found is not None and (usage := _usage(found)) is not None:
            return Spent(usage, raw)
    return None


def _usage(found: _CohereUsage) -> Usage | None:
    units = found.billed_units or found.tokens
    if units is None:
        return None
    read, image = units.input_tokens, units.image_tokens
    if read is None and image is None and units == _Units():
        return None
    return Usage(
        input_tokens=None if read is None and image is None else (read or 0) + (image or 0),
        output_tokens=units.output_tokens,
        cached_input_tokens=found.cached_tokens,
        image_input_tokens=image,
        search_units=units.search_units,
        images=units.images,
    )
