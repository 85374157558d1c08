"""One call's bill over all that it is paid at: the model that answered, and others that worked for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pricing.price import Cost, Price
from pricing.usage import Billed, Usage

if TYPE_CHECKING:
    from pricing.catalog import Catalog


HIGH_RES = "1024p"
"""OpenAI's larger size of videos, as a tier."""


def billed(
    catalog: Catalog,
    provider: str,
    model: str,
    usage: Usage | None,
    service_tier: str | None,
    also: Sequence[Billed],
    at_us: int,
) -> tuple[Price, Cost] | None:
    """The price of the model and what the call cost in all. None where any part of it has no price.

    A model whose every rate is 0 costs nothing, counted or not.
    """
    price = _price(catalog, provider, model, usage, service_tier, at_us)
    if price is None:
        return None
    free = Cost(0, 0, 0) if price.card.is_free else None
    cost = free if usage is None else price.cost(usage, service_tier)
    if cost is None or not also:
        return None if cost is None else (price, cost)
    total, inputs, outputs = cost.total_nanousd, cost.input_nanousd, cost.output_nanousd
    for part in also:
        other = catalog.find(provider, part.model, at_us)
        more = other.cost(part.usage, part.service_tier) if other is not None else None
        if more is None:
            return None
        total += more.total_nanousd
        inputs += more.input_nanousd
        outputs += more.output_nanousd
    return price, Cost(total, inputs, outputs)


def _price(
    catalog: Catalog, provider: str, model: str, usage: Usage | None, service_tier: str | None, at_us: int
) -> Price | None:
    """What no tokens were counted for may be listed by its size, which is in the tier: images by quality and size
    (`hd/1024-x-1792/dall-e-3`), OpenAI's larger videos under a name of their own (`sora-2-pro-high-res`)."""
    if usage is not None and service_tier and usage.total_tokens is None:
        variants: tuple[str, ...] = ()
        if usage.images and service_tier[-1].isdigit():
            quality, _, size = service_tier.rpartition("/")
            sized = f"{size.replace('x', '-x-')}/{model}"
            variants = (f"{quality or 'standard'}/{sized}", sized)
        elif usage.audio_seconds and service_tier == HIGH_RES:
            variants = (f"{model}-high-res",)
        for variant in variants:
            price = catalog.find(provider, variant, at_us)
            if price is not None:
                return price
    return catalog.find(provider, model, at_us)
