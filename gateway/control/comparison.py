"""Models, providers and versions side by side: what the Models page and `/api/models/usage` share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from gateway.control.pricing_sums import price_of
from gateway.store.base import Profile, SpanFilter, SpanReader, Totals

if TYPE_CHECKING:
    from pricing.catalog import Catalog
    from pricing.price import Price

DIMENSIONS = ("model", "provider", "provider_model", "prompt_version", "config", "variant")
"""What can be compared."""


class Compared(msgspec.Struct):
    profile: Profile
    served_as: list[str]
    """`PROVIDER/MODEL`, those with most calls first; empty for what is no model."""
    prices: list[Price]
    """Of those by the token, as they are in force; different ones only."""


async def compare(
    store: SpanReader, which: SpanFilter, by: str, catalog: Catalog, at_us: int, *, within: bool, limit: int = 100
) -> list[Compared]:
    """Costliest first. `within`: the reader must not learn of other calls than those of `which`, not even which
    providers serve a model. Raises ValueError for what cannot be compared."""
    if by not in DIMENSIONS:
        raise ValueError(f"{by!r} cannot be compared; {', '.join(DIMENSIONS)} can")
    profiles = await store.profiles(which, by, limit=limit)
    served = await _served(store, which, within=within) if by == "model" else {}
    compared = []
    for profile in profiles:
        key = profile.key
        names = [key] if by == "provider_model" and key else served.get(key or "", [])
        compared.append(Compared(profile, names, _prices(catalog, names, at_us)))
    return compared


def tokens_per_second(totals: Totals) -> float | None:
    """How fast streams wrote after their first token; None without streams."""
    return totals.generation_tokens * 1_000_000 / totals.generation_us if totals.generation_us else None


def error_rate(totals: Totals) -> float | None:
    """0 to 1, of what the client did not cancel; None without such calls."""
    counted = totals.requests - totals.cancelled
    return totals.errors / counted if counted > 0 else None


async def _served(store: SpanReader, which: SpanFilter, *, within: bool) -> dict[str, list[str]]:
    names: Iterable[str | None]
    if within:
        names = [group.key for group in await store.groups(which, "provider_model")]
    else:
        names = [value.value for value in await store.field_values("provider_model", limit=1000)]
    served: dict[str, list[str]] = {}
    for name in names:
        if name:
            served.setdefault(name.partition("/")[2], []).append(name)
    return served


def _prices(catalog: Catalog, names: Iterable[str], at_us: int) -> list[Price]:
    found: dict[tuple[object, ...], Price] = {}
    for name in names:
        price = price_of(catalog, name, at_us)
        if price is not None:
            found.setdefault(tuple(sorted(price.card.rates.items())), price)
    return list(found.values())
