"""Recorded calls, priced by us and by genai-prices: two readings of the same price pages must come to the same bill.

Only where both know the model and take the same unit prices; where the lists differ, the lists differ, not the sums.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest

from pricing import Catalog, Cost, Price, Usage
from pricing.price import quoted_rate

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "recordings"
STANDARD = (None, "", "default", "standard", "ON_DEMAND")
THEIR_NAMES = {"bedrock": "aws", "google-vertex": "google"}

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

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings beside the project (../shared/recordings)"
)


def records() -> Iterator[dict[str, Any]]:
    for path in sorted(RECORDINGS.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                if (record.get("expected") or {}).get("usage_present"):
                    yield record


def usage_of(record: dict[str, Any]) -> Usage:
    counts = record["expected"]["usage"]
    return Usage(**{ours: counts.get(theirs) for theirs, ours in FIELDS.items()})


def price_of(catalog: Catalog, record: dict[str, Any]) -> Price | None:
    expected = record["expected"]
    return catalog.find(record["provider"], expected["answered_model"] or expected["requested_model"] or "")


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


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def test_both_come_to_the_same_bill(catalog: Catalog) -> None:
    compared: dict[str, int] = {}
    for record in records():
        usage = usage_of(record)
        price = price_of(catalog, record)
        theirs = by_genai_prices(record, usage)
        standard = record["expected"]["service_tier"] in STANDARD and not usage.web_searches
        if price is None or theirs is None or not standard or not same_unit_prices(price, theirs.model_price):
            continue
        cost = price.cost(usage, record["expected"]["service_tier"])
        assert cost is not None, record["id"]
        expected = int((theirs.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))
        assert cost.total_nanousd == expected, (record["id"], price.price_id)
        compared[price.key] = compared.get(price.key, 0) + 1
    assert sum(compared.values()) >= 250, compared
    assert len(compared) >= 30, compared


def test_most_recorded_calls_have_a_price_and_every_bill_adds_up(catalog: Catalog) -> None:
    seen = priced = 0
    for record in records():
        usage, tier = usage_of(record), record["expected"]["service_tier"]
        if record["provider"] == "openrouter":
            continue  # says itself what a call cost
        seen += 1
        price = price_of(catalog, record)
        cost: Cost | None = price.cost(usage, tier) if price else None
        if price is not None and cost is not None:
            priced += 1
            assert sum(line.amount_nanousd or 0 for line in price.explain(usage, tier)) == cost.total_nanousd
    assert priced >= seen * 0.8
