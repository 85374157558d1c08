"""Releases of one model are known by the end of their names."""

from __future__ import annotations

import pytest

from gateway.core.families import family_of, release_of


@pytest.mark.parametrize(
    ("model", "family", "release"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", "2024-08-06"),
        ("gpt-4o", "gpt-4o", ""),
        ("gpt-4-0613", "gpt-4", "0613"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "20250929"),
        ("claude-3-7-sonnet@20250219", "claude-3-7-sonnet", "20250219"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic.claude-3-5-sonnet", "20241022-v2:0"),
        ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash", "preview-05-20"),
        ("gemini-1.5-flash-002", "gemini-1.5-flash", "002"),
        ("chatgpt-4o-latest", "chatgpt-4o", "latest"),
        ("qwen3-8b-tuned", "qwen3-8b-tuned", ""),
        ("-latest", "-latest", ""),
    ],
)
def test_a_release_is_the_end_of_a_name(model: str, family: str, release: str) -> None:
    assert (family_of(model), release_of(model)) == (family, release)
