"""What a call may cost, before it is sent: its prompt's estimate and its `max_tokens`, at the catalogue's price."""

from __future__ import annotations

from typing import NamedTuple

from gateway.core.limits import DEFAULT_OUTPUT_TOKENS, Ask
from pricing import Catalog
from pricing.card import Rate
from pricing.price import Price

BYTES_PER_TOKEN = 4
"""What the estimate of input tokens goes by. A token has a byte at least, so the input is at most so many times it."""
ATTO_PER_PICO = 1_000_000
PICO_PER_NANO = 1000
LONG_PROMPT = 100_000
"""From here on prices may have tiers: looked up for the call instead of remembered for the model."""
REMEMBER_US = 60_000_000
"""Prices change by date and by the hour of the day."""
_MOST_REMEMBERED = 10_000


Reservation = tuple[int, int]
"""Nano-dollars: what it reserves, and what it may cost beyond that: four times the input, and the longest answer of the
model where the request sets no maximum. Nothing can be said of a model that does not say how long its answers get: the
default then. Both 0 where there is no price: what cannot be priced cannot be held to a budget."""


class _Rates(NamedTuple):
    """Pico-dollars, rounded up: small numbers, for this runs for every call."""

    input: int
    output: int
    request: int
    longest: int
    until_us: int


class Estimator:
    """Remembers the rates of models for a minute."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[tuple[str, str], _Rates] = {}

    def use(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known.clear()

    def reservation(self, ask: Ask, now_us: int) -> Reservation:
        provider, model = ask.provider, ask.model
        if provider is None or model is None:
            return _NOTHING
        rates = self._known.get((provider, model))
        tokens = ask.input_tokens
        if rates is None or rates[4] <= now_us or tokens > LONG_PROMPT:
            rates = self._look_up(provider, model, tokens, now_us)
        each_input, each_output, fee, longest, _ = rates
        output = ask.max_output_tokens
        beyond = 0
        if output is None:
            output = DEFAULT_OUTPUT_TOKENS
            if longest > output:
                beyond = (longest - output) * each_output
        given = tokens * each_input
        amount = (given + output * each_output + fee) // PICO_PER_NANO
        return amount, ((BYTES_PER_TOKEN - 1) * given + beyond) // PICO_PER_NANO

    def _look_up(self, provider: str, model: str, input_tokens: int, now_us: int) -> _Rates:
        price = self._catalog.find(provider, model, now_us)
        rates = _rates(price, input_tokens, now_us + REMEMBER_US)
        if input_tokens <= LONG_PROMPT:
            if len(self._known) >= _MOST_REMEMBERED:  # names come from the wire
                self._known.clear()
            self._known[provider, model] = rates
        return rates


def _rates(price: Price | None, input_tokens: int, until_us: int) -> _Rates:
    if price is None:
        return _Rates(0, 0, 0, 0, until_us)
    situation = price.card.situation(None, input_tokens)
    given, made, fee = situation["input"], situation[price.card.plain_output], situation["request"]
    return _Rates(
        _pico(given),
        _pico(made),
        _pico(fee),
        price.max_output_tokens or 0,
        until_us,
    )


def _pico(rate: Rate | None) -> int:
    return -(-rate.atto // ATTO_PER_PICO) if rate is not None else 0


_NOTHING = (0, 0)
