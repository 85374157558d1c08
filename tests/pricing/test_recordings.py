"""Recorded calls, priced by us and by genai-prices: two readings of the same price pages must come to the same bill.

Only where both know the model and take the same unit prices; where the lists differ, the lists differ, not the sums.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pricing import Catalog, Cost, Price
from tests.pricing.second_opinion import their_nanousd, usage_of

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "recordings"

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


def price_of(catalog: Catalog, record: dict[str, Any]) -> Price | None:
    expected = record["expected"]
    return catalog.find(record["provider"], expected["answered_model"] or expected["requested_model"] or "")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def test_both_come_to_the_same_bill(catalog: Catalog) -> None:
    compared: dict[str, int] = {}
    for record in records():
        usage = usage_of(record)
        price = price_of(catalog, record)
        expected = their_nanousd(price, record)
        if price is None or expected is None:
            continue
        cost = price.cost(usage, record["expected"]["service_tier"])
        assert cost is not None, record["id"]
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
