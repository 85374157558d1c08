"""OpenAI's embeddings keep the contract of a dialect."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from pricing import Usage
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract
from tests.dialects.openai_shapes import dumped

VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -1.5e-3]}],
    "model": "e-1",
}
WHOLE = [
    dumped({**VECTORS, "usage": {"prompt_tokens": 8, "total_tokens": 8}}),
    dumped({**VECTORS, "usage": {"total_tokens": 8}}),
    dumped(VECTORS),
]


@pytest.fixture
def dialect() -> Dialect:
    return dialect_for(b"POST", b"/v1/embeddings")


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return [b"data: " + WHOLE[0] + b"\n\n"]


def test_nothing_is_generated(dialect: Dialect) -> None:
    for answer in WHOLE[:2]:
        assert dialect.settle(answer, False).usage == Usage(input_tokens=8, total_reported=8)
    assert dialect.settle(WHOLE[2], False).usage is None


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        (b'{"input":"a text"}', "a text"),
        (b'{"input":["one","two"]}', "one\ntwo"),
        (b'{"input":[[1,2],[3]]}', None),
        (b'{"input":7}', None),
        (b"[]", None),
    ],
)
def test_the_prompt(dialect: Dialect, body: bytes, prompt: str | None) -> None:
    assert dialect.prompt(body) == prompt
