"""An entry of litellm's price file as a rate card.

The file names a rate by joining what it is for, a size and a tier, the last two in either order:
`cache_read_input_token_cost_above_272k_tokens_priority`. Rates are dollars per single unit. A few things are said in
fields of other shapes: `tiered_pricing`, `search_context_cost_per_query`, `off_peak_pricing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from pricing.card import STANDARD, RateCard, RateKey, tier_name, without_repeats
from pricing.money import atto
from pricing.price import MILLISECONDS
from pricing.units import TOKEN_UNITS

Entry = Mapping[str, object]
"""Numbers are Decimal or int, as `decode` makes them."""

_UNIT_OF_FIELD = {
    "input_cost_per_token": "input",
    "input_cost_per_token_cache_hit": "cached_input",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "audio_input",
    "cache_read_input_audio_token_cost": "cached_audio_input",
    "input_cost_per_image_token": "image_input",
    "input_cost_per_video_token": "video_input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
    "output_cost_per_image_token": "image_output",
    "input_cost_per_query": "query",
    "input_cost_per_request": "request",
    "ocr_cost_per_page": "page",
    "code_interpreter_cost_per_session": "code_session",
}
"""Where two fields mean the same, the later one of this table wins."""

_FIELD = re.compile(
    rf"({'|'.join(sorted(_UNIT_OF_FIELD, key=len, reverse=True))})"
    r"(?:_(?P<early>[a-z]+))??(?:_above_(?P<size>\d+)(?P<kilo>k?)_tokens)?(?:_(?P<tier>[a-z]+))?"
)

_PER_SECOND = {
    "audio_transcription": ("input_cost_per_second", "output_cost_per_second"),
    "audio_speech": ("output_cost_per_second", "input_cost_per_second"),
    "video_generation": ("output_cost_per_second", "output_cost_per_video_per_second"),
    "realtime": ("input_cost_per_second",),
    "embedding": ("input_cost_per_audio_per_second",),
}
_VIDEO_SIZE = re.compile(r"output_cost_per_second_(\d+p|[24]k)")
"""A video's price by its smaller side."""
_PER_IMAGE = {
    "image_generation": ("output_cost_per_image", "input_cost_per_image"),
    "image_edit": ("output_cost_per_image", "input_cost_per_image"),
    "chat": ("output_cost_per_image",),
    "embedding": ("input_cost_per_image",),
}
_PER_CHARACTER = ("input_cost_per_character", "output_cost_per_character")
"""Of these fields the first one above zero is the rate: the file repeats a rate in both, or leaves one at 0. A chat
model's price per second is for rented capacity and no price of a call."""

_INPUT_ONLY_MODES = {"embedding", "rerank", "moderation"}
_PLAIN_OUTPUT = {"audio_speech": "audio_output", "image_generation": "image_output", "image_edit": "image_output"}

_decoder = msgspec.json.Decoder(dict[str, object], float_hook=Decimal)


def decode(raw: bytes | msgspec.Raw) -> dict[str, object]:
    """An entry with exact numbers. Raises msgspec.DecodeError or ValidationError where it is not an object."""
    return _decoder.decode(raw)


def card_of(entry: Entry) -> RateCard:
    """The rate card of an entry; empty where it states no price that a call can have."""
    mode = entry.get("mode")
    rates: dict[RateKey, int] = {}
    for key, value in _token_rates(entry):
        rates[key] = atto(value)
    for key, value in _ranges(entry):
        rates[key] = atto(value)
    rates.update(_measures(entry, str(mode)))
    search = _search(entry)
    if search is not None:
        rates[RateKey("web_search")] = atto(search)
    _drop_placeholders(rates)
    rates = without_repeats(rates)
    plain = _PLAIN_OUTPUT.get(str(mode), "output")
    return RateCard(
        rates,
        input_only=mode in _INPUT_ONLY_MODES,
        plain_output=plain if RateKey(plain) in rates else "output",
        searches_per_request=_searches_per_request(entry),
        factors=_factors(entry),
    )


def _factors(entry: Entry) -> dict[str, Decimal | None]:
    """What Anthropic multiplies its prices by: for its fast mode, and for staying in a country. A model without a
    stated factor costs more when it is fast, nobody says how much; where it stays costs nothing then."""
    if entry.get("litellm_provider") != "anthropic" or entry.get("mode") != "chat":
        return {}
    stated = entry.get("provider_specific_entry")
    factors: dict[str, Decimal | None] = {"fast": None}
    for word, value in stated.items() if isinstance(stated, dict) else ():
        if isinstance(value, Decimal | int) and value > 0:
            factors[word] = Decimal(value)
    return factors


def _token_rates(entry: Entry) -> Iterator[tuple[RateKey, Decimal | int]]:
    found: dict[RateKey, tuple[int, Decimal | int]] = {}
    ranks = {field: rank for rank, field in enumerate(_UNIT_OF_FIELD)}
    for field, value in entry.items():
        match = _FIELD.fullmatch(field)
        if match is None or not isinstance(value, Decimal | int):
            continue
        size = int(match["size"] or 0) * (1000 if match["kilo"] else 1)
        key = RateKey(_UNIT_OF_FIELD[match[1]], tier_name(match["early"] or match["tier"]), size)
        rank = ranks[match[1]]
        if key not in found or found[key][0] < rank:
            found[key] = (rank, value)
    return ((key, value) for key, (_, value) in found.items())


def _ranges(entry: Entry) -> Iterator[tuple[RateKey, Decimal | int]]:
    """`tiered_pricing`: [{range: [32000, 128000], input_cost_per_token: …}, …], by the request's input tokens."""
    steps = entry.get("tiered_pricing")
    for step in steps if isinstance(steps, list) else []:
        bounds = step.get("range")
        if isinstance(bounds, list) and bounds:
            for key, value in _token_rates(step):
                yield key._replace(above_tokens=int(bounds[0])), value


def _measures(entry: Entry, mode: str) -> dict[RateKey, int]:
    rates: dict[RateKey, int] = {}
    for unit, fields in (
        ("second", _PER_SECOND.get(mode, ())),
        ("image", _PER_IMAGE.get(mode, ())),
        ("character", _PER_CHARACTER),
    ):
        stated = [value for value in map(entry.get, fields) if isinstance(value, Decimal | int)]
        if stated:
            rate = next((value for value in stated if value), stated[0])
            rates[RateKey(unit)] = atto(Decimal(rate) / MILLISECONDS if unit == "second" else rate)
    for field, value in entry.items():
        size = _VIDEO_SIZE.fullmatch(field)
        if size is not None and isinstance(value, Decimal | int):
            rates[RateKey("second", size[1])] = atto(Decimal(value) / MILLISECONDS)
    return rates


def _search(entry: Entry) -> Decimal | int | None:
    """Dollars per web search with a medium context, which is what providers search with unless told otherwise."""
    by_size = entry.get("search_context_cost_per_query")
    value = by_size.get("search_context_size_medium") if isinstance(by_size, dict) else None
    return value if isinstance(value, Decimal | int) else None


def _searches_per_request(entry: Entry) -> bool:
    """Gemini before version 3 bills a grounded request once; Perplexity's request fee is for all its searches."""
    owner = str(entry.get("litellm_provider"))
    if owner == "gemini" or owner.startswith("vertex_ai"):
        google = "anthropic" not in owner
        return google and entry.get("web_search_billing_unit") != "per_query"
    return owner == "perplexity" and "citation_cost_per_token" not in entry


def _drop_placeholders(rates: dict[RateKey, int]) -> None:
    """Removes zeros that stand for "not priced this way".

    A reranker priced by the query has token rates of 0. Cache writes "at 0" beside paid input, as of providers that
    cache by themselves, mean that a write costs no more than the input it is.
    """
    token_keys = [key for key in rates if key.unit in TOKEN_UNITS]
    otherwise = any(rate for key, rate in rates.items() if key.unit not in TOKEN_UNITS and key.unit != "web_search")
    if otherwise and not any(rates[key] for key in token_keys):
        for key in token_keys:
            del rates[key]
    if rates.get(RateKey("input")):
        for key in token_keys:
            if key.unit == "cache_write" and rates.get(key) == 0:
                del rates[key]


def off_peak_rates(terms: Mapping[str, object]) -> dict[RateKey, int]:
    """The standard rates that `off_peak_pricing` replaces within its hours."""
    return {key: atto(value) for key, value in _token_rates(terms) if key.tier == STANDARD}
