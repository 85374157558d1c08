"""The price catalogue as the gateway, the command line and the dashboard all have it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.demo import PRICES as DEMO_PRICES
from gateway.settings import Settings
from pricing import Catalog
from pricing.edition import prices_path


def load_catalog(settings: Settings, data: Path) -> Catalog:
    """The price file (the package's, or the newer one of the data folder), the demo's prices, the configuration's own.

    `catalog.problem` says what is wrong with the data folder's file, if anything is. Raises ValueError for an
    override that is wrong, which a configuration that was checked does not have.
    """
    own = msgspec.to_builtins(settings.prices.overrides)
    return Catalog.load(prices_path(data), {**DEMO_PRICES, **own})
