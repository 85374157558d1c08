"""The catalogue: from provider, model and moment to the price that holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from pricing.card import RateCard
from pricing.edition import Edition, current_edition
from pricing.entry import Entry, card_of, decode, off_peak_rates
from pricing.fees import with_fees
from pricing.history import Was, iso_date, iso_time
from pricing.names import Naming, keys, naming, public_name, spellings
from pricing.offpeak import OffPeak, off_peak
from pricing.override import Override, Terms, read_overrides
from pricing.price import Price

Key = TypeVar("Key")
Value = TypeVar("Value")

_MEMO_LIMIT = 4096
"""Names come from the wire; a flood of invented ones must not fill the memory."""


class Period(NamedTuple):
    """A price and its cheaper hours. `price.valid_from_us` to `price.valid_to_us`, open where None."""

    price: Price
    cheap_hours: OffPeak | None = None
    cheap: Price | None = None


class _Head(msgspec.Struct):
    """What is needed of an entry to list it."""

    litellm_provider: str | None = None
    mode: str | None = None


_head = msgspec.json.Decoder(_Head)

_NO_MODELS = {None, "search", "vector_store", "guardrail"}
"""Modes of entries that are services beside models."""


class Catalog:
    """Immutable but for what it remembers; replaced whole on a reload."""

    __slots__ = ("_claims", "_edition", "_found", "_listed", "_overrides", "problem", "source")

    def __init__(self, edition: Edition, overrides: Mapping[str, tuple[Override, ...]]) -> None:
        self._edition = edition
        self._overrides = overrides
        self._found: dict[tuple[str, str], tuple[Period, ...]] = {}
        self._claims: dict[tuple[str, tuple[str, ...]], str | None] = {}
        self._listed: dict[str, list[str]] = {}
        self.source = edition.source
        """Where the price file came from, for people."""
        self.problem = edition.problem
        """What is wrong with the price file of the data folder; None where nothing is."""

    @classmethod
    def load(
        cls, refreshed: Path | None = None, overrides: Mapping[str, Terms | Sequence[Terms]] | None = None
    ) -> Catalog:
        """`refreshed` is `prices.json` of the data folder, beside which its history lies; it need not exist.

        `overrides` is `prices.overrides` of the settings as builtins. Raises ValueError for one that is wrong.
        """
        return cls(current_edition(refreshed), read_overrides(overrides or {}))

    def find(self, provider: str, model: str, at_us: int | None = None) -> Price | None:
        """The price of the model that answered at that moment; None where it is not known.

        Without a moment, the price in force outside of cheaper hours.
        """
        periods = self._found.get((provider, model))
        if periods is None:
            periods = _remember(self._found, (provider, model), self.periods(provider, model))
        for price, cheap_hours, cheap in reversed(periods):
            if at_us is None:
                return price if price.valid_to_us is None else None
            if price.valid_from_us is None or price.valid_from_us <= at_us:
                if price.valid_to_us is not None and price.valid_to_us <= at_us:
                    return None
                return cheap if cheap_hours is not None and cheap_hours.covers(at_us) else price
        return None

    def periods(self, provider: str, model: str) -> tuple[Period, ...]:
        """Every price the model has had, oldest first."""
        listed = self._listed_periods(provider, model)
        overrides = self._overrides_of(provider, model)
        if not overrides:
            return listed
        return _overlaid(listed, overrides, provider, model)

    def claims(self, model: str, providers: Iterable[str]) -> str | None:
        """The first of the providers that has a model of this name: who serves a name without a prefix."""
        of = tuple(providers)
        if (model, of) not in self._claims:
            found = next((provider for provider in of if self._serves(provider, model)), None)
            return _remember(self._claims, (model, of), found)
        return self._claims[model, of]

    def models(self, provider: str) -> list[str]:
        """The provider's models by its own names, sorted, own overrides of `provider/…` included."""
        if provider not in self._listed:
            of = naming(provider)
            names = {
                name
                for key, raw in self._edition.entries.items()
                if (name := public_name(key, of)) and _is_model(_head.decode(raw), of)
            }
            names.update(key.partition("/")[2] for key in self._overrides if key.startswith(f"{provider}/"))
            self._listed[provider] = sorted(names)
        return list(self._listed[provider])

    def __len__(self) -> int:
        return len(self._edition.entries)

    def _serves(self, provider: str, model: str) -> bool:
        return f"{provider}/{model}" in self._overrides or bool(self._listed_periods(provider, model))

    def _overrides_of(self, provider: str, model: str) -> tuple[Override, ...]:
        for name in spellings(model, naming(provider)):
            found = self._overrides.get(f"{provider}/{name}") or self._overrides.get(name)
            if found:
                return found
        return ()

    def _listed_periods(self, provider: str, model: str) -> tuple[Period, ...]:
        """From the price file and its history; empty where neither has the model."""
        of = naming(provider)
        for key in keys(model, of):
            current = self._edition.entries.get(key)
            past = self._edition.history.past.get(key, ())
            if current is None and not any(was.listed for was in past):
                continue
            latest = decode(current) if current is not None else decode(_last_listed(past))
            if of.owns(latest.get("litellm_provider")):
                return self._timeline(key, provider, model, past, latest if current is not None else None)
        return ()

    def _timeline(
        self, key: str, provider: str, model: str, past: Sequence[Was], current: Entry | None
    ) -> tuple[Period, ...]:
        """Before it was first listed a model has its first known price; between removal and return it has none."""
        periods: list[Period] = []
        since: int | None = None
        ids: set[str] = set()
        for was in past:
            if was.listed:
                price_id = self._price_id(key, since, ids)
                periods.append(_period(price_id, key, provider, model, decode(was.entry), since, was.until_us))
                since = was.until_us
            elif periods:
                since = was.until_us
        if current is not None:
            known_since = past[-1].until_us if past else None
            price_id = self._price_id(key, known_since, ids)
            periods.append(_period(price_id, key, provider, model, current, since, None))
        return tuple(periods)

    def _price_id(self, key: str, since: int | None, taken: set[str]) -> str:
        """`gpt-4o@2026-11-20`: the day it was first seen; with the time where it changed twice on that day."""
        price_id = f"{key}@{self._edition.stamp if since is None else iso_date(since)}"
        if price_id in taken and since is not None:
            price_id = f"{key}@{iso_time(since)}"
        taken.add(price_id)
        return price_id


def _is_model(head: _Head, of: Naming) -> bool:
    return head.mode not in _NO_MODELS and of.owns(head.litellm_provider)


def _last_listed(past: Sequence[Was]) -> msgspec.Raw:
    return next(was.entry for was in reversed(past) if was.listed)


def _period(
    price_id: str, key: str, provider: str, model: str, entry: Entry, from_us: int | None, to_us: int | None
) -> Period:
    card = with_fees(card_of(entry), entry.get("litellm_provider"), entry.get("mode"), key)

    def price(price_id: str, card: RateCard) -> Price:
        return Price(
            price_id=price_id,
            provider=provider,
            model=model,
            key=key,
            source="catalog",
            card=card,
            mode=_text(entry.get("mode")),
            context_window=_count(entry.get("max_input_tokens") or entry.get("max_tokens")),
            max_output_tokens=_count(entry.get("max_output_tokens")),
            origin=_text(entry.get("source")),
            valid_from=None if from_us is None else iso_date(from_us),
            valid_from_us=from_us,
            valid_to_us=to_us,
        )

    terms = entry.get("off_peak_pricing")
    if not isinstance(terms, dict):
        return Period(price(price_id, card))
    cheap = card.with_rates(off_peak_rates(terms))
    return Period(price(price_id, card), off_peak(terms), price(f"{price_id}+off-peak", cheap))


def _overlaid(listed: Sequence[Period], overrides: Sequence[Override], provider: str, model: str) -> tuple[Period, ...]:
    """The listed prices with one's own over them, each from its date to the next one's."""
    starts = [override.valid_from_us for override in overrides]
    periods = [] if starts[0] is None else _between(listed, None, starts[0])
    for override, start, end in zip(overrides, starts, [*starts[1:], None], strict=True):
        under = _between(listed, start, end)
        if override.card.by_token or not under:
            periods.append(Period(_own_price(override, provider, model, listed, end)))
        else:
            periods += [Period(_with_own_fees(period.price, override)) for period in under]
    return tuple(periods)


def _between(periods: Sequence[Period], from_us: int | None, to_us: int | None) -> list[Period]:
    """The periods, cut to `[from_us, to_us)`."""
    cut = []
    for price, cheap_hours, cheap in periods:
        begin = max((at for at in (price.valid_from_us, from_us) if at is not None), default=None)
        end = min((at for at in (price.valid_to_us, to_us) if at is not None), default=None)
        if begin is None or end is None or begin < end:
            since = None if begin is None else iso_date(begin)
            span = {"valid_from": since, "valid_from_us": begin, "valid_to_us": end}
            cut.append(Period(replace(price, **span), cheap_hours, replace(cheap, **span) if cheap else None))
    return cut


def _own_price(override: Override, provider: str, model: str, listed: Sequence[Period], to_us: int | None) -> Price:
    known = listed[-1].price if listed else None
    return Price(
        price_id=override.price_id,
        provider=provider,
        model=model,
        key=override.key,
        source="override",
        card=override.card,
        mode=known.mode if known else None,
        context_window=known.context_window if known else None,
        max_output_tokens=known.max_output_tokens if known else None,
        valid_from=override.valid_from,
        valid_from_us=override.valid_from_us,
        valid_to_us=to_us,
    )


def _with_own_fees(price: Price, override: Override) -> Price:
    return replace(
        price,
        price_id=f"{price.price_id}+{override.price_id}",
        source="override",
        card=price.card.with_rates(override.card.rates),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | Decimal) else None


def _remember(memo: dict[Key, Value], key: Key, value: Value) -> Value:
    if len(memo) >= _MEMO_LIMIT:
        memo.clear()
    memo[key] = value
    return value
