"""Two readings of one price page, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from pricing.card import STANDARD
from pricing.price import Price, quoted_rate

SIZE_SLACK = 0.04
"""Sizes are rounded differently: 128k is 128,000 to some and 131,072 to others."""

OTHER_RATE = "another rate"
NOT_HERE = "the catalogue has no rate for it"
NO_OWN_RATE = "the catalogue has no rate of its own for it, and takes that of the whole"
NO_TIER_HERE = "the catalogue has no other price above that size"
FREE_HERE = "free in the catalogue"
FREE_THERE = "free in the second source"


class Listed(NamedTuple):
    """A model of the second source. Rates are dollars per million tokens, by (unit, above how many input tokens)."""

    provider: str
    model: str
    rates: Mapping[tuple[str, int], Decimal]


class Difference(NamedTuple):
    unit: str
    above_tokens: int
    ours: Decimal | None
    theirs: Decimal
    why: str


def differences(price: Price, listed: Listed) -> Iterator[Difference]:
    """Every rate that the second source states and the catalogue does not have so. What only the catalogue states is
    no difference: it knows more units."""
    for (unit, above), theirs in listed.rates.items():
        size = _our_size(price, above)
        rates = price.card.situation(STANDARD, size + 1 if size else 0)
        rate = rates[unit]
        ours = quoted_rate(unit, rate.atto) if rate is not None else None
        if ours is not None and (ours == theirs or abs(ours - theirs) <= theirs / 10_000):
            continue  # theirs is sometimes rounded to a few digits
        if rate is None:
            why = NOT_HERE
        elif above and rate.key.above_tokens == 0:
            why = NO_TIER_HERE
        elif ours == 0:
            why = FREE_HERE
        elif theirs == 0:
            why = FREE_THERE
        else:
            why = NO_OWN_RATE if rate.key.unit != unit else OTHER_RATE
        yield Difference(unit, above, ours, theirs, why)


def _our_size(price: Price, above: int) -> int:
    """The catalogue's size that is theirs but for rounding."""
    sizes = {key.above_tokens for key in price.card.rates if key.above_tokens}
    return next((size for size in sizes if abs(size - above) <= above * SIZE_SLACK), above)
