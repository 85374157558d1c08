"""Reading litellm's way of writing prices."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pricing.card import RateKey
from pricing.edition import packaged_file, parse
from pricing.entry import card_of, decode
from pricing.offpeak import off_peak

PER_MTOK = 10**12


def rates(entry: dict[str, object]) -> dict[RateKey, int]:
    return card_of(decode(msgspec.json.encode(entry))).rates


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("input_cost_per_token", RateKey("input")),
        ("input_cost_per_token_batches", RateKey("input", "batch")),
        ("input_cost_per_token_above_200k_tokens", RateKey("input", above_tokens=200_000)),
        ("input_cost_per_token_above_272k_tokens_flex", RateKey("input", "flex", 272_000)),
        ("input_cost_per_token_priority_above_200k_tokens", RateKey("input", "priority", 200_000)),
        ("cache_read_input_token_cost", RateKey("cached_input")),
        ("input_cost_per_token_cache_hit", RateKey("cached_input")),
        ("cache_creation_input_token_cost", RateKey("cache_write")),
        ("cache_creation_input_token_cost_above_1hr", RateKey("cache_write_1h")),
        ("cache_creation_input_token_cost_above_1hr_above_200k_tokens", RateKey("cache_write_1h", "", 200_000)),
        ("output_cost_per_image_token_batches", RateKey("image_output", "batch")),
        ("output_cost_per_reasoning_token", RateKey("reasoning")),
        ("cache_read_input_audio_token_cost", RateKey("cached_audio_input")),
        ("input_cost_per_video_token", RateKey("video_input")),
        ("code_interpreter_cost_per_session", RateKey("code_session")),
    ],
)
def test_a_field_says_unit_size_and_tier(field: str, key: RateKey) -> None:
    assert rates({"mode": "chat", field: 0.000002}) == {key: 2 * PER_MTOK}


@pytest.mark.parametrize(
    "field",
    [
        "output_cost_per_image_4K",
        "output_cost_per_second_high",
        "input_cost_per_video_per_second_above_15s_interval",
        "input_dbu_cost_per_token",
        "max_input_tokens",
    ],
)
def test_a_field_that_no_usage_can_be_counted_for_is_left_alone(field: str) -> None:
    assert rates({"mode": "chat", field: 0.1}) == {}


def test_of_two_fields_for_one_thing_the_common_one_wins() -> None:
    entry = {"cache_read_input_token_cost": 0.000001, "input_cost_per_token_cache_hit": 0.000003}
    assert rates(entry) == {RateKey("cached_input"): PER_MTOK}


def test_ranges_begin_above_their_lower_end() -> None:
    steps = [
        {"range": [0, 32000.0], "input_cost_per_token": 1e-6},
        {"range": [32000.0, 1], "input_cost_per_token": 2e-6},
    ]
    assert rates({"mode": "chat", "tiered_pricing": steps}) == {
        RateKey("input"): PER_MTOK,
        RateKey("input", above_tokens=32_000): 2 * PER_MTOK,
    }


def test_zero_token_rates_beside_another_price_are_no_price() -> None:
    entry = {"mode": "rerank", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "input_cost_per_query": 0.002}
    assert rates(entry) == {RateKey("query"): 2 * 10**15}


def test_a_free_model_is_free() -> None:
    entry = {"mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
    assert rates(entry) == {RateKey("input"): 0, RateKey("output"): 0}


def test_a_chat_model_s_price_per_second_is_for_rented_capacity() -> None:
    assert rates({"mode": "chat", "input_cost_per_second": 0.01}) == {}


@pytest.mark.parametrize(
    ("hours", "weekday_minute", "cheap"),
    [
        ("10:00-00:00", (5, 12, 0), True),
        ("10:00-00:00", (5, 9, 59), False),
        ("00:00-00:00", (5, 3, 0), True),
        ("22:00-04:00", (5, 23, 0), True),
        ("22:00-04:00", (5, 3, 59), True),
        ("22:00-04:00", (5, 4, 0), False),
        ("10:00-00:00", (6, 12, 0), False),
    ],
)
def test_cheap_hours(hours: str, weekday_minute: tuple[int, int, int], cheap: bool) -> None:
    weekday, hour, minute = weekday_minute
    monday_us = 1_794_787_200_000_000  # 2026-11-16
    at_us = monday_us + (((weekday - 1) * 24 + hour) * 60 + minute) * 60_000_000
    found = off_peak({"windows": [{"hours_utc": hours, "weekdays": [1, 2, 3, 4, 5]}]})
    assert found.covers(at_us) is cheap


def test_weekdays_may_be_those_of_another_place() -> None:
    """Friday 20:00 in London is Saturday in Shanghai."""
    friday_evening_us = 1_795_204_800_000_000
    terms = {"windows": [{"hours_utc": "00:00-00:00", "weekdays": [6, 7]}], "weekday_timezone": "Asia/Shanghai"}
    assert off_peak(terms).covers(friday_evening_us)
    assert not off_peak({"windows": terms["windows"]}).covers(friday_evening_us)


def test_every_entry_of_the_installed_price_file_can_be_read() -> None:
    path = packaged_file()
    assert isinstance(path, Path)
    entries = parse(path.read_bytes())
    assert len(entries) > 2000
    cards = [card_of(decode(raw)) for raw in entries.values()]
    assert all(rate >= 0 for card in cards for rate in card.rates.values())
    assert sum(bool(card.rates) for card in cards) > len(cards) * 0.9
