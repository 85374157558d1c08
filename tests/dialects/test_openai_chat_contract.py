"""OpenAI's chat keeps the contract of a dialect."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract
from tests.dialects.openai_shapes import STREAMS, WHOLE


@pytest.fixture
def dialect() -> Dialect:
    return dialect_for(b"POST", b"/v1/chat/completions")


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return STREAMS
