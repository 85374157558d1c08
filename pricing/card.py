"""The rate card: every rate of a model, by unit, service tier and size of the request."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from pricing.money import round_half_even
from pricing.units import TOKEN_UNITS, UNITS

STANDARD = ""
"""The tier of a call without a service tier, and of the words for it."""

_TIER_WORDS = {
    "": STANDARD,
    "auto": STANDARD,
    "default": STANDARD,
    "standard": STANDARD,
    "on_demand": STANDARD,
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
    "batches": "batch",
}

_STANDARD_WORDS = frozenset([None, *(word for word, tier in _TIER_WORDS.items() if tier == STANDARD)])
"""So that the usual word costs one look."""
_NO_LIMIT = 1 << 62


def tier_name(service_tier: str | None) -> str:
    """A provider's word for what it billed, as the card calls it. One that no card knows finds the standard rates.

    Several hold together where `+` joins them: `standard+us` is `us`.
    """
    if service_tier is None:
        return STANDARD
    words = (_TIER_WORDS.get(word, word) for word in service_tier.lower().split("+"))
    return "+".join(word for word in words if word)


class RateKey(NamedTuple):
    unit: str
    tier: str = STANDARD
    above_tokens: int = 0
    """For requests with more input tokens than this: the whole request, not the excess."""


class Rate(NamedTuple):
    """A rate found for a unit: `key` says under which heading."""

    atto: int
    """Atto-dollars per unit; per millisecond for `second`."""
    key: RateKey


Rates = Mapping[str, Rate | None]
"""What every unit costs in one situation; None where there is no price."""


class RateCard:
    """Rates as they were published, and what follows from them in a given situation.

    A unit without a rate of its own has the rate of the unit it is a part of (cached input that of input, reasoning
    that of output). A tier or size without a rate of its own has the standard one; a tier that has a rate for ordinary
    sizes, but none for a larger one, has that of the larger size in the same proportion.
    """

    __slots__ = (
        "_resolved",
        "_smallest_limit",
        "_thresholds",
        "by_token",
        "factors",
        "input_only",
        "is_free",
        "plain_output",
        "rates",
        "searches_always",
        "searches_per_request",
        "standard",
    )

    def __init__(
        self,
        rates: Mapping[RateKey, int],
        *,
        input_only: bool = False,
        plain_output: str = "output",
        searches_per_request: bool = False,
        searches_always: bool = False,
        factors: Mapping[str, Decimal | None] | None = None,
    ) -> None:
        self.rates = dict(rates)
        self.factors = dict(factors or {})
        """Words of a tier that multiply the rate of every token, whatever else holds; None is a factor nobody knows."""
        self.input_only = input_only
        """Nothing is generated (embeddings, rerankings): a total alone is the input."""
        self.plain_output = plain_output
        """The unit of output tokens whose modality was not reported."""
        self.searches_per_request = searches_per_request
        """One price for a request that searches, however many searches it makes."""
        self.searches_always = searches_always
        """Every request searches, though it does not say so."""
        self.by_token = any(key.unit in TOKEN_UNITS for key in self.rates)
        self.is_free = bool(self.rates) and not any(self.rates.values())
        """Nothing that it could be paid for costs anything."""
        self._thresholds = tuple(sorted({key.above_tokens for key in self.rates}, reverse=True)) or (0,)
        self._smallest_limit = min((limit for limit in self._thresholds if limit), default=_NO_LIMIT)
        self._resolved: dict[tuple[str, int], Rates] = {}
        self.standard = self._resolve(STANDARD, 0)
        """Rates of an ordinary call."""

    def situation(self, service_tier: str | None, input_tokens: int | None) -> Rates:
        """The rates for a call of this tier and size."""
        tier = STANDARD if service_tier in _STANDARD_WORDS else tier_name(service_tier)
        size = 0
        if input_tokens is not None and input_tokens > self._smallest_limit:
            size = next((limit for limit in self._thresholds if input_tokens > limit), 0)
        if not size and not tier:
            return self.standard
        rates = self._resolved.get((tier, size))
        if rates is None:
            rates = self._resolve(tier, size)
            if len(self._resolved) < 64:  # the tier is a word from the wire: no more of them than a card can have
                self._resolved[tier, size] = rates
        return rates

    def _resolve(self, tier: str, size: int) -> Rates:
        words = tier.split("+") if self.factors else [tier]
        factors = [self.factors[word] for word in words if word in self.factors]
        plain = "+".join(word for word in words if word not in self.factors)
        rates = {name: self._find(name, plain, size) for name in UNITS}
        if not factors:
            return rates
        return {name: _multiplied(rate, factors, tier) if name in TOKEN_UNITS else rate for name, rate in rates.items()}

    def _find(self, unit: str, tier: str, size: int) -> Rate | None:
        sizes = [limit for limit in self._thresholds if 0 < limit <= size] + [0]
        for name in (unit, *UNITS[unit].rated_as):
            for limit in sizes:
                found = self._stated(name, tier, limit)
                if found is not None:
                    return found
        return None

    def _stated(self, unit: str, tier: str, limit: int) -> Rate | None:
        """A rate of this size. A tier that has one for ordinary sizes only takes off the same share of larger ones."""
        key, standard = RateKey(unit, tier, limit), RateKey(unit, STANDARD, limit)
        if key in self.rates:
            return Rate(self.rates[key], key)
        rate = self.rates.get(standard)
        if rate is None:
            return None
        share = self.rates.get(RateKey(unit, tier)), self.rates.get(RateKey(unit))
        if not limit or share[0] is None or not share[1]:
            return Rate(rate, standard)
        return Rate(round_half_even(rate * share[0], share[1]), key)

    def with_rates(self, rates: Mapping[RateKey, int], *, searches_always: bool = False) -> RateCard:
        """This card with other rates put over its own."""
        return RateCard(
            {**self.rates, **rates},
            input_only=self.input_only,
            plain_output=self.plain_output,
            searches_per_request=self.searches_per_request and RateKey("web_search") not in rates,
            searches_always=self.searches_always or searches_always,
            factors=self.factors,
        )


def _multiplied(rate: Rate | None, factors: list[Decimal | None], tier: str) -> Rate | None:
    """None where a factor is not known."""
    if rate is None:
        return None
    product = Decimal(rate.atto)
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return Rate(int(product.to_integral_value(ROUND_HALF_EVEN)), rate.key._replace(tier=tier))


def without_repeats(rates: dict[RateKey, int]) -> dict[RateKey, int]:
    """The rates without those that only repeat what follows without them.

    Price files state the standard rate of reasoning or image tokens even where it is that of all output. Kept, it
    would hide the output rate of other tiers and sizes, for which the file does not repeat it.
    """
    kept = dict(rates)
    stated = {key.unit for key in rates if key.tier or key.above_tokens}
    for unit in ("reasoning", "audio_input", "image_input", "video_input", "audio_output", "image_output"):
        key = RateKey(unit)
        if key not in kept or unit in stated:
            continue
        rate = kept.pop(key)
        parent = next((kept[RateKey(name)] for name in UNITS[unit].rated_as if RateKey(name) in kept), None)
        if parent != rate:
            kept[key] = rate
    return {key: rate for key, rate in rates.items() if key in kept}
