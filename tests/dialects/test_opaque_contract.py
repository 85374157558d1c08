"""The fallback keeps the contract too: it knows of errors and of nothing else."""

from __future__ import annotations

import pytest

from gateway.dialects import OPAQUE, Answer, Dialect, dialect_for, dialect_named
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract
from tests.dialects.openai_shapes import STREAMS, WHOLE


@pytest.fixture
def dialect() -> Dialect:
    return OPAQUE


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return STREAMS


@pytest.mark.parametrize(
    ("method", "path"),
    [(b"GET", b"/v1/embeddings"), (b"POST", b"/v1/chat/completions/"), (b"POST", b"/v1/assistants"), (b"", b"")],
)
def test_what_nobody_speaks_is_opaque(method: bytes, path: bytes) -> None:
    assert dialect_for(method, path) is OPAQUE


def test_a_name_of_another_version_is_opaque() -> None:
    assert dialect_named("telepathy") is OPAQUE


def test_it_reads_no_answer() -> None:
    assert OPAQUE.settle(WHOLE[0], False) == OPAQUE.read(WHOLE[0], False, 200) == Answer()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"no","code":1}}', "no"),
        (b'{"error":"no"}', "no"),
        (b'{"message":"no"}', "no"),
        (b'{"detail":"no"}', "no"),
        (b'{"detail":[{"loc":["body"],"msg":"no"}]}', '[{"loc":["body"],"msg":"no"}]'),
        (b'[{"error":{"message":"no"}}]', "no"),
        (b"[]", None),
        (b"{}", None),
        (b"Bad Gateway\n", "Bad Gateway"),
        (b"\xff", "�"),
        (b"", None),
        (b"x" * 5000, "x" * 2000),
    ],
)
def test_the_shapes_of_errors(body: bytes, message: str | None) -> None:
    assert OPAQUE.read(body, False, 500).error == message
