"""What makes two calls the same for the response cache, and what a client may say of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.cache_key import (
    NO_DIRECTIVES,
    Directives,
    cache_key,
    compact,
    directives,
    makes_something,
    normalised,
    significant,
)
from gateway.errors import CallError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(["model", "messages", "user", "metadata", "seed", "tools", "é"]), VALUES)


def normal(raw: str | bytes, named_in_body: bool = True) -> bytes:
    return normalised(compact(raw.encode() if isinstance(raw, str) else raw), named_in_body)


@given(BODIES, st.randoms(use_true_random=False), st.sampled_from([None, 1, 4]))
def test_white_space_and_the_order_at_the_top_do_not_count(
    body: dict[str, Any], chance: Any, indent: int | None
) -> None:
    names = list(body)
    chance.shuffle(names)
    one = json.dumps(body)
    other = json.dumps({name: body[name] for name in names}, indent=indent)
    assert normal(one) == normal(other)


@given(BODIES, BODIES)
def test_bodies_that_differ_in_anything_that_counts_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    counting = [
        {name: value for name, value in body.items() if name not in ("model", "user", "metadata")}
        for body in (one, other)
    ]
    same = json.dumps(counting[0], sort_keys=True) == json.dumps(counting[1], sort_keys=True)
    if not same:
        assert normal(json.dumps(one)) != normal(json.dumps(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": 1.0}'),
        ('{"a": {"x": 1, "y": 2}}', '{"a": {"y": 2, "x": 1}}'),
        ('{"a": "b c"}', '{"a": "b  c"}'),
        ('{"a": null}', "{}"),
        ('{"a": 12345678901234567890123.10}', '{"a": 12345678901234567890123.1}'),
    ],
)
def test_what_a_model_could_tell_apart_is_kept_apart(one: str, other: str) -> None:
    assert normal(one) != normal(other)


def test_who_asks_and_the_name_of_the_model_are_left_out() -> None:
    said = '{"model": "fast", "user": "ada", "metadata": {"feature": "x"}, "prompt_cache_key": "k", "seed": 1}'
    assert normal(said) == b'{"seed":1}'
    assert normal('{"model": "m", "seed": 1}', named_in_body=False) == b'{"model":"m","seed":1}'


@pytest.mark.parametrize(
    ("body", "makes"),
    [
        ('{"store": true}', True),
        ('{"store": false, "background": null}', False),
        ('{"background": true}', True),
        ('{"conversation": "conv_1"}', True),
        ('{"previous_response_id": "resp_1"}', False),
    ],
)
def test_calls_that_are_more_than_a_question(body: str, makes: bool) -> None:
    assert makes_something(compact(body.encode())) is makes


def test_headers_that_may_change_the_answer() -> None:
    headers = [
        (b"user-agent", b"OpenAI/Python"),
        (b"x-stainless-retry-count", b"1"),
        (b"traceparent", b"00-1-2-01"),
        (b"x-callgate-tags", b"a=b"),
        (b"openai-organization", b"org"),
        (b"anthropic-beta", b"context-1m"),
    ]
    assert significant(headers) == [(b"anthropic-beta", b"context-1m"), (b"openai-organization", b"org")]


def test_a_part_does_not_run_over_into_the_next() -> None:
    keys = {
        cache_key(b"{}", "a", "bc"),
        cache_key(b"{}", "ab", "c"),
        cache_key(b"{}", "abc", None),
        cache_key(b"{}", ["a", "bc"]),
    }
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (None, NO_DIRECTIVES),
        (b"", NO_DIRECTIVES),
        (b"no-store", Directives(no_store=True)),
        (b"Only-If-Cached, max-age=5", Directives(only_if_cached=True, max_age_us=5_000_000)),
        (b"max-age=0", Directives(max_age_us=0)),
    ],
)
def test_directives(value: bytes | None, meant: Directives) -> None:
    assert directives(value) == meant


@pytest.mark.parametrize("value", [b"nostore", b"max-age", b"max-age=-1", b"max-age=\xb2", b"no-store=1", b"no-cache"])
def test_directives_that_are_not_understood_are_refused(value: bytes) -> None:
    with pytest.raises(CallError) as refused:
        directives(value)
    assert (refused.value.status, refused.value.param) == (400, "x-callgate-cache")
