"""Anthropic's batches: https://docs.claude.com/en/api/creating-message-batches

A batch runs where no gateway sees it. What it used is learnt when its results are fetched, a message on each line; the
batch's id is the bill, so fetching them again costs nothing.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.dialects.anthropic_messages import AnthropicErrors
from gateway.dialects.anthropic_usage import anthropic_usage
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Billed, Context, error_message
from gateway.dialects.openai_batch import TIER, added
from pricing.usage import Usage

_BATCH = re.compile(rb"/batches/([^/]+)/results$")


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


class AnthropicBatchResults(AnthropicErrors):
    name = "anthropic.batch_results"
    kind = "file"
    family = "anthropic"
    keeps_bytes = 64 * 1024 * 1024
    """Results are metered whole or not at all."""

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        used = _used_by_model(data)
        if not used:
            return Answer()
        (model, usage), *others = used.items()
        batch = _BATCH.search(context.path)
        return Answer(
            model=model or None,
            usage=usage,
            usage_raw=msgspec.json.encode({name or "unknown": counts for name, counts in used.items()}),
            service_tier=TIER,
            also=[Billed(name, counts, TIER) for name, counts in others],
            bill_id=batch[1].decode("latin-1") if batch else None,
        )

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return self.settle(data, streaming, context)


def _used_by_model(data: bytes) -> dict[str, Usage]:
    """By the model that answered; empty for results that were not kept whole: a gap leaves an empty line."""
    sums: dict[str, Usage] = {}
    if b'"custom_id"' not in data[:4096] or b"\n\n" in data.rstrip():
        return sums
    for line in data.splitlines():
        try:
            result = _decode_line(line).result
        except UNREADABLE:
            continue
        message = result.message if result is not None else None
        if message is None or bytes(message.usage) == b"null":
            continue
        model = message.model if isinstance(message.model, str) else ""
        spent = anthropic_usage(bytes(message.usage), model)
        if spent is None:
            continue
        for name, usage in ((model, spent.usage), *((billed.model, billed.usage) for billed in spent.also)):
            sums[name] = added(sums[name], usage) if name in sums else usage
    return sums
