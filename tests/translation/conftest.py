from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """litellm warns about its own insides; the gateway turns that off where it loads it, but pytest turns it on."""
    for item in items:
        if "tests/translation" in item.path.as_posix():
            for module in ("litellm", "pydantic"):
                item.add_marker(pytest.mark.filterwarnings(rf"ignore::Warning:{module}"))
