"""Which rate holds: by unit, then size, then tier; the nearest that is stated."""

from __future__ import annotations

import pytest

from pricing.card import RateCard, RateKey, tier_name, without_repeats

CARD = RateCard(
    {
        RateKey("input"): 10,
        RateKey("input", "batch"): 5,
        RateKey("input", above_tokens=100): 20,
        RateKey("input", "batch", 100): 11,
        RateKey("input", above_tokens=1000): 40,
        RateKey("cached_input"): 1,
        RateKey("audio_input"): 70,
        RateKey("output"): 30,
        RateKey("output", "batch"): 15,
        RateKey("output", above_tokens=100): 60,
    }
)


@pytest.mark.parametrize(
    ("unit", "tier", "tokens", "rate"),
    [
        ("input", None, None, 10),
        ("input", "default", 100, 10),
        ("input", None, 101, 20),
        ("input", None, 1001, 40),
        ("input", "batch", 50, 5),
        ("input", "BATCH", 101, 11),
        ("input", "batch", 1001, 20),
        ("input", "gold", 50, 10),
        ("cached_input", "batch", 5000, 1),
        ("cached_audio_input", None, 1, 70),
        ("cache_write_1h", None, 101, 20),
        ("reasoning", "batch", 1, 15),
        ("output", "batch", 101, 30),
        ("output", "flex", 101, 60),
        ("audio_input", "batch", 101, 70),
        ("output", None, 1001, 60),
    ],
)
def test_the_rate_that_holds(unit: str, tier: str | None, tokens: int | None, rate: int) -> None:
    found = CARD.situation(tier, tokens)[unit]
    assert found is not None
    assert found.atto == rate


@pytest.mark.parametrize("unit", ["page", "web_search", "request"])
def test_what_is_not_stated_has_no_rate(unit: str) -> None:
    assert CARD.situation(None, 5)[unit] is None


@pytest.mark.parametrize(
    ("word", "tier"),
    [
        (None, ""),
        ("", ""),
        ("auto", ""),
        ("standard", ""),
        ("ON_DEMAND", ""),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("batches", "batch"),
        ("flex", "flex"),
    ],
)
def test_the_words_of_providers(word: str | None, tier: str) -> None:
    assert tier_name(word) == tier


def test_tiers_from_the_wire_do_not_fill_the_memory() -> None:
    for number in range(1000):
        CARD.situation(f"tier-{number}", 1)
    assert len(CARD._resolved) <= 64


def test_a_rate_that_only_repeats_its_parent_s_is_dropped_so_that_tiers_reach_the_part() -> None:
    rates = {
        RateKey("output"): 30,
        RateKey("output", "flex"): 15,
        RateKey("reasoning"): 30,
        RateKey("audio_output"): 90,
        RateKey("input"): 10,
        RateKey("audio_input"): 10,
        RateKey("audio_input", "flex"): 9,
    }
    assert rates.keys() - without_repeats(rates).keys() == {RateKey("reasoning")}
