from __future__ import annotations

import pytest

from gateway.core.key import Key


@pytest.mark.parametrize(
    ("patterns", "names", "allowed"),
    [
        (("*",), ("anything", "x/y"), True),
        (("gpt-4o",), ("openai/gpt-4o", "gpt-4o"), True),
        (("gpt-4o",), ("openai/gpt-4o-mini", "gpt-4o-mini"), False),
        (("openai/*",), ("openai/gpt-4o", "fast"), True),
        (("openai/*",), ("anthropic/claude", "fast"), False),
        (("fast",), ("openai/gpt-4o", "fast"), True),
        (("gpt-?",), ("gpt-4",), True),
        (("gpt-?",), ("gpt-45",), False),
        (("GPT-*",), ("gpt-4",), False),
        (("a", "b*"), ("beta",), True),
        (("*-mini", "*"), ("large",), True),
        ((), ("x",), False),
    ],
)
def test_a_key_may_use_what_one_of_its_patterns_names(
    patterns: tuple[str, ...], names: tuple[str, ...], allowed: bool
) -> None:
    assert Key(key_id="k", name="app", models=patterns).allows_model(*names) is allowed
