"""Prices of one's own, as the configuration states them.

An override with any token price is the whole token price of its model; one that only states fees (per search, per
request, per image …) is put over the catalogue's. Dollars are taken as the decimals they are written as.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import NamedTuple

from pricing.card import RateCard, RateKey
from pricing.money import atto
from pricing.price import MILLISECONDS
from pricing.units import TOKEN_UNITS, UNITS

_MTOK = 1_000_000
_SCALES = {"_per_mtok": _MTOK, "_per_1k": 1000}
_FEES = {
    "per_request": "request",
    "per_image": "image",
    "per_second": "second",
    "per_search": "web_search",
    "per_file_search": "file_search",
    "per_code_session": "code_session",
    "per_query": "query",
    "per_page": "page",
    "per_character": "character",
}
_OTHER_FIELDS = {"batch_discount", "tiers", "valid_from"}
_MICROSECONDS = 1_000_000


class Override(NamedTuple):
    """One price of one's own. Holds from `valid_from_us` on; None: always."""

    key: str
    """`model` or `provider/model`, as configured."""
    card: RateCard
    valid_from: str | None
    valid_from_us: int | None
    digest: str
    """Tells two prices of one model apart, whatever their dates."""

    @property
    def price_id(self) -> str:
        return f"{self.key}@{self.valid_from or 'override'}.{self.digest}"


Terms = Mapping[str, object]
"""The fields of `gateway.settings.PriceOverride` as builtins; None is not stated."""


def read_overrides(overrides: Mapping[str, Terms | Sequence[Terms]]) -> dict[str, tuple[Override, ...]]:
    """By model, oldest first. Raises ValueError with the setting's path and the way out."""
    return {name: _dated(name, stated) for name, stated in overrides.items()}


def _dated(name: str, stated: Terms | Sequence[Terms]) -> tuple[Override, ...]:
    path = f"prices.overrides.{name}"
    if isinstance(stated, Mapping):
        return (_override(name, path, stated),)
    found = [_override(name, f"{path}[{index}]", terms) for index, terms in enumerate(stated)]
    found.sort(key=lambda override: (override.valid_from_us is not None, override.valid_from_us or 0))
    for earlier, later in pairwise(found):
        if earlier.valid_from_us == later.valid_from_us:
            when = f"from {later.valid_from}" if later.valid_from else "without valid_from"
            raise ValueError(f"{path}: two prices {when}; give each its own valid_from")
    return tuple(found)


def _override(name: str, path: str, terms: Terms) -> Override:
    stated = {field: value for field, value in terms.items() if value is not None and value != []}
    rates = _rates(path, stated, above_tokens=0)
    for index, tier in enumerate(_tiers(path, stated)):
        rates.update(_tier_rates(f"{path}.tiers[{index}]", tier))
    if not rates:
        raise ValueError(f"{path}: states no price; give it input_per_mtok and output_per_mtok, or a per_… price")
    if "batch_discount" in stated:
        rates.update(_batch_rates(rates, 1 - _decimal(f"{path}.batch_discount", stated["batch_discount"])))
    valid_from, valid_from_us = _valid_from(path, stated.get("valid_from"))
    units = {key.unit for key in rates}
    card = RateCard(
        rates,
        input_only=not any(UNITS[unit].side == "output" for unit in units),
        plain_output=next((unit for unit in ("output", "image_output", "audio_output") if unit in units), "output"),
    )
    digest = hashlib.sha256(repr(sorted(rates.items())).encode()).hexdigest()[:8]
    return Override(name, card, valid_from, valid_from_us, digest)


def _rates(path: str, stated: Terms, *, above_tokens: int) -> dict[RateKey, int]:
    rates: dict[RateKey, int] = {}
    said: dict[str, str] = {}
    for field, value in stated.items():
        if field in _OTHER_FIELDS:
            continue
        unit, scale = _unit(path, field)
        if unit in said:
            raise ValueError(f"{path}: both {said[unit]} and {field}; state the price of {unit} once")
        said[unit] = field
        rates[RateKey(unit, above_tokens=above_tokens)] = atto(_decimal(f"{path}.{field}", value) / scale)
    return rates


def _unit(path: str, field: str) -> tuple[str, int]:
    if field in _FEES:
        unit = _FEES[field]
        return unit, MILLISECONDS if unit == "second" else 1
    for ending, scale in _SCALES.items():
        unit = field.removesuffix(ending)
        if unit != field and unit in TOKEN_UNITS:
            return unit, scale
    known = ", ".join((*_FEES, "input_per_mtok", "output_per_mtok", "input_per_1k"))
    raise ValueError(f"{path}.{field}: no such price; prices are {known}, …")


def _tiers(path: str, stated: Terms) -> Iterator[Terms]:
    tiers = stated.get("tiers", [])
    if not isinstance(tiers, Sequence):
        raise ValueError(f"{path}.tiers: must be a list")  # noqa: TRY004  a wrong value in a file, for its reader
    yield from tiers


def _tier_rates(path: str, tier: Terms) -> dict[RateKey, int]:
    above = tier.get("above_tokens")
    if not isinstance(above, int) or above < 1:
        raise ValueError(f"{path}.above_tokens: must be a whole number above 0, is {above!r}")
    prices = {field: value for field, value in tier.items() if field != "above_tokens" and value is not None}
    return _rates(path, prices, above_tokens=above)


def _batch_rates(rates: Mapping[RateKey, int], share: Decimal) -> dict[RateKey, int]:
    return {
        key._replace(tier="batch"): int((rate * share).to_integral_value())
        for key, rate in rates.items()
        if key.unit in TOKEN_UNITS
    }


def _decimal(path: str, value: object) -> Decimal:
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        raise ValueError(f"{path}: must be a number, is {value!r}") from None
    if not number.is_finite() or number < 0:
        raise ValueError(f"{path}: must be a number of dollars from 0 up, is {value!r}")
    return number


def _valid_from(path: str, value: object) -> tuple[str | None, int | None]:
    if value is None:
        return None, None
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{path}.valid_from: must be a date such as 2026-11-01, is {value!r}") from None
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return day.isoformat(), int(start.timestamp()) * _MICROSECONDS
