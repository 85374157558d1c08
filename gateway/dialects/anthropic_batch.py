"""Anthropic's batches: https://docs.claude.com/en/api/creating-message-batches

Their results are a message on each line.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.dialects.anthropic_messages import AnthropicErrors
from gateway.dialects.anthropic_usage import anthropic_usage
from gateway.dialects.base import NULL, UNREADABLE
from gateway.dialects.results import LineResults
from gateway.dialects.tally import TIER, Tally


class _Message(msgspec.Struct):
    model: Any = None
    usage: msgspec.Raw = NULL


class _Result(msgspec.Struct):
    message: _Message | None = None
    """Only of a request that succeeded; the others are not billed."""


class _Line(msgspec.Struct):
    result: _Result | None = None


_decode_line = msgspec.json.Decoder(_Line).decode


class AnthropicBatches(AnthropicErrors):
    """Making, listing, cancelling: nothing is used yet."""

    name = "anthropic.batches"
    kind = "batch"
    family = "anthropic"


class AnthropicBatchResults(AnthropicErrors, LineResults):
    name = "anthropic.batch_results"
    kind = "file"
    family = "anthropic"
    bill_in = re.compile(rb"/batches/([^/]+)/results$")

    def read_line(self, line: bytes, tally: Tally) -> None:
        try:
            result = _decode_line(line).result
        except UNREADABLE:
            return
        message = result.message if result is not None else None
        if message is None or bytes(message.usage) == b"null":
            return
        model = message.model if isinstance(message.model, str) else ""
        spent = anthropic_usage(bytes(message.usage), model)
        if spent is None:
            return
        tier = in_batch(spent.service_tier)
        tally.add(model, spent.usage, tier)
        for other in spent.also:
            tally.add(other.model, other.usage, tier)


def in_batch(service_tier: str | None) -> str:
    """The tier of a line, with what else its price depends on: `batch+us`."""
    _, plus, dearer = (service_tier or "").partition("+")
    return TIER + plus + dearer
