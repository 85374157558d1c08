"""The fake that other tests stand on keeps the contract too."""

from __future__ import annotations

from typing import cast

import pytest

from gateway.store.base import Store
from tests.store.contract import MakeStore
from tests.store.documents_contract import *  # noqa: F403  # the tests are those of the contract
from tests.store.memory_documents import MemoryControl


@pytest.fixture
def make_store() -> MakeStore:
    return lambda: cast("Store", MemoryControl())
