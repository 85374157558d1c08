"""A catalogue of real entries that does not change when litellm is upgraded."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricing.catalog import Catalog
from pricing.edition import Edition, parse
from pricing.history import History

GOLDEN = Path(__file__).parent / "golden" / "entries.json"


@pytest.fixture(scope="session")
def golden() -> Catalog:
    """Entries as litellm published them in November 2026, cut down to what decides a price."""
    return Catalog(Edition(parse(GOLDEN.read_bytes()), History(), "2026-11-01", "a golden file"), {})
