"""`callgate prices check`: the catalogue beside a second reading of the same price pages.

The second source is the data of genai-prices, which other people read from the providers' pages for themselves. Where
both agree a mistake of either is unlikely; where they differ one of them is old or wrong, or they mean something else.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.table import table
from gateway.control.catalog import load_catalog
from pricing import Catalog
from pricing.comparison import Difference, Listed, differences

MISSING = (
    "The second source is the package genai-prices, which is not installed here. Install it beside Callgate and try "
    "again: pip install genai-prices"
)

THEIR_PROVIDERS = {
    "anthropic": "anthropic",
    "aws": "bedrock",
    "azure": "azure",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google": "gemini",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshot",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "perplexity": "perplexity",
    "together": "together",
    "voyageai": "voyage",
    "x-ai": "xai",
    "zai": "zai",
}
"""Their names of providers, and ours."""

UNITS = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "audio_input",
    "cache_audio_read_mtok": "cached_audio_input",
    "output_mtok": "output",
    "output_audio_mtok": "audio_output",
}
"""Their names of rates per million tokens, and our units."""


@click.command()
@click.option("--provider", multiple=True, metavar="NAME", help="Only this provider; can be given several times.")
@click.option("--all", "shows_missing", is_flag=True, help="Also list the models that only the second source has.")
@config_option
@data_option
def check(provider: tuple[str, ...], shows_missing: bool, config: str | None, data: str | None) -> None:
    """Compare the catalogue with a second source, and list where and why they differ.

    The second source is the package genai-prices. Your own prices are compared as well; cheaper hours are not.
    """
    try:
        theirs = importlib.import_module("genai_prices.data").providers
    except ImportError:
        raise click.ClickException(MISSING) from None
    loaded = load_for(config, data=data)
    catalog = load_catalog(loaded.settings, loaded.data)
    report(catalog, list(_listed(theirs, provider, datetime.now(UTC))), shows_missing=shows_missing)


def report(catalog: Catalog, listed: list[Listed], *, shows_missing: bool) -> None:
    equal, missing, found = 0, [], []
    for one in listed:
        price = catalog.find(one.provider, one.model)
        if price is None:
            missing.append(f"{one.provider}/{one.model}")
            continue
        differing = list(differences(price, one))
        equal += not differing
        found += [(one, difference) for difference in differing]
    rows = [_row(one, difference) for one, difference in found]
    if rows:
        head = ("model", "$ per Mtok", "catalogue", "second source", "why")
        for line in table(head, rows, right=("catalogue", "second source")):
            click.echo(line)
        click.echo()
    for why, count in Counter(difference.why for _, difference in found).most_common():
        click.echo(f"{count:>6,}  {why}")
    differing_models = len({(one.provider, one.model) for one, _ in found})
    click.echo(
        f"{equal + differing_models:,} models in both: {equal:,} have the same prices, {differing_models:,} differ. "
        f"{len(missing):,} are in the second source only."
    )
    if shows_missing:
        for name in missing:
            click.echo(f"  {name}")


def _row(one: Listed, difference: Difference) -> tuple[str, ...]:
    unit = difference.unit + (f" > {difference.above_tokens:,}" if difference.above_tokens else "")
    return (
        f"{one.provider}/{one.model}",
        unit,
        _dollars(difference.ours),
        _dollars(difference.theirs),
        difference.why,
    )


def _dollars(rate: Decimal | None) -> str:
    return "none" if rate is None else f"${rate.normalize():f}"


def _listed(providers: Any, wanted: tuple[str, ...], now: datetime) -> Iterator[Listed]:
    """The second source's models as ours are named, with their rates of now."""
    for provider in providers:
        name = THEIR_PROVIDERS.get(provider.id)
        if name is None or (wanted and name not in wanted):
            continue
        for model in provider.models:
            stated = vars(model.get_prices(now))
            yield Listed(name, model.id, dict(_rates(stated)))


def _rates(stated: dict[str, Any]) -> Iterator[tuple[tuple[str, int], Decimal]]:
    for field, unit in UNITS.items():
        rate = stated.get(field)
        if rate is None:
            continue
        if isinstance(rate, Decimal | int):
            yield (unit, 0), Decimal(rate)
        else:
            yield (unit, 0), Decimal(rate.base)
            for tier in rate.tiers:
                yield (unit, tier.start), Decimal(tier.price)
