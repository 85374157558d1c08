"""Exact amounts, one rounding, and nothing lost between the lines."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import charge
from pricing.money import ATTO_PER_NANO, apportion, atto, round_half_even, usd


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [
        (Decimal("2.5e-06"), 2_500_000_000_000),
        (Decimal("0"), 0),
        (1, 10**18),
        (Decimal("3.3300000000000003e-06"), 3_330_000_000_000),
        (Decimal("0.0002833333333333333"), 283_333_333_333_333),
    ],
    ids=["a rate", "zero", "a dollar", "binary noise", "a third"],
)
def test_dollars_become_whole_atto_dollars(dollars: Decimal | int, expected: int) -> None:
    assert atto(dollars) == expected


def test_atto_dollars_become_exact_dollars() -> None:
    assert str(usd(2_500_000_000_000 * 1_000_000)) == "2.5"


@pytest.mark.parametrize(
    ("numerator", "expected"), [(4, 0), (5, 0), (6, 1), (15, 2), (25, 2), (26, 3), (-5, 0), (-15, -2), (-6, -1)]
)
def test_half_goes_to_the_even(numerator: int, expected: int) -> None:
    assert round_half_even(numerator, 10) == expected


def test_the_rest_goes_to_those_that_lost_most() -> None:
    third = ATTO_PER_NANO // 3
    assert apportion(1, [third, third + 1, third]) == [0, 1, 0]
    assert apportion(1, [third + 1, third + 1, third - 1]) == [1, 0, 0]


@given(st.lists(st.integers(0, 10**24), max_size=8))
def test_parts_add_up_and_no_part_is_off_by_a_whole_one(amounts: list[int]) -> None:
    total = round_half_even(sum(amounts), ATTO_PER_NANO)
    parts = apportion(total, amounts)
    assert sum(parts) == total
    for part, amount in zip(parts, amounts, strict=True):
        assert part in (amount // ATTO_PER_NANO, -(-amount // ATTO_PER_NANO))


@pytest.mark.parametrize(
    ("cost", "percent", "expected"),
    [(1_000, 0.0, 1_000), (1_000, 20.0, 1_200), (1_000, 12.5, 1_125), (10, 5.0, 10), (30, 5.0, 32), (1, 0.1, 1)],
)
def test_markup(cost: int, percent: float, expected: int) -> None:
    """10 + 5 % is 10.5, rounded half to even; 30 + 5 % is 31.5."""
    assert charge(cost, percent) == expected


@given(st.integers(0, 10**18), st.decimals(0, 1000, places=3).map(float))
def test_markup_is_exact(cost: int, percent: float) -> None:
    exact = cost * (100 + Decimal(repr(percent))) / 100
    assert abs(charge(cost, percent) - exact) <= Decimal("0.5")
    assert charge(cost, percent) >= cost
