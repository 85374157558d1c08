"""Bedrock's invoke keeps the contract of a dialect."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.bedrock_shapes import INVOKE_STREAMS, INVOKE_WHOLE
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract


@pytest.fixture
def dialect() -> Dialect:
    return dialect_for(b"POST", b"/model/m/invoke")


@pytest.fixture
def whole() -> list[bytes]:
    return INVOKE_WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return INVOKE_STREAMS
