"""What genai-prices, which reads the same price pages on its own, makes of a recorded call."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import genai_prices

from pricing import Price, Usage
from pricing.price import quoted_rate

STANDARD = (None, "", "default", "standard", "ON_DEMAND")
THEIR_NAMES = {"bedrock": "aws", "google-vertex": "google", "pydantic-gateway": "google"}

FIELDS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "total_reported": "total_reported",
    "cached_input_tokens": "cached_input_tokens",
    "cache_creation_tokens": "cache_write_tokens",
    "cache_creation_5m_tokens": "cache_write_5m_tokens",
    "cache_creation_1h_tokens": "cache_write_1h_tokens",
    "cached_audio_tokens": "cached_audio_tokens",
    "input_audio_tokens": "audio_input_tokens",
    "input_image_tokens": "image_input_tokens",
    "input_video_tokens": "video_input_tokens",
    "tool_prompt_tokens": "tool_prompt_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "output_audio_tokens": "audio_output_tokens",
    "output_image_tokens": "image_output_tokens",
    "web_searches": "web_searches",
}
"""The recordings' names for the counts, and ours."""

COMPARED_RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "audio_input": "input_audio_mtok",
}
"""Our units, and the fields in which they state a rate; a rate of theirs that depends on the size is not compared."""


def usage_of(record: dict[str, Any]) -> Usage:
    counts = record["expected"]["usage"]
    return Usage(**{ours: counts.get(theirs) for theirs, ours in FIELDS.items()})


def by_genai_prices(record: dict[str, Any], usage: Usage) -> genai_prices.types.PriceCalculation | None:
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "input_audio_tokens": usage.audio_input_tokens,
        "output_audio_tokens": usage.audio_output_tokens,
    }
    try:
        return genai_prices.calc_price(
            genai_prices.Usage(**{name: count for name, count in counts.items() if count}),
            record["expected"]["answered_model"] or "",
            provider_id=THEIR_NAMES.get(record["provider"], record["provider"]),
        )
    except LookupError:
        return None


def same_unit_prices(price: Price, theirs: object) -> bool:
    ours = price.card.standard
    for unit, field in COMPARED_RATES.items():
        rate = ours[unit]
        stated = getattr(theirs, field, None)
        if stated is not None and (rate is None or not isinstance(stated, Decimal | int)):
            return False
        if stated is not None and rate is not None and quoted_rate(unit, rate.atto) != stated:
            return False
    return True


def their_nanousd(price: Price | None, record: dict[str, Any]) -> int | None:
    """Their bill for the call, where both know the model, take the same unit prices, and nothing but tokens is paid."""
    usage = usage_of(record)
    theirs = by_genai_prices(record, usage)
    standard = record["expected"]["service_tier"] in STANDARD and not usage.web_searches
    if price is None or theirs is None or not standard or not same_unit_prices(price, theirs.model_price):
        return None
    if price.card.searches_always or "file_search_call" in str(record["response_body"]):
        return None
    return int((theirs.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))
