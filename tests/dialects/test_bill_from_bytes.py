"""From the bytes of an answer to its bill, compared with what genai-prices makes of the recordings' own counts.

Only where both know the model. Where we know none, the catalogue has dropped a model that is no longer sold.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN
from typing import Any

import genai_prices
import msgspec
import pytest

from pricing import Catalog, Usage
from tests.dialects import recorded
from tests.dialects.recorded import Record, needs_recordings

pytestmark = needs_recordings

RECORDS = [
    record
    for record in recorded.records("anthropic.messages", "google.generate", "google.stream", "cohere")
    if (record.get("expected") or {}).get("usage_present")
]
THEIR_PROVIDERS = {"google-vertex": "google", "pydantic-gateway": "google"}
THEIR_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "input_audio_tokens": "audio_input_tokens",
    "output_audio_tokens": "audio_output_tokens",
}
WITHOUT_A_PRICE = {
    ("anthropic", "claude-3-opus-20240229"): "retired, no longer in litellm's file",
    ("anthropic", "claude-sonnet-4-20250514"): "retired, no longer in litellm's file",
    ("google", "gemini-2.0-flash"): "retired, no longer in litellm's file",
    ("google", "gemini-2.0-flash-exp"): "retired, no longer in litellm's file",
    ("cohere", "command-r-plus"): "retired, no longer in litellm's file",
    ("pydantic-gateway", "gemini-2.5-flash"): "a gateway of its own, whose prices nobody lists",
}
"""docs/pricing.md says so too. A newer price file may have fewer of these, never others."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def settled(record: Record) -> tuple[list[tuple[str, Usage]], str | None]:
    """What is billed, model by model, and the tier."""
    answer = recorded.both(record)[0]
    assert answer.usage is not None
    model = answer.model or recorded.context_of(record).model or ""
    return [(model, answer.usage), *((billed.model, billed.usage) for billed in answer.also)], answer.service_tier


def by_genai_prices(provider: str, model: str, usage: Usage) -> int | None:
    counts = {theirs: getattr(usage, ours) for theirs, ours in THEIR_COUNTS.items()}
    used: dict[str, Any] = {name: count for name, count in counts.items() if count}
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(**used), model, provider_id=THEIR_PROVIDERS.get(provider, provider)
        )
    except LookupError:
        return None
    return int((found.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))


def test_both_come_to_the_same_bill(catalog: Catalog) -> None:
    compared, unpriced = 0, set()
    for record in RECORDS:
        bills, tier = settled(record)
        for model, usage in bills:
            tokens = msgspec.structs.replace(usage, web_searches=None)
            price = catalog.find(record["provider"], model)
            cost = price.cost(tokens, tier) if price is not None else None
            theirs = by_genai_prices(record["provider"], model, tokens)
            if theirs is None:
                continue
            if cost is None:
                unpriced.add((record["provider"], model))
                continue
            assert cost.total_nanousd == theirs, (record["id"], model)
            compared += 1
    assert unpriced <= WITHOUT_A_PRICE.keys()
    assert compared >= 150


def test_searches_are_a_fee_on_top(catalog: Catalog) -> None:
    """Anthropic bills $10 per 1,000 of them."""
    seen = 0
    for record in RECORDS:
        bills, tier = settled(record)
        model, usage = bills[0]
        price = catalog.find(record["provider"], model)
        if not usage.web_searches or price is None:
            continue
        whole, tokens = price.cost(usage, tier), price.cost(msgspec.structs.replace(usage, web_searches=None), tier)
        assert whole is not None
        assert tokens is not None
        assert whole.total_nanousd - tokens.total_nanousd == usage.web_searches * 10_000_000
        seen += 1
    assert seen >= 3
