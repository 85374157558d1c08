"""OpenAI's legacy completions keep the contract of a dialect."""

from __future__ import annotations

import pytest

from gateway.dialects import Dialect, dialect_for
from tests.dialects.contract import *  # noqa: F403  # the tests are those of the contract
from tests.dialects.openai_shapes import DONE, USAGE, dumped


def completion(text: str, finish: str | None, **more: object) -> bytes:
    return dumped({"id": "c", "model": "m-1", "choices": [{"index": 0, "text": text, "finish_reason": finish}], **more})


WHOLE = [completion("Hello", "stop", usage=USAGE), completion("", None)]
STREAMS = [
    b"".join(
        b"data: %b\n\n" % part
        for part in (
            completion("", None),
            completion("Hel", None),
            completion("lo", "stop"),
            dumped({"id": "c", "model": "m-1", "choices": [], "usage": USAGE}),
        )
    )
    + DONE
]


@pytest.fixture
def dialect() -> Dialect:
    return dialect_for(b"POST", b"/v1/completions")


@pytest.fixture
def whole() -> list[bytes]:
    return WHOLE


@pytest.fixture
def streams() -> list[bytes]:
    return STREAMS


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        (b'{"prompt":"Say hi"}', "Say hi"),
        (b'{"prompt":["one","two"]}', "one\ntwo"),
        (b'{"prompt":[1,2,3]}', None),
        (b'{"prompt":null}', None),
        (b"{}", None),
    ],
)
def test_the_prompt(dialect: Dialect, body: bytes, prompt: str | None) -> None:
    assert dialect.prompt(body) == prompt


def test_the_text(dialect: Dialect) -> None:
    assert dialect.read(WHOLE[0], False, 200).text == "Hello"
    assert dialect.read(STREAMS[0], True, 200).text == "Hello"
