"""Sums of tokens at the catalogue's prices: savings by caches, and other models."""

from __future__ import annotations

import pytest

from gateway.control.pricing_sums import at_prices_of, cache_savings, cheaper, price_of, what_if
from gateway.store.base import Distribution, Group, Totals
from pricing import Catalog, Usage

PRICES = {
    "near/small": {"input_per_mtok": 1, "output_per_mtok": 4, "cached_input_per_mtok": 0.25},
    "near/large": {"input_per_mtok": 10, "output_per_mtok": 40, "cached_input_per_mtok": 1},
}
CATALOG = Catalog.load(None, PRICES)  # type: ignore[arg-type]  # terms as builtins
NOW = 1_790_000_000_000_000


def group(key: str | None, **amounts: int) -> Group:
    return Group(key, Totals(**amounts), Distribution(0))


def test_a_sum_costs_what_its_calls_would() -> None:
    price = price_of(CATALOG, "near/small", NOW)
    assert price is not None
    one = price.cost(Usage(input_tokens=1000, output_tokens=10, cached_input_tokens=400))
    assert one is not None
    sums = Totals(requests=3, input_tokens=3000, output_tokens=30, cached_input_tokens=1200)
    assert at_prices_of(sums, price) == 3 * one.total_nanousd


def test_savings_are_plain_input_less_what_cached_input_costs() -> None:
    found = cache_savings(
        [
            group("near/small", requests=1, input_tokens=2_000_000, cached_input_tokens=1_000_000),
            group("near/large", requests=1, input_tokens=2_000_000),
            group("nobody/knows", requests=5, input_tokens=10, cached_input_tokens=5),
            group(None, requests=9),
        ],
        CATALOG,
        NOW,
    )
    assert (found.saved_nanousd, found.without_price) == (750_000_000, 5)


def test_a_move_is_the_same_tokens_at_the_other_price() -> None:
    large = group("near/large", requests=7, cost_nanousd=14_000_000_000, input_tokens=1_000_000, output_tokens=100_000)
    move = what_if(large, "near/small", CATALOG, NOW)
    assert move is not None
    assert (move.would_cost_nanousd, move.difference_nanousd) == (1_400_000_000, -12_600_000_000)
    small = group("near/small", requests=1, cost_nanousd=1_400_000_000, input_tokens=1_000_000, output_tokens=100_000)
    assert cheaper([large, small], CATALOG, NOW) == [move]


@pytest.mark.parametrize("target", ["", "near", "nobody/knows"])
def test_without_a_price_there_is_no_answer(target: str) -> None:
    assert what_if(group("near/large", input_tokens=1), target, CATALOG, NOW) is None
