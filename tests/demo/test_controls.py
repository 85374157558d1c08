from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.demo.controls import Controls, controls, words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", {}),
        ("stall", {"stall": "true"}),
        ("status=429, retry-after=2", {"status": "429", "retry-after": "2"}),
        (" TTFT-MS = 0 ,, tps=0 ", {"ttft-ms": "0", "tps": "0"}),
        ("status=500, status=503", {"status": "503"}),
    ],
)
def test_words(text: str, said: dict[str, str]) -> None:
    assert words(text) == said


def test_later_words_win() -> None:
    found = controls(words("status=500, tps=0"), {"status": 503}, words("retry-after=1.5"))
    assert found == Controls(status=503, tps=0, retry_after=1.5)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("bogus=1", "bogus"),
        ("status=200", "status"),
        ("status=soon", "status"),
        ("times=0", "times"),
        ("tps=-1", "tps"),
        ("usage=zero", "usage"),
    ],
)
def test_a_word_that_is_not_understood_is_named_with_those_that_are(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"{named}.*Known are: .*stall-after"):
        controls(words(text))


@pytest.mark.parametrize(
    "text", ["status=500", "stall", "stall-after=0", "reset", "cut-after=0", "error-after=3", "garbage", "not-json"]
)
def test_without_failure_keeps_time_and_length(text: str) -> None:
    found = controls(words(text), words("ttft-ms=1, tps=2, delay-ms=3, tokens=4, usage=none, finish=length"))
    assert found.fails
    assert found.without_failure() == Controls(ttft_ms=1, tps=2, delay_ms=3, tokens=4, usage="none", finish="length")
    assert not found.without_failure().fails


def test_every_word_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")
    assert [f.encode_name for f in msgspec.structs.fields(Controls) if f"| `{f.encode_name}" not in page] == []
