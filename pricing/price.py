"""A price: what a model of a provider costs, since when, by whose word; and what a call costs with it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from pricing.card import Rate, RateCard, Rates
from pricing.money import ATTO_PER_NANO, apportion, round_half_even, usd
from pricing.units import UNITS, Part, fees, input_parts, other_measures, output_parts
from pricing.usage import Usage

MILLISECONDS = 1000
"""Seconds are counted and priced by the millisecond."""


class Cost(msgspec.Struct, frozen=True, gc=False):
    """Nano-dollars. What is neither input nor output (searches, a fee by request) is in the total only."""

    total_nanousd: int
    input_nanousd: int
    output_nanousd: int


class Line(msgspec.Struct, frozen=True):
    """One line of a bill. `amount_nanousd` is None, as is the rate, where the unit has no price."""

    unit: str
    side: str
    """`input`, `output` or `fee`."""
    quantity: Decimal
    rate_usd: Decimal | None
    """Dollars for `per` of the unit."""
    per: int
    noun: str
    amount_nanousd: int | None
    rated_as: str | None = None
    """The unit whose rate this is, where it is not its own."""
    tier: str | None = None
    above_tokens: int | None = None

    @property
    def rate(self) -> str:
        """`$2.50 / Mtok`, `$0.01 / search`."""
        return "no price" if self.rate_usd is None else f"{dollars(self.rate_usd)} / {quoted_noun(self.unit)}"


class Price(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Made by `Catalog.find`; `price_id` names it for good."""

    price_id: str
    """`gpt-4o-2024-08-06@2026-11-01`: the entry and the day since when it has been so."""
    provider: str
    model: str
    """The name that was looked up; `key` is the entry it was found under."""
    key: str
    source: str
    """`catalog` or `override`: the `cost_source` of calls priced with it."""
    card: RateCard
    mode: str | None = None
    """`chat`, `embedding`, `image_generation`, …"""
    context_window: int | None = None
    max_output_tokens: int | None = None
    origin: str | None = None
    """Where it was published: the provider's price page."""
    valid_from: str | None = None
    """ISO date; None: as far back as is known."""
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    """None: until further notice."""

    def cost(self, usage: Usage, service_tier: str | None = None) -> Cost | None:
        """What the usage costs. `service_tier` is the one in the answer.

        None where nothing billable was reported, and where any part of it has no price: a sum that leaves something
        out is not the cost.
        """
        card = self.card
        rates = card.situation(service_tier, usage.request_size)
        parts = billed_parts(usage, card, rates)
        if parts is None:
            return None
        inputs = _amount(parts[0], rates)
        outputs = _amount(parts[1], rates)
        if inputs is None or outputs is None:
            return None
        if not parts[2]:
            return _two_sided(inputs, outputs)
        fees = _amount(parts[2], rates)
        if fees is None:
            return None
        total = round_half_even(inputs + outputs + fees, ATTO_PER_NANO)
        sides = apportion(total, (inputs, outputs, fees))
        return Cost(total, sides[0], sides[1])

    def explain(self, usage: Usage, service_tier: str | None = None) -> list[Line]:
        """The bill behind `cost`, line by line; the amounts add up to the total, and by side to the sides.

        Rounding is dealt out by largest remainder: first to the sides, then within each side to its lines.
        Empty where nothing billable was reported. Where a unit has no price its line says so and `cost` is None.
        """
        rates = self.card.situation(service_tier, usage.request_size)
        parts = billed_parts(usage, self.card, rates)
        if parts is None:
            return []
        sides = [[part for part in side if part[1]] for side in parts]
        amounts = [[_product(part, rates) for part in side] for side in sides]
        sums = [sum(amount or 0 for amount in side) for side in amounts]
        totals = apportion(round_half_even(sum(sums), ATTO_PER_NANO), sums)
        return [
            _line(part, rates[part[0]], amount)
            for side, exact, total in zip(sides, amounts, totals, strict=True)
            for part, amount in zip(side, apportion(total, [amount or 0 for amount in exact]), strict=True)
        ]


def billed_parts(usage: Usage, card: RateCard, rates: Rates) -> tuple[list[Part], list[Part], list[Part]] | None:
    """(input, output, fees) of a call: what is to be paid for. None where the usage says nothing about it.

    Tokens where the model is priced by them and they were counted; else the model's other measures of the same
    content. Fees come on top.
    """
    inputs: list[Part] = []
    outputs: list[Part] = []
    counted = False
    if card.by_token:
        inputs = input_parts(usage)
        outputs = output_parts(usage, card.plain_output)
        counted = usage.input_tokens is not None or usage.output_tokens is not None
        if not counted and card.input_only and usage.total_reported is not None:
            inputs = [("input", max(usage.total_reported, 0))]
            counted = True
    if not inputs and not outputs:
        for part in other_measures(usage):
            if rates[part[0]] is not None:
                (inputs if UNITS[part[0]].side == "input" else outputs).append(part)
                counted = True
    beside: list[Part] = []
    if usage.web_searches or usage.file_searches or usage.code_sessions:
        beside = fees(usage)
        if card.searches_per_request:
            beside = [(unit, 1 if unit == "web_search" else count) for unit, count in beside]
    elif card.searches_always and counted:
        beside = [("web_search", 1)]
    if rates["request"] is not None:
        beside.append(("request", 1))
    return (inputs, outputs, beside) if counted or beside else None


def _amount(parts: list[Part], rates: Rates) -> int | None:
    amount = 0
    for unit, quantity in parts:
        if quantity:
            rate = rates[unit]
            if rate is None:
                return None
            amount += quantity * rate[0]  # by place: this runs for every call
    return amount


def _two_sided(inputs: int, outputs: int) -> Cost:
    """The usual case of `apportion`, without a list: input and output, no fees."""
    total = round_half_even(inputs + outputs, ATTO_PER_NANO)
    input_nano, input_rest = divmod(inputs, ATTO_PER_NANO)
    output_nano, output_rest = divmod(outputs, ATTO_PER_NANO)
    missing = total - input_nano - output_nano
    if missing == 2 or (missing == 1 and input_rest >= output_rest):
        input_nano += 1
    return Cost(total, input_nano, total - input_nano)


def _product(part: Part, rates: Rates) -> int | None:
    rate = rates[part[0]]
    return None if rate is None else part[1] * rate.atto


def _line(part: Part, rate: Rate | None, amount_nanousd: int) -> Line:
    name, count = part
    unit = UNITS[name]
    quantity = Decimal(count) / MILLISECONDS if name == "second" else Decimal(count)
    if rate is None:
        return Line(name, unit.side, quantity, None, unit.per, unit.noun, None)
    return Line(
        name,
        unit.side,
        quantity,
        quoted_rate(name, rate.atto),
        unit.per,
        unit.noun,
        amount_nanousd,
        rated_as=rate.key.unit if rate.key.unit != name else None,
        tier=rate.key.tier or None,
        above_tokens=rate.key.above_tokens or None,
    )


def quoted_rate(unit: str, atto: int) -> Decimal:
    """Exact dollars for as many of the unit as its price is quoted for."""
    return usd(atto * (MILLISECONDS if unit == "second" else UNITS[unit].per))


def quoted_noun(unit: str) -> str:
    """`Mtok`, `M characters`, `search`."""
    of = UNITS[unit]
    if of.noun == "token":
        return "Mtok"
    return of.noun if of.per == 1 else f"M {of.noun}s"


def dollars(amount: Decimal) -> str:
    """`$2.50`, `$0.000075`: every digit that is there, at least two after the point."""
    whole, _, fraction = f"{amount.normalize():f}".partition(".")
    return f"${whole}.{fraction:0<2}"
