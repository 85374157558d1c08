"""Prices of one's own: they win, from their date on, and mistakes in them are named."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from gateway.settings import PriceOverride, Prices, PriceTier
from pricing import Catalog, Usage
from pricing.catalog import Catalog as Loaded
from pricing.override import read_overrides

CHAT = Usage(input_tokens=1_000, output_tokens=1_000)


def us(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000


def with_overrides(golden: Catalog, overrides: object) -> Catalog:
    return Loaded(golden._edition, read_overrides(msgspec.to_builtins(overrides)))


def total(catalog: Catalog, provider: str, model: str, usage: Usage = CHAT, at: str | None = None, **more: str) -> int:
    price = catalog.find(provider, model, us(at) if at else None)
    assert price is not None
    cost = price.cost(usage, **more)
    assert cost is not None
    return cost.total_nanousd


def test_a_model_of_one_s_own_has_the_price_stated_for_it(golden: Catalog) -> None:
    own = {"my-model": PriceOverride(input_per_mtok=0.2, output_per_mtok=0.8)}
    price = with_overrides(golden, own).find("local", "my-model")
    assert price is not None
    assert (price.source, price.key, price.valid_from) == ("override", "my-model", None)
    assert price.price_id.startswith("my-model@override.")
    assert price.cost(CHAT).total_nanousd == 1_000_000  # type: ignore[union-attr]  # it has a price


def test_per_thousand_and_per_million_are_the_same_price(golden: Catalog) -> None:
    catalog = with_overrides(
        golden,
        {
            "a": PriceOverride(input_per_1k=0.003, output_per_1k=0.015, cached_input_per_1k=0.0003),
            "b": PriceOverride(input_per_mtok=3, output_per_mtok=15, cached_input_per_mtok=0.3),
        },
    )
    usage = Usage(input_tokens=777, cached_input_tokens=111, output_tokens=55)
    assert total(catalog, "x", "a", usage) == total(catalog, "x", "b", usage)
    assert catalog.find("x", "a").price_id[1:] == catalog.find("x", "b").price_id[1:]  # type: ignore[union-attr]


def test_provider_and_model_win_over_model_and_both_over_the_catalogue(golden: Catalog) -> None:
    catalog = with_overrides(
        golden,
        {
            "gpt-4o": PriceOverride(input_per_mtok=1, output_per_mtok=0),
            "azure/gpt-4o": PriceOverride(input_per_mtok=2, output_per_mtok=0),
        },
    )
    assert total(catalog, "openai", "gpt-4o") == 1_000_000
    assert total(catalog, "azure", "gpt-4o") == 2_000_000
    assert total(catalog, "openai", "gpt-4o-mini") == 750_000


def test_it_holds_for_the_snapshots_that_answer_for_the_name(golden: Catalog) -> None:
    catalog = with_overrides(golden, {"gpt-4o": PriceOverride(input_per_mtok=1, output_per_mtok=0)})
    assert total(catalog, "openai", "gpt-4o-2024-08-06") == 1_000_000


def test_it_says_nothing_of_tokens_that_it_does_not_price(golden: Catalog) -> None:
    catalog = with_overrides(golden, {"gpt-4o": PriceOverride(input_per_mtok=1)})
    price = catalog.find("openai", "gpt-4o")
    assert price is not None
    assert price.cost(CHAT) is None


def test_from_its_date_on(golden: Catalog) -> None:
    catalog = with_overrides(
        golden,
        {
            "gpt-4o-mini": [
                PriceOverride(input_per_mtok=2, output_per_mtok=0, valid_from="2026-03-01"),
                PriceOverride(input_per_mtok=1, output_per_mtok=0, valid_from="2026-02-01"),
            ]
        },
    )
    assert total(catalog, "openai", "gpt-4o-mini", at="2026-01-31") == 750_000
    assert total(catalog, "openai", "gpt-4o-mini", at="2026-02-01") == 1_000_000
    assert total(catalog, "openai", "gpt-4o-mini", at="2026-03-01") == 2_000_000
    assert total(catalog, "openai", "gpt-4o-mini") == 2_000_000
    price = catalog.find("openai", "gpt-4o-mini", us("2026-02-14"))
    assert price is not None
    assert price.valid_from == "2026-02-01"
    assert price.price_id.startswith("gpt-4o-mini@2026-02-01.")
    assert (price.mode, price.context_window) == ("chat", 128_000)


def test_a_model_of_one_s_own_has_no_price_before_its_date(golden: Catalog) -> None:
    catalog = with_overrides(golden, {"mine": PriceOverride(input_per_mtok=2, valid_from="2026-03-01")})
    assert catalog.find("local", "mine", us("2026-02-28")) is None


def test_fees_are_put_over_the_catalogue_s_prices(golden: Catalog) -> None:
    catalog = with_overrides(golden, {"gpt-4o": PriceOverride(per_search=0.01)})
    usage = Usage(input_tokens=1_000, output_tokens=1_000, web_searches=2)
    assert total(catalog, "openai", "gpt-4o", usage) == 12_500_000 + 20_000_000
    price = catalog.find("openai", "gpt-4o")
    assert price is not None
    assert price.source == "override"
    assert price.price_id.startswith("gpt-4o@2026-11-01+gpt-4o@override.")


def test_sizes_and_batches(golden: Catalog) -> None:
    own = PriceOverride(
        input_per_mtok=1,
        output_per_mtok=2,
        tiers=[PriceTier(above_tokens=100, input_per_mtok=3)],
        batch_discount=0.25,
    )
    catalog = with_overrides(golden, {"mine": own})
    assert total(catalog, "x", "mine", Usage(input_tokens=100, output_tokens=0)) == 100_000
    assert total(catalog, "x", "mine", Usage(input_tokens=200, output_tokens=100)) == 600_000 + 200_000
    assert total(catalog, "x", "mine", Usage(input_tokens=200), service_tier="batch") == 450_000


@pytest.mark.parametrize(
    ("own", "usage", "nanousd"),
    [
        (PriceOverride(per_request=0.002), Usage(), 2_000_000),
        (PriceOverride(per_image=0.04), Usage(images=3), 120_000_000),
        (PriceOverride(per_second=0.0001), Usage(audio_seconds=1.5), 150_000),
        (PriceOverride(per_query=0.002), Usage(search_units=2), 4_000_000),
        (PriceOverride(per_page=0.004), Usage(pages=2), 8_000_000),
        (PriceOverride(input_per_mtok=0.1), Usage(total_reported=1_000), 100_000),
        (PriceOverride(image_output_per_mtok=30), Usage(output_tokens=1_000), 30_000_000),
    ],
)
def test_other_measures(own: PriceOverride, usage: Usage, nanousd: int, golden: Catalog) -> None:
    assert total(with_overrides(golden, {"mine": own}), "x", "mine", usage) == nanousd


def test_every_price_of_the_settings_is_understood() -> None:
    names = [name for name in PriceOverride.__struct_fields__ if name not in ("tiers", "valid_from", "batch_discount")]
    for name in names:
        assert read_overrides({"m": msgspec.to_builtins(PriceOverride(**{name: 1.0}))})["m"][0].card.rates
    tier_names = [name for name in PriceTier.__struct_fields__ if name != "above_tokens"]
    for name in tier_names:
        own = PriceOverride(input_per_mtok=1, tiers=[PriceTier(above_tokens=5, **{name: 1.0})])
        assert len(read_overrides({"m": msgspec.to_builtins(own)})["m"][0].card.rates) == 2


def test_the_settings_as_a_whole_can_be_given() -> None:
    prices = Prices(
        overrides={"m": [PriceOverride(input_per_mtok=1), PriceOverride(per_image=1, valid_from="2026-01-01")]}
    )
    assert [own.valid_from for own in read_overrides(msgspec.to_builtins(prices.overrides))["m"]] == [
        None,
        "2026-01-01",
    ]


MISTAKES = {
    "two words for one price": (
        {"m": {"input_per_mtok": 1.0, "input_per_1k": 0.001}},
        "prices.overrides.m: both input_per_mtok and input_per_1k; state the price of input once",
    ),
    "nothing": ({"m": {}}, "prices.overrides.m: states no price; give it input_per_mtok and output_per_mtok"),
    "a price nobody knows": ({"m": {"input_per_token": 1}}, "prices.overrides.m.input_per_token: no such price"),
    "negative": ({"m": {"per_image": -1.0}}, "prices.overrides.m.per_image: must be a number of dollars from 0 up"),
    "not a number": ({"m": {"per_image": "two"}}, "prices.overrides.m.per_image: must be a number, is 'two'"),
    "infinite": ({"m": {"per_image": float("inf")}}, "prices.overrides.m.per_image: must be a number of dollars"),
    "no date": (
        {"m": {"per_image": 1, "valid_from": "1.11.2026"}},
        "prices.overrides.m.valid_from: must be a date such as 2026-11-01, is '1.11.2026'",
    ),
    "one date twice": (
        {"m": [{"per_image": 1, "valid_from": "2026-11-01"}, {"per_image": 2, "valid_from": "2026-11-01"}]},
        "prices.overrides.m: two prices from 2026-11-01; give each its own valid_from",
    ),
    "undated twice": (
        {"m": [{"per_image": 1}, {"per_image": 2}]},
        "prices.overrides.m: two prices without valid_from; give each its own valid_from",
    ),
    "in a list": (
        {"m": [{"per_image": 1}, {"per_pixel": 2, "valid_from": "2026-11-01"}]},
        "prices.overrides.m[1].per_pixel: no such price",
    ),
    "a size of nothing": (
        {"m": {"input_per_mtok": 1, "tiers": [{"above_tokens": 0, "input_per_mtok": 2}]}},
        "prices.overrides.m.tiers[0].above_tokens: must be a whole number above 0, is 0",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_place_and_the_way_out(case: str) -> None:
    overrides, message = MISTAKES[case]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read_overrides(overrides)  # type: ignore[arg-type]  # mistakes are what is tested


def test_dollars_are_the_decimals_they_are_written_as(golden: Catalog) -> None:
    catalog = with_overrides(golden, {"mine": PriceOverride(input_per_mtok=0.1, output_per_mtok=0.2)})
    price = catalog.find("x", "mine")
    assert price is not None
    assert [line.rate_usd for line in price.explain(CHAT)] == [Decimal("0.1"), Decimal("0.2")]
