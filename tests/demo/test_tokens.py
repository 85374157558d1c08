from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo import tokens


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("Hello there", ["Hello", " there"]),
        ("worldwide", ["worldw", "ide"]),
        ("a\n\nb ", ["a", "\n\nb", " "]),
        ("日本 語", ["日", "本", " 語"]),
        ("naïve", ["na", "ï", "ve"]),
    ],
)
def test_split(text: str, pieces: list[str]) -> None:
    assert tokens.split(text, limit=100) == pieces


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(tokens.split(text, limit=10_000)) == text


def test_split_stops_at_the_limit() -> None:
    assert tokens.split("one two three four", limit=2) == ["one", " two"]


@pytest.mark.parametrize(("text", "tokens_in_it"), [("", 0), ("a", 1), ("four", 1), ("five!", 2), ("日本", 2)])
def test_count(text: str, tokens_in_it: int) -> None:
    assert tokens.count(text) == tokens_in_it


def test_a_long_prefix_is_cached_from_its_second_time_on() -> None:
    cache = tokens.PrefixCache()
    prefix = "The same long instructions. " * 200  # 5600 bytes, 1400 tokens
    assert cache.cached_tokens(prefix + "First question?") == 0
    assert cache.cached_tokens(prefix + "Another one!") == 1280  # the largest multiple of 128 in 1400
    assert cache.cached_tokens("x" + prefix) == 0, "what differs at the start has nothing in common"


def test_a_short_prefix_is_not_cached() -> None:
    cache = tokens.PrefixCache()
    assert [cache.cached_tokens("a" * 4000) for _ in range(2)] == [0, 0]


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    cache = tokens.PrefixCache(size=2)
    texts = [letter * 4096 for letter in "abc"]  # 1024 tokens: one prefix each
    assert [cache.cached_tokens(text) for text in texts] == [0, 0, 0]
    assert cache.cached_tokens(texts[2]) == 1024
    assert cache.cached_tokens(texts[0]) == 0
