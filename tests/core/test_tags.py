from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.key import Key
from gateway.core.tags import LONGEST_KEY, LONGEST_VALUE, MOST_TAGS, bind, columns, from_header, from_metadata
from gateway.errors import CallError


@pytest.mark.parametrize(
    ("raw", "tags"),
    [
        (b"{}", {}),
        (b"null", {}),
        (b'{"feature":"chat"}', {"feature": "chat"}),
        (b'{"a":1,"b":1.50,"c":true,"d":null,"e":"x"}', {"a": "1", "b": "1.50", "c": "true", "e": "x"}),
        (b'{"a":{"b": [1]},"c":[]}', {"a": '{"b": [1]}', "c": "[]"}),
        (b'{"a":"\\u00e9"}', {"a": "é"}),
    ],
)
def test_tags_of_a_metadata_object(raw: bytes, tags: dict[str, str]) -> None:
    assert from_metadata(raw) == tags


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"7", b"true", b'{"a":"\xff"}', b'{"\xff":"a"}'])
def test_metadata_that_is_no_object_of_strings(raw: bytes) -> None:
    with pytest.raises(CallError, match="'metadata' must be an object") as caught:
        from_metadata(raw)
    assert (caught.value.status, caught.value.param) == (400, "metadata")


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (b'{"k":"v"}', {"k": "v"}),
        (b'  {"k": 1} ', {"k": "1"}),
        (b"k=v", {"k": "v"}),
        (b"k=v,k2=v2", {"k": "v", "k2": "v2"}),
        (b" k = v , k2 = v2 ,", {"k": "v", "k2": "v2"}),
        (b"k=a%2Cb%3Dc", {"k": "a,b=c"}),
        (b"k=a=b", {"k": "a=b"}),
        (b"k=", {"k": ""}),
        (b"", {}),
        (b",,", {}),
        ("k=é".encode(), {"k": "é"}),
        (b"k=\xff%ff", {"k": "��"}),
    ],
)
def test_tags_of_the_header(value: bytes, tags: dict[str, str]) -> None:
    assert from_header(value) == tags


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"word", "'word' is not key=value"),
        (b"a=1,word", "'word' is not key=value"),
        (b"=x", "'=x' is not key=value"),
        (b"{", "is not a JSON object of strings"),
        (b'{"a":1}x', "is not a JSON object of strings"),
        (b'{"a":' + b"[" * 100_000, "is not a JSON object of strings"),
        (b'{"a":"\\ud800"}', "is not a JSON object of strings"),
    ],
)
def test_a_header_that_is_none(value: bytes, message: str) -> None:
    with pytest.raises(CallError) as caught:
        from_header(value)
    assert message in caught.value.message
    assert (caught.value.status, caught.value.param) == (400, "x-callgate-tags")


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: b"{" + rest))
def test_any_header_is_tags_or_an_error_of_the_clients(value: bytes) -> None:
    try:
        tags = from_header(value)
    except CallError:
        return
    assert all(isinstance(part, str) for pair in tags.items() for part in pair)


def test_as_many_and_as_long_as_are_allowed() -> None:
    most = {f"{i:0{LONGEST_KEY}}": "é" * LONGEST_VALUE for i in range(MOST_TAGS)}
    assert from_metadata(json.dumps(most).encode()) == most
    assert len(from_header(b",".join(b"k%d=v" % i for i in range(MOST_TAGS)))) == MOST_TAGS


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({str(i): "" for i in range(MOST_TAGS + 1)}, f"has {MOST_TAGS + 1} tags; {MOST_TAGS} are allowed"),
        ({"k" * (LONGEST_KEY + 1): "v"}, "is too long"),
        ({"k": "v" * (LONGEST_VALUE + 1)}, "the tag 'k' is too long"),
    ],
)
def test_more_or_longer_is_refused(tags: dict[str, str], message: str) -> None:
    for given_as in (from_metadata, from_header):
        with pytest.raises(CallError) as caught:
            given_as(json.dumps(tags).encode())
        assert caught.value.status == 400
    with pytest.raises(CallError, match=message):
        from_metadata(json.dumps(tags).encode())


def test_what_a_key_is_bound_to_wins_and_what_it_only_suggests_loses() -> None:
    key = Key(key_id="k", name="app", tenant="acme", environment="prod", tags={"feature": "chat", "team": "one"})
    sent = {"tenantSlug": "evil", "environment": "dev", "feature": "search"}
    assert bind(key, sent) == {"tenantSlug": "acme", "environment": "prod", "feature": "search", "team": "one"}
    assert bind(Key(key_id="k", name="free"), sent) == sent
    assert bind(Key(key_id="k", name="free", tags={"tenantSlug": "mine"}), {}) == {"tenantSlug": "mine"}


def test_reserved_tags_fill_columns() -> None:
    tags = {"tenantSlug": "acme", "userId": "u", "sessionId": "s", "agent": "a", "workflow": "w", "other": "x"}
    assert columns(tags) == {"tenant": "acme", "user": "u", "session": "s", "agent": "a", "workflow": "w"}
