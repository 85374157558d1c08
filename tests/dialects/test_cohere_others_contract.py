"""Cohere's endpoints that never stream keep the contract as far as it is about whole answers."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.cohere_shapes import WHOLE
from tests.dialects.contract import (
    test_it_is_found_by_its_name,
    test_no_bytes_make_it_raise,
    test_nor_do_its_own_answers_damaged,
    test_nor_does_nesting,
    test_nor_does_text_that_is_no_unicode,
    test_settle_and_read_agree,
)

__all__ = [
    "test_it_is_found_by_its_name",
    "test_no_bytes_make_it_raise",
    "test_nor_do_its_own_answers_damaged",
    "test_nor_does_nesting",
    "test_nor_does_text_that_is_no_unicode",
    "test_settle_and_read_agree",
]


@pytest.fixture(params=[b"/v2/embed", b"/v1/embed", b"/v2/rerank", b"/v1/tokenize"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return dialect_for(b"POST", request.param)


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return []
