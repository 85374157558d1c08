"""From the recorded bytes to the bill: what `settle` finds in them, priced, against genai-prices.

Every difference between the two lists that matters here is in docs/pricing.md.
"""

from __future__ import annotations

import base64
from decimal import ROUND_HALF_EVEN
from typing import Any

import pytest

from gateway.dialects import OPAQUE, Answer, Context, dialect_for
from pricing import Catalog, billed
from tests.pricing.second_opinion import STANDARD, by_genai_prices, same_unit_prices
from tests.pricing.test_recordings import RECORDINGS, records

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings beside the project (../shared/recordings)"
)


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
    compared: dict[str, int] = {}
    for record in records():
        answer = settled(record)
        if answer is None or answer.usage is None:
            continue
        model = answer.model or record["expected"]["requested_model"] or ""
        found = billed(catalog, record["provider"], model, answer.usage, answer.service_tier, answer.also, 1)
        theirs = by_genai_prices(record, answer.usage)
        plain = answer.service_tier in STANDARD and not answer.usage.web_searches and not answer.also
        if found is None or theirs is None or not plain or not same_unit_prices(found[0], theirs.model_price):
            continue
        expected = int((theirs.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))
        assert found[1].total_nanousd == expected, (record["id"], found[0].price_id)
        compared[record["dialect"]] = compared.get(record["dialect"], 0) + 1
    assert compared.get("openai.chat", 0) >= 60, compared
    assert compared.get("openai.responses", 0) >= 50, compared
    assert compared.get("mistral.chat", 0) >= 20, compared


def test_a_tier_and_searches_are_in_the_bill(catalog: Catalog) -> None:
    """What genai-prices is not told: half the price for flex, and a cent a search."""
    seen = {"flex": 0, "searches": 0}
    for record in records():
        if record["dialect"] != "openai.responses" or (answer := settled(record)) is None or answer.usage is None:
            continue
        theirs = by_genai_prices(record, answer.usage)
        found = billed(catalog, "openai", answer.model or "", answer.usage, answer.service_tier, answer.also, 1)
        if theirs is None or found is None:
            continue
        without = int((theirs.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))
        if answer.service_tier == "flex":
            assert found[1].total_nanousd * 2 == without
            seen["flex"] += 1
        if answer.usage.web_searches:
            assert found[1].total_nanousd == without + 10_000_000 * answer.usage.web_searches
            seen["searches"] += 1
    assert seen == {"flex": 1, "searches": 2}
