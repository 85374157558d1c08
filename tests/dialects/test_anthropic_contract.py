"""Anthropic messages keep the contract of a dialect."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.anthropic_shapes import STREAMS, WHOLE
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract


@pytest.fixture(
    params=[
        b"/v1/messages",
        b"/v1/messages/count_tokens",
        b"/v1/projects/p/locations/l/publishers/anthropic/models/claude-m:streamRawPredict",
    ]
)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return dialect_for(b"POST", request.param)


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return STREAMS
