"""What changes a price beside the tier: where a model stays, how fast it is, what it used beside tokens, how large a
request was of several."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pricing import Billed, Catalog, Usage, billed
from pricing.bill import HIGH_RES
from pricing.card import RateCard, RateKey, tier_name
from pricing.entry import card_of
from pricing.fees import with_fees

TOKENS = Usage(input_tokens=1_000_000, output_tokens=100_000, web_searches=3)
CLAUDE = {
    "litellm_provider": "anthropic",
    "mode": "chat",
    "input_cost_per_token": Decimal("0.000003"),
    "input_cost_per_token_batches": Decimal("0.0000015"),
    "cache_read_input_token_cost": Decimal("0.0000003"),
    "output_cost_per_token": Decimal("0.000015"),
    "search_context_cost_per_query": {"search_context_size_medium": Decimal("0.01")},
    "provider_specific_entry": {"us": Decimal("1.1"), "fast": 6},
}


@pytest.mark.parametrize(
    ("tier", "input_usd", "output_usd"),
    [
        ("standard", "3", "15"),
        ("standard+us", "3.3", "16.5"),
        ("fast", "18", "90"),
        ("standard+us+fast", "19.8", "99"),
        ("batch+us", "1.65", "16.5"),
        ("standard+eu", "3", "15"),
    ],
)
def test_a_factor_multiplies_the_price_of_tokens_and_no_fee(tier: str, input_usd: str, output_usd: str) -> None:
    rates = card_of(CLAUDE).situation(tier, None)
    found = [rates[unit] for unit in ("input", "output", "web_search")]
    stated = [Decimal(rate.atto) / 10**12 for rate in found if rate is not None]
    assert stated == [Decimal(input_usd), Decimal(output_usd), Decimal(10_000)]


def test_a_line_says_which_words_made_its_rate() -> None:
    rate = card_of(CLAUDE).situation("batch+us", None)["cached_input"]
    assert rate is not None
    assert (rate.atto, rate.key.tier) == (330_000_000_000, "batch+us")


def test_fast_without_a_stated_factor_has_no_price() -> None:
    card = card_of({**CLAUDE, "provider_specific_entry": {"us": Decimal("1.1")}})
    assert card.situation("fast", None)["input"] is None
    assert card.situation("us", None)["input"] is not None


@pytest.mark.parametrize("entry", [{"litellm_provider": "minimax"}, {"provider_specific_entry": {"us": "1.1"}}])
def test_what_is_no_factor_is_none(entry: dict[str, object]) -> None:
    assert "us" not in card_of({**CLAUDE, **entry}).factors


@pytest.mark.parametrize(
    ("word", "name"),
    [("standard", ""), ("standard+us", "us"), ("auto+standard", ""), ("Batch+US", "batch+us"), ("+", "")],
)
def test_words_that_hold_together(word: str, name: str) -> None:
    assert tier_name(word) == name


LARGE_COSTS_TWICE = RateCard({RateKey("input"): 10, RateKey("input", above_tokens=200_000): 20, RateKey("output"): 30})


@pytest.mark.parametrize(("largest", "rate"), [(None, 20), (200_000, 10), (200_001, 20)])
def test_the_size_of_a_sum_is_that_of_its_largest_request(largest: int | None, rate: int) -> None:
    usage = Usage(input_tokens=900_000, output_tokens=1, largest_input_tokens=largest)
    found = LARGE_COSTS_TWICE.situation(None, usage.request_size)["input"]
    assert found is not None
    assert found.atto == rate


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def total_usd(catalog: Catalog, model: str, usage: Usage, tier: str | None = None, *also: Billed) -> Decimal | None:
    found = billed(catalog, "openai", model, usage, tier, also, 1)
    return None if found is None else Decimal(found[1].total_nanousd) / 10**9


def test_tools_of_a_response_are_fees(catalog: Catalog) -> None:
    tokens = total_usd(catalog, "gpt-5", Usage(input_tokens=1000, output_tokens=100))
    searched = total_usd(catalog, "gpt-5", Usage(input_tokens=1000, output_tokens=100, file_searches=2))
    session = Billed("container", Usage(code_sessions=4))
    computed = total_usd(catalog, "gpt-5", Usage(input_tokens=1000, output_tokens=100), None, session)
    assert tokens is not None
    assert searched == tokens + 2 * Decimal("0.0025")
    assert computed == tokens + 4 * Decimal("0.03")


def test_a_model_that_always_searches_is_billed_for_it_once(catalog: Catalog) -> None:
    usage = Usage(input_tokens=1000, output_tokens=100)
    plain = total_usd(catalog, "gpt-4o", usage)
    assert plain is not None
    assert total_usd(catalog, "gpt-4o-search-preview-2025-03-11", usage) == plain + Decimal("0.025")
    assert total_usd(catalog, "gpt-4o-search-preview", Usage(input_tokens=1000, output_tokens=100, web_searches=1)) == (
        plain + Decimal("0.025")
    )


def test_what_is_free_has_no_fees() -> None:
    free = RateCard({RateKey("input"): 0, RateKey("output"): 0})
    assert with_fees(free, "openai", "chat", "m") is free


@pytest.mark.parametrize(
    ("model", "tier", "usd"),
    [("sora-2", "720p", "0.8"), ("sora-2-pro", "720p", "2.4"), ("sora-2-pro", HIGH_RES, "4"), ("sora-2", None, "0.8")],
)
def test_a_video_is_paid_by_the_second_and_its_size(catalog: Catalog, model: str, tier: str, usd: str) -> None:
    assert total_usd(catalog, model, Usage(audio_seconds=8), tier) == Decimal(usd)


def test_a_video_s_size_can_have_a_price_of_its_own() -> None:
    entry = {
        "mode": "video_generation",
        "output_cost_per_second": Decimal("0.05"),
        "output_cost_per_second_720p": Decimal("0.07"),
    }
    rates = [card_of(entry).situation(tier, None)["second"] for tier in (None, "480p", "720p")]
    assert [rate.atto * 1000 for rate in rates if rate is not None] == [5 * 10**16, 5 * 10**16, 7 * 10**16]
