"""What sums of tokens cost, or would cost, at the prices of the catalogue: savings by prompt caches, and what-if.

A sum has no size and no service tier of its own, so the standard rates are taken: where a model is dearer for long
requests or cheaper in a batch, the figure is near, not exact. It is never mixed into what was booked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from gateway.store.base import Group, Totals
from pricing.price import Price
from pricing.units import input_parts, output_parts
from pricing.usage import Usage

if TYPE_CHECKING:
    from pricing.catalog import Catalog

ATTO_PER_NANO = 10**9


class CacheSavings(msgspec.Struct, frozen=True):
    """`saved_nanousd` is negative where cache writes cost more than cache reads saved."""

    saved_nanousd: int
    without_price: int
    """Calls with cached input whose model has no price: not in the sum."""


class WhatIf(msgspec.Struct, frozen=True):
    """The traffic of one model at another one's prices. Tokens are taken as they were counted: another model's
    tokenizer makes more or fewer of the same text."""

    source: str
    """`PROVIDER/MODEL`"""
    target: str
    requests: int
    cost_nanousd: int
    """As booked."""
    would_cost_nanousd: int

    @property
    def difference_nanousd(self) -> int:
        return self.would_cost_nanousd - self.cost_nanousd


def price_of(catalog: Catalog, name: str | None, at_us: int) -> Price | None:
    """Of `PROVIDER/MODEL`; None where there is none, or none by the token."""
    provider, slash, model = (name or "").partition("/")
    price = catalog.find(provider, model, at_us) if slash else None
    return price if price is not None and price.card.by_token else None


def cache_savings(groups: Iterable[Group], catalog: Catalog, at_us: int) -> CacheSavings:
    """What cached input, read and written, would have cost as plain input, less what it costs. `groups` are by
    `provider_model`; prices are those in force at `at_us`."""
    saved, without_price = 0, 0
    for group in groups:
        totals = group.totals
        if not totals.cached_input_tokens and not totals.cache_write_tokens:
            continue
        price = price_of(catalog, group.key, at_us)
        atto = None if price is None else _input_atto(totals, price)
        if price is None or atto is None:
            without_price += totals.requests
            continue
        rate = price.card.standard["input"]
        saved += (totals.input_tokens * rate[0] if rate is not None else 0) - atto
    return CacheSavings(round(saved / ATTO_PER_NANO), without_price)


def at_prices_of(totals: Totals, price: Price) -> int | None:
    """Nano-dollars; None where the price lacks a rate that is needed."""
    inputs = _input_atto(totals, price)
    outputs = 0
    if not price.card.input_only:
        usage = Usage(output_tokens=totals.output_tokens, reasoning_tokens=totals.reasoning_tokens)
        found = _atto(output_parts(usage, price.card.plain_output), price)
        if found is None:
            return None
        outputs = found
    if inputs is None:
        return None
    fee = price.card.standard["request"]
    return (inputs + outputs + (fee[0] * totals.requests if fee is not None else 0)) // ATTO_PER_NANO


def what_if(group: Group, target: str, catalog: Catalog, at_us: int) -> WhatIf | None:
    """None where the target has no price by the token, or the group none that was booked."""
    price = price_of(catalog, target, at_us)
    would = at_prices_of(group.totals, price) if price is not None else None
    if would is None or group.key is None:
        return None
    return WhatIf(group.key, target, group.totals.requests, group.totals.cost_nanousd, would)


def cheaper(groups: list[Group], catalog: Catalog, at_us: int, *, most: int = 5) -> list[WhatIf]:
    """The moves between models that are in use which would save most, one for each model."""
    chat = [group for group in groups if group.key and group.totals.output_tokens]
    best = []
    for group in chat:
        moves = [what_if(group, str(other.key), catalog, at_us) for other in chat if other.key != group.key]
        saving = [move for move in moves if move is not None and move.difference_nanousd < 0]
        if saving:
            best.append(min(saving, key=lambda move: move.difference_nanousd))
    return sorted(best, key=lambda move: move.difference_nanousd)[:most]


def _input_atto(totals: Totals, price: Price) -> int | None:
    usage = Usage(
        input_tokens=totals.input_tokens,
        cached_input_tokens=totals.cached_input_tokens,
        cache_write_tokens=totals.cache_write_tokens,
    )
    return _atto(input_parts(usage), price)


def _atto(parts: Iterable[tuple[str, int]], price: Price) -> int | None:
    rates = price.card.standard
    amount = 0
    for unit, quantity in parts:
        if quantity:
            rate = rates[unit]
            if rate is None:
                return None
            amount += quantity * rate[0]
    return amount
