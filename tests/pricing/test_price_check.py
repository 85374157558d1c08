"""`callgate prices check`: what is a difference, and how it is told."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.price_check import report
from gateway.cli.prices import prices
from pricing import Catalog, Price
from pricing.card import RateCard, RateKey
from pricing.comparison import Difference, Listed, differences

PER_MTOK = 10**12
"""Atto-dollars a token, for a dollar a million of them."""


def price_of(rates: dict[RateKey, float]) -> Price:
    card = RateCard({key: int(dollars * PER_MTOK) for key, dollars in rates.items()})
    return Price(price_id="m@1", provider="p", model="m", key="m", source="catalog", card=card)


OURS = price_of(
    {
        RateKey("input"): 3,
        RateKey("output"): 15,
        RateKey("audio_output"): 0,
        RateKey("input", above_tokens=131_072): 6,
    }
)


@pytest.mark.parametrize(
    ("unit", "above", "theirs", "found"),
    [
        ("input", 0, "3", None),
        ("input", 0, "3.0002", None),
        ("input", 0, "2", ("3", "another rate")),
        ("cached_input", 0, "3", None),
        ("cached_input", 0, "0.3", ("3", "the catalogue has no rate of its own for it, and takes that of the whole")),
        ("input", 128_000, "6", None),
        ("input", 200_000, "6", None),
        ("output", 128_000, "22.5", ("15", "the catalogue has no other price above that size")),
        ("audio_output", 0, "60", ("0", "free in the catalogue")),
        ("input", 0, "0", ("3", "free in the second source")),
        ("second", 0, "1", (None, "the catalogue has no rate for it")),
    ],
)
def test_what_is_a_difference(unit: str, above: int, theirs: str, found: tuple[str | None, str] | None) -> None:
    seen = list(differences(OURS, Listed("p", "m", {(unit, above): Decimal(theirs)})))
    if found is None:
        assert seen == []
    else:
        ours = None if found[0] is None else Decimal(found[0])
        assert seen == [Difference(unit, above, ours, Decimal(theirs), found[1])]


def test_the_report_counts_and_names(golden: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    claude = golden.find("anthropic", "claude-sonnet-4-5")
    assert claude is not None
    listed = [
        Listed("anthropic", "claude-sonnet-4-5", {("input", 0): Decimal(3)}),
        Listed("openai", "gpt-audio", {("input", 0): Decimal("99.5")}),
        Listed("openai", "gpt-nowhere", {("input", 0): Decimal(1)}),
    ]
    report(golden, listed, shows_missing=True)
    told = capsys.readouterr().out
    assert "2 models in both: 1 have the same prices, 1 differ. 1 are in the second source only." in told
    assert "openai/gpt-audio  input" in told
    assert "$99.5  another rate" in told
    assert "openai/gpt-nowhere" in told.splitlines()[-1]


def test_the_whole_command_finds_most_of_both_equal(tmp_path: Path) -> None:
    told = CliRunner().invoke(prices, ["check", "--provider", "openai", "--data", str(tmp_path)])
    assert told.exit_code == 0, told.output
    last = told.output.splitlines()[-1]
    both, equal = (int(word.replace(",", "")) for word in (last.split()[0], last.split("both: ")[1].split()[0]))
    assert both > 50
    assert equal > both * 0.8


def test_without_the_second_source_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    told = CliRunner().invoke(prices, ["check", "--data", str(tmp_path)])
    assert told.exit_code == 1
    assert "pip install genai-prices" in told.output
