"""What holds for every usage, however odd, and every price."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing import Billed, Catalog, Cost, Price, Usage, billed
from pricing.card import RateCard, RateKey
from pricing.units import TOKEN_UNITS, UNITS, input_parts, output_parts

COUNTS = tuple(name for name in Usage.__struct_fields__ if name != "audio_seconds")
TIERS = (None, "", "default", "batch", "flex", "priority", "scale", "ON_DEMAND", "nonsense")

counts = st.none() | st.integers(0, 2_000_000) | st.integers(0, 5)
odd_counts = counts | st.integers(-1000, 10**15)
usages = st.builds(Usage, **dict.fromkeys(COUNTS, odd_counts), audio_seconds=st.none() | st.floats())
rates = st.integers(0, 10**16)
sizes = st.sampled_from([0, 100, 200_000])
rate_keys = st.builds(RateKey, st.sampled_from(sorted(UNITS)), st.sampled_from(["", "batch", "flex"]), sizes)
cards = st.builds(
    RateCard,
    st.dictionaries(rate_keys, rates, max_size=12),
    input_only=st.booleans(),
    plain_output=st.sampled_from(["output", "audio_output", "image_output"]),
    searches_per_request=st.booleans(),
)
full_cards = st.fixed_dictionaries({RateKey(unit): rates for unit in UNITS}).map(RateCard)


def price_of(card: RateCard) -> Price:
    return Price(price_id="m@1", provider="p", model="m", key="m", source="catalog", card=card)


prices = cards.map(price_of)


@given(prices, usages, st.sampled_from(TIERS))
def test_a_cost_is_whole_and_never_negative_and_its_lines_add_up(price: Price, usage: Usage, tier: str | None) -> None:
    cost = price.cost(usage, tier)
    lines = price.explain(usage, tier)
    if cost is None:
        assert not lines or any(line.amount_nanousd is None for line in lines)
        return
    assert all(type(amount) is int and amount >= 0 for amount in msgspec.structs.astuple(cost))
    assert cost.input_nanousd + cost.output_nanousd <= cost.total_nanousd
    amounts = [line.amount_nanousd for line in lines]
    assert None not in amounts
    assert sum(amount or 0 for amount in amounts) == cost.total_nanousd
    for side, expected in (("input", cost.input_nanousd), ("output", cost.output_nanousd)):
        assert sum(line.amount_nanousd or 0 for line in lines if line.side == side) == expected


@given(prices, usages, st.sampled_from(TIERS))
def test_the_total_is_the_exact_sum_rounded_once(price: Price, usage: Usage, tier: str | None) -> None:
    cost = price.cost(usage, tier)
    if cost is not None:
        exact = sum(
            (line.quantity * (line.rate_usd or 0) / line.per for line in price.explain(usage, tier)), Decimal(0)
        )
        assert abs(cost.total_nanousd - exact * 10**9) <= Decimal("0.5")


@given(usages)
def test_parts_are_disjoint_and_make_up_the_whole(usage: Usage) -> None:
    for parts, whole in ((input_parts(usage), usage.input_tokens), (output_parts(usage), usage.output_tokens)):
        assert sum(count for _, count in parts) == max(whole or 0, 0)
        assert all(count >= 0 for _, count in parts)
        assert len({unit for unit, _ in parts}) == len(parts)


@given(full_cards.map(price_of), usages, st.sampled_from(["input_tokens", "output_tokens"]), st.integers(1, 10**6))
def test_more_tokens_never_cost_less(price: Price, usage: Usage, field: str, more: int) -> None:
    """Within one size: above a size, a provider may ask what it likes."""
    more_usage = msgspec.structs.replace(usage, **{field: max(getattr(usage, field) or 0, 0) + more})
    less, cost = price.cost(usage), price.cost(more_usage)
    by_token = (usage.input_tokens or 0) > 0 or (usage.output_tokens or 0) > 0
    if less is not None and by_token:
        assert cost is not None
        assert cost.total_nanousd >= less.total_nanousd


@given(st.dictionaries(rate_keys, rates, max_size=12), usages, st.randoms(use_true_random=False))
def test_the_order_of_the_rates_is_of_no_matter(
    given_rates: dict[RateKey, int], usage: Usage, rng: random.Random
) -> None:
    shuffled = list(given_rates.items())
    rng.shuffle(shuffled)
    assert price_of(RateCard(given_rates)).cost(usage) == price_of(RateCard(dict(shuffled))).cost(usage)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_calls_of_the_same_price_add_up_to_within_half_a_nano_dollar_each(first: int, second: int) -> None:
    price = price_of(RateCard({RateKey("input"): 333_333_333, RateKey("output"): 0}))
    one, two, both = (price.cost(Usage(input_tokens=tokens)) for tokens in (first, second, first + second))
    assert one and two and both  # noqa: PT018  one claim: all are priced
    assert abs(one.total_nanousd + two.total_nanousd - both.total_nanousd) <= 1


@settings(max_examples=40)
@given(usage=usages, tier=st.sampled_from(TIERS), name=st.sampled_from(["gpt-6-astra", "gpt-image-1.5", "gpt-audio"]))
def test_real_entries_stand_any_usage(usage: Usage, tier: str | None, name: str, golden: Catalog) -> None:
    price = golden.find("openai", name)
    assert price is not None
    cost = price.cost(usage, tier)
    assert cost is None or isinstance(cost, Cost)


@pytest.mark.parametrize("unit", sorted(TOKEN_UNITS))
def test_a_token_without_any_price_makes_the_cost_unknown(unit: str) -> None:
    """A sum that leaves something out is not the cost."""
    side = UNITS[unit].side
    other = "output" if side == "input" else "input"
    price = price_of(RateCard({RateKey(other): 1}))
    assert price.cost(Usage(input_tokens=5, output_tokens=5)) is None


@settings(max_examples=60)
@given(usage=usages, others=st.lists(usages, max_size=3), tier=st.sampled_from(TIERS), more=st.integers(0, 10**6))
def test_a_bill_over_several_models_is_their_sum_and_grows_with_each(
    usage: Usage, others: list[Usage], tier: str | None, more: int, golden: Catalog
) -> None:
    name = "gpt-audio"
    also = [Billed(name, other, tier) for other in others]
    found = billed(golden, "openai", name, usage, tier, also, 1)
    price = golden.find("openai", name)
    assert price is not None
    costs = [price.cost(part, tier) for part in (usage, *others)]
    if any(cost is None for cost in costs):
        assert found is None
        return
    assert found is not None
    assert found[1].total_nanousd == sum(cost.total_nanousd for cost in costs if cost) >= 0
    longer = billed(golden, "openai", name, usage, tier, [*also, Billed(name, Usage(input_tokens=more))], 1)
    assert longer is not None
    assert longer[1].total_nanousd >= found[1].total_nanousd
