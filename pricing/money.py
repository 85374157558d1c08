"""Exact money: integer atto-dollars while counting, one rounding to integer nano-dollars, nothing lost between lines.

A rate is a whole number of atto-dollars (10⁻¹⁸ $) per unit: $2.50 per million tokens is 2,500,000,000,000 of them.
Products and sums of these are exact. Only the total of a call is rounded (half to even), and what it is rounded to
is dealt out to its parts by largest remainder, so that a bill's lines always add up to its total.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

ATTO_PER_USD = 10**18
ATTO_PER_NANO = 10**9

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def atto(usd: Decimal | int) -> int:
    """Dollars as whole atto-dollars. Digits beyond 10⁻¹⁸ $, mostly binary noise of a price file, are rounded."""
    return int(_EXACT.quantize(_EXACT.multiply(Decimal(usd), ATTO_PER_USD), Decimal(1)))


def usd(atto_usd: int) -> Decimal:
    """Atto-dollars as exact dollars."""
    return Decimal(f"{_EXACT.scaleb(Decimal(atto_usd), -18).normalize(_EXACT):f}")


def round_half_even(numerator: int, denominator: int) -> int:
    """The quotient of two integers (denominator > 0), rounded half to even."""
    quotient, rest = divmod(numerator, denominator)
    double = rest * 2
    if double > denominator or (double == denominator and quotient & 1):
        return quotient + 1
    return quotient


def apportion(total_nano: int, amounts_atto: Sequence[int]) -> list[int]:
    """`total_nano` dealt out in proportion: each amount rounded down, the rest to those that lost most.

    Ties go to the earlier amount. `total_nano` must be the amounts' sum, rounded down, up or half to even.
    """
    floors = [amount // ATTO_PER_NANO for amount in amounts_atto]
    missing = total_nano - sum(floors)
    if missing:
        by_loss = sorted(range(len(floors)), key=lambda index: -(amounts_atto[index] % ATTO_PER_NANO))
        for index in by_loss[:missing]:
            floors[index] += 1
    return floors


def charge(cost_nanousd: int, markup_percent: float) -> int:
    """What a tenant is charged: the cost with the markup, to the nano-dollar, half to even.

    Exact: 12.5 is taken as the decimal it is written as, not as the nearest binary fraction.
    """
    if not markup_percent:
        return cost_nanousd
    numerator, denominator = Decimal(repr(markup_percent)).as_integer_ratio()
    return round_half_even(cost_nanousd * (100 * denominator + numerator), 100 * denominator)
