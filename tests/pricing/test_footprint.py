"""Small and quick: the catalogue is in every gateway process, and a price is looked up for every call."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import pytest

from pricing import Catalog, Usage

HEAVY = ("litellm", "httpx", "pydantic", "sqlalchemy", "pyarrow", "gateway")


def test_nothing_heavy_is_imported_to_price_a_call() -> None:
    code = (
        "import sys, pricing\n"
        "catalog = pricing.Catalog.load()\n"
        "assert catalog.find('openai', 'gpt-4o').cost(pricing.Usage(input_tokens=1, output_tokens=1))\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_price_file_is_kept_as_it_is_and_read_where_it_is_asked_for() -> None:
    tracemalloc.start()
    try:
        catalog = Catalog.load()
        catalog.find("openai", "gpt-4o")
        catalog.models("openai")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(catalog) > 2000
    assert held < 6_000_000


@pytest.mark.parametrize("provider", ["openai", "local"])
def test_invented_names_do_not_fill_the_memory(provider: str, golden: Catalog) -> None:
    for number in range(10_000):
        golden.find(provider, f"no-such-{number}")
        golden.claims(f"no-such-{number}", [provider])
    assert len(golden._found) <= 4096
    assert len(golden._claims) <= 4096


def test_a_price_is_found_once_and_remembered(golden: Catalog) -> None:
    assert golden.find("openai", "gpt-4o") is golden.find("openai", "gpt-4o")


def test_the_installed_catalogue_prices_a_call() -> None:
    price = Catalog.load().find("openai", "gpt-4o-mini-2024-07-18")
    assert price is not None
    cost = price.cost(Usage(input_tokens=1_000, output_tokens=1_000))
    assert cost is not None
    assert cost.total_nanousd > 0
