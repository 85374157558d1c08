"""What is charged for, and how overlapping counts become disjoint parts.

A provider reports a whole ("1000 input tokens") and parts of it ("800 of them from the cache, 50 of them audio").
Prices are per part, so the parts must not overlap and must add up to the whole. The functions here are pure and
forgiving: a part larger than what is left of its whole is cut to it, negative counts are zero, nothing is invented.
"""

from __future__ import annotations

from typing import NamedTuple

from pricing.usage import Usage


class Unit(NamedTuple):
    """One thing with a price. `per` is how its price is usually quoted: per 1,000,000 tokens, per 1 image."""

    name: str
    side: str
    """`input`, `output` or `fee` (billed beside the tokens: a web search, a request)."""
    noun: str
    per: int = 1
    rated_as: tuple[str, ...] = ()
    """Units whose rate it has where it has none of its own, nearest first."""


_MTOK = 1_000_000

UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("input", "input", "token", _MTOK),
        Unit("cached_input", "input", "token", _MTOK, ("input",)),
        Unit("cache_write", "input", "token", _MTOK, ("input",)),
        Unit("cache_write_1h", "input", "token", _MTOK, ("cache_write", "input")),
        Unit("audio_input", "input", "token", _MTOK, ("input",)),
        Unit("cached_audio_input", "input", "token", _MTOK, ("audio_input", "cached_input", "input")),
        Unit("image_input", "input", "token", _MTOK, ("input",)),
        Unit("video_input", "input", "token", _MTOK, ("input",)),
        Unit("output", "output", "token", _MTOK),
        Unit("reasoning", "output", "token", _MTOK, ("output",)),
        Unit("audio_output", "output", "token", _MTOK, ("output",)),
        Unit("image_output", "output", "token", _MTOK, ("output",)),
        Unit("query", "input", "query"),
        Unit("page", "input", "page"),
        Unit("character", "input", "character", _MTOK),
        Unit("second", "input", "second"),
        Unit("image", "output", "image"),
        Unit("web_search", "fee", "search"),
        Unit("file_search", "fee", "call"),
        Unit("code_session", "fee", "GB session"),
        Unit("request", "fee", "request"),
    )
}
"""Every unit by name, in the order of a bill."""

TOKEN_UNITS = frozenset(name for name, unit in UNITS.items() if unit.noun == "token")

Part = tuple[str, int]
"""A unit's name and how many of it. Seconds are counted in milliseconds, so that counts are always whole."""


def input_parts(usage: Usage) -> list[Part]:
    """`usage.input_tokens` as disjoint parts. Cache reads first, then writes, then media; the rest is plain input.

    Cached audio is both cached and audio: it is taken out of both and billed once, as cached audio.
    """
    left = usage.input_tokens
    if left is None or left <= 0:
        return []
    parts: list[Part] = []
    if usage.cached_input_tokens:
        cached = _cut(usage.cached_input_tokens, left)
        left -= cached
        audio = _cut(usage.cached_audio_tokens, cached)
        parts += (("cached_input", cached - audio), ("cached_audio_input", audio))
    if usage.cache_write_tokens or usage.cache_write_5m_tokens or usage.cache_write_1h_tokens:
        short, long = _cache_writes(usage, left)
        left -= short + long
        parts += (("cache_write", short), ("cache_write_1h", long))
    if usage.audio_input_tokens:
        fresh_audio = _cut(usage.audio_input_tokens - _cached_audio(usage), left)
        left -= fresh_audio
        parts.append(("audio_input", fresh_audio))
    if usage.image_input_tokens:
        image = _cut(usage.image_input_tokens, left)
        left -= image
        parts.append(("image_input", image))
    if usage.video_input_tokens:
        video = _cut(usage.video_input_tokens, left)
        left -= video
        parts.append(("video_input", video))
    parts.append(("input", left))
    return parts


def output_parts(usage: Usage, plain: str = "output") -> list[Part]:
    """`usage.output_tokens` as disjoint parts.

    `plain` is the unit of the tokens of which no modality was reported: a speech model's are audio, an image model's
    are image tokens.
    """
    left = usage.output_tokens
    if left is None or left <= 0:
        return []
    parts: list[Part] = []
    if usage.reasoning_tokens:
        reasoning = _cut(usage.reasoning_tokens, left)
        left -= reasoning
        parts.append(("reasoning", reasoning))
    if usage.audio_output_tokens:
        audio = _cut(usage.audio_output_tokens, left)
        left -= audio
        parts.append(("audio_output", audio))
    if usage.image_output_tokens:
        image = _cut(usage.image_output_tokens, left)
        left -= image
        parts.append(("image_output", image))
    if plain != "output":
        said = usage.audio_output_tokens if plain == "audio_output" else usage.image_output_tokens
        plain = plain if said is None else "output"
    parts.append((plain, left))
    return parts


def other_measures(usage: Usage) -> list[Part]:
    """What models that are not priced by the token are priced by: the same content, measured another way."""
    return [
        (unit, count)
        for unit, count in (
            ("query", usage.search_units or 0),
            ("page", usage.pages or 0),
            ("character", usage.characters or 0),
            ("second", _milliseconds(usage.audio_seconds)),
            ("image", usage.images or 0),
        )
        if count > 0
    ]


def fees(usage: Usage) -> list[Part]:
    """What is billed beside the tokens."""
    return [
        (unit, count)
        for unit, count in (
            ("web_search", usage.web_searches or 0),
            ("file_search", usage.file_searches or 0),
            ("code_session", usage.code_sessions or 0),
        )
        if count > 0
    ]


def _cut(count: int | None, left: int) -> int:
    return min(max(count or 0, 0), left)


def _cache_writes(usage: Usage, left: int) -> tuple[int, int]:
    """(kept 5 minutes, kept 1 hour). Writes without a split are of the usual 5 minutes."""
    long = max(usage.cache_write_1h_tokens or 0, 0)
    if usage.cache_write_tokens is None:
        written = _cut(max(usage.cache_write_5m_tokens or 0, 0) + long, left)
    else:
        written = _cut(usage.cache_write_tokens, left)
    long = min(long, written)
    return written - long, long


def _cached_audio(usage: Usage) -> int:
    return _cut(usage.cached_audio_tokens, max(usage.cached_input_tokens or 0, 0))


def _milliseconds(seconds: float | None) -> int:
    """Whole milliseconds; no provider bills finer. Infinity and NaN are no durations."""
    if seconds is None or not 0 < seconds < 1e12:
        return 0
    return round(seconds * 1000)
