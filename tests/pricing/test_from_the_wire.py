"""From the recorded bytes to the bill: what `settle` finds in them, priced, against genai-prices.

Every difference between the two lists that matters here is in docs/pricing.md.
"""

from __future__ import annotations

import base64
from decimal import ROUND_HALF_EVEN
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.dialects import OPAQUE, Answer, Context, dialect_for
from pricing import Catalog, billed
from tests.pricing.second_opinion import STANDARD, by_genai_prices, same_unit_prices
from tests.pricing.test_recordings import RECORDINGS, records

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings beside the project (../shared/recordings)"
)

AGREED = {"anthropic.messages": 70, "google.generate": 60, "google.stream": 6, "cohere": 10}
"""Dialects of which both lists state the same prices, and how many recordings both know at least."""
WITHOUT_A_PRICE = {
    ("anthropic", "claude-3-opus-20240229"): "retired, no longer in litellm's file",
    ("anthropic", "claude-sonnet-4-20250514"): "retired, no longer in litellm's file",
    ("google", "gemini-2.0-flash"): "retired, no longer in litellm's file",
    ("google", "gemini-2.0-flash-exp"): "retired, no longer in litellm's file",
    ("cohere", "command-r-plus"): "retired, no longer in litellm's file",
    ("pydantic-gateway", "gemini-2.5-flash"): "a gateway of its own, whose prices nobody lists",
}
"""docs/pricing.md says so too. A newer price file may have fewer of these, never others."""


def settled(record: dict[str, Any]) -> Answer | None:
    """None where the path is nobody's."""
    path = record["path"].encode()
    dialect = dialect_for(record["method"].encode(), path)
    if dialect is OPAQUE:
        return None
    body = record["response_body"]
    data = base64.b64decode(body) if record["response_body_encoding"] == "base64" else body.encode()
    model = dialect.model_in(path) or record["expected"]["requested_model"]
    headers = {
        name.lower().encode(): (value[0] if isinstance(value, list) else value).encode()
        for name, value in record["response_headers"].items()
    }
    return dialect.settle(data, record["streaming"], Context(path, b"", headers, model))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def test_the_bytes_come_to_the_same_bill_in_both(catalog: Catalog) -> None:
    """In the dialects of `AGREED` wherever both know the model, in the others where they state the same prices."""
    compared: dict[str, int] = {}
    unpriced = set()
    for record in records():
        answer = settled(record)
        if answer is None or answer.usage is None or answer.also or answer.service_tier not in STANDARD:
            continue
        model = answer.model or record["expected"]["requested_model"] or ""
        tokens = replace(answer.usage, web_searches=None, file_searches=None)
        found = billed(catalog, record["provider"], model, tokens, answer.service_tier, (), 1)
        theirs = by_genai_prices(record, tokens)
        if theirs is None or (found is not None and found[0].card.searches_always):
            continue
        if record["dialect"] in AGREED and found is None:
            unpriced.add((record["provider"], model))
        agreed = record["dialect"] in AGREED
        if found is None or not (agreed or same_unit_prices(found[0], theirs.model_price)):
            continue
        expected = int((theirs.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))
        assert found[1].total_nanousd == expected, (record["id"], found[0].price_id)
        compared[record["dialect"]] = compared.get(record["dialect"], 0) + 1
    assert unpriced <= WITHOUT_A_PRICE.keys()
    assert compared.get("openai.chat", 0) >= 60, compared
    assert compared.get("openai.responses", 0) >= 50, compared
    assert compared.get("mistral.chat", 0) >= 20, compared
    for dialect, least in AGREED.items():
        assert compared.get(dialect, 0) >= least, compared


def test_an_advisor_is_in_the_bill_at_its_own_price(catalog: Catalog) -> None:
    seen = 0
    for record in records():
        answer = settled(record)
        if answer is None or answer.usage is None or not answer.also or record["provider"] != "anthropic":
            continue
        parts = [(answer.model or "", answer.usage), *((part.model, part.usage) for part in answer.also)]
        prices = [(catalog.find("anthropic", model), usage) for model, usage in parts]
        alone = [price.cost(usage, answer.service_tier) for price, usage in prices if price is not None]
        whole = billed(catalog, "anthropic", parts[0][0], answer.usage, answer.service_tier, answer.also, 1)
        assert whole is not None
        assert whole[1].total_nanousd == sum(cost.total_nanousd for cost in alone if cost is not None)
        seen += 1
    assert seen >= 1


def test_a_tier_and_searches_are_in_the_bill(catalog: Catalog) -> None:
    """What genai-prices is not told: half the price for flex, and a cent a search."""
    seen = {"flex": 0, "searches": 0}
    for record in records():
        if record["dialect"] not in ("openai.responses", "anthropic.messages"):
            continue
        answer = settled(record)
        if answer is None or answer.usage is None or answer.also:
            continue
        theirs = by_genai_prices(record, answer.usage)
        provider, tier = record["provider"], answer.service_tier
        found = billed(catalog, provider, answer.model or "", answer.usage, tier, answer.also, 1)
        if theirs is None or found is None:
            continue
        without = int((theirs.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))
        if answer.service_tier == "flex":
            assert found[1].total_nanousd * 2 == without
            seen["flex"] += 1
        if answer.usage.web_searches:
            assert found[1].total_nanousd == without + 10_000_000 * answer.usage.web_searches
            seen["searches"] += 1
    assert seen["flex"] == 1
    assert seen["searches"] >= 5
