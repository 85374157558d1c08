"""SQLite keeps the contract of a store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.store import open_store
from gateway.store.base import Store
from tests.store.contract import *  # noqa: F403  # the tests are those of the contract
from tests.store.documents_contract import *  # noqa: F403


@pytest.fixture(scope="session")
def store_at() -> Callable[[Path], Store]:
    return lambda folder: open_store("sqlite:///contract.db", folder)
