"""Google's dialects keep the contract, in both forms of their streams."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract
from tests.dialects.gemini_shapes import ARRAYS, STREAMS, WHOLE


@pytest.fixture(
    params=[
        b"/v1beta/models/m:generateContent",
        b"/v1beta/models/m:streamGenerateContent",
        b"/v1beta/models/m:embedContent",
        b"/v1beta/models/m:countTokens",
        b"/v1/projects/p/locations/l/publishers/google/models/text-embedding-m:predict",
        b"/v1/projects/p/locations/l/publishers/google/models/imagen-m:predict",
    ]
)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return dialect_for(b"POST", request.param)


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture(params=[STREAMS, ARRAYS], ids=["events", "array"])
def streams(request: pytest.FixtureRequest) -> list[bytes]:
    found: list[bytes] = request.param
    return found
