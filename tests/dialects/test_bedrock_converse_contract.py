"""Bedrock's converse keeps the contract of a dialect."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.bedrock_shapes import STREAM, WHOLE
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract


@pytest.fixture
def dialect() -> Dialect:
    return dialect_for(b"POST", b"/model/m/converse")


@pytest.fixture
def whole() -> list[bytes]:
    return [WHOLE]


@pytest.fixture
def streams() -> list[bytes]:
    return [STREAM]
