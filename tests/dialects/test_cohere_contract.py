"""Cohere's dialects keep the contract: version 2's events, version 1's lines."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.cohere_shapes import OLD_STREAMS, OLD_WHOLE, STREAMS, WHOLE, dumped
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract

V1 = dialect_for(b"POST", b"/v1/chat")


@pytest.fixture(params=[b"/v2/chat", b"/v1/chat"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return dialect_for(b"POST", request.param)


@pytest.fixture
def whole() -> list[bytes]:
    return [*WHOLE, dumped(OLD_WHOLE)]


@pytest.fixture
def streams(dialect: Dialect) -> list[bytes]:
    return OLD_STREAMS if dialect is V1 else STREAMS
