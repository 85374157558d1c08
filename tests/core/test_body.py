from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.body import MOST_OUTPUT, Body, encode, flag, most_output, parse, text, with_usage_asked
from gateway.errors import CallError

SPACE = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])
SCALARS = st.one_of(
    st.none().map(lambda _: "null"),
    st.sampled_from(["true", "false", "0", "-0", "1e5", "1E+2", "1.50", "1" * 40, "0.1", r'"é"', r'"a\/b"']),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(json.dumps),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda t: json.dumps(t, ensure_ascii=False)),
)


def _array(items: list[str], space: str) -> str:
    return f"[{space}{f'{space},'.join(items)}{space}]"


def _object(items: dict[str, str], space: str) -> str:
    pairs = (f"{json.dumps(key)}{space}:{space}{value}" for key, value in items.items())
    return f"{{{space}{f',{space}'.join(pairs)}{space}}}"


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(_array, st.lists(inner, max_size=3), SPACE)
        | st.builds(_object, st.dictionaries(KEYS, inner, max_size=3), SPACE)
    ),
    max_leaves=6,
)


def refusal(raw: bytes) -> CallError | None:
    try:
        assert isinstance(parse(raw), dict)
    except CallError as error:
        return error
    return None


def values(body: Body) -> dict[str, bytes]:
    return {key: bytes(value) for key, value in body.items()}


@given(st.dictionaries(KEYS, VALUES, max_size=5), SPACE)
def test_every_value_keeps_its_bytes(wanted: dict[str, str], space: str) -> None:
    raw = _object(wanted, space).encode()
    body = parse(raw)
    assert values(body) == {key: value.encode() for key, value in wanted.items()}
    again = encode(body)
    assert values(parse(again)) == values(body)
    assert list(json.loads(again)) == list(wanted)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), SPACE, st.data())
def test_a_key_that_comes_twice_is_refused(wanted: dict[str, str], space: str, data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sorted(wanted)))
    escaped = data.draw(st.sampled_from([json.dumps(twice), json.dumps(twice, ensure_ascii=False)]))
    raw = f"{_object(wanted, space)[:-1]}, {escaped}: 1}}".encode()
    with pytest.raises(CallError, match="twice; send it once") as caught:
        parse(raw)
    assert (caught.value.status, caught.value.param) == (400, twice)


@given(st.binary(max_size=60) | st.builds(_object, st.dictionaries(KEYS, VALUES, max_size=3), SPACE).map(str.encode))
def test_any_bytes_are_an_object_or_an_error_of_the_clients(raw: bytes) -> None:
    error = refusal(raw)
    assert error is None or (error.status, error.error_type) == (400, "invalid_request")


@given(st.builds(_object, st.dictionaries(KEYS, VALUES, max_size=3), SPACE).map(str.encode), st.data())
def test_a_damaged_object_too(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:at] + data.draw(st.sampled_from([b"", b"\xff", b'"', b"}", b"\\", b"\x00", b"1"])) + raw[at + 1 :]
    error = refusal(damaged)
    assert error is None or error.status == 400


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "The body is not valid JSON: "),
        (b"{}x", "The body is not valid JSON: "),
        (b"hello", "The body is not valid JSON: "),
        (b'{"a": 1,}', "The body is not valid JSON: "),
        (b"{'a': 1}", "The body is not valid JSON: "),
        (b'{"a": NaN}', "NaN and Infinity are not JSON"),
        (b'{"a": [-Infinity]}', "NaN and Infinity are not JSON"),
        (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
        (b'{"a": "\x01"}', "The body is not valid JSON: "),
        (b'\xef\xbb\xbf{"a": 1}', "The body is not valid JSON: "),
        ("{}".encode("utf-16"), "The body is not valid JSON: "),
        (b'{"\xff": 1}', "The body is not valid JSON: "),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"7", "must be a JSON object"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"model":"a","model":"b"}', "'model' twice"),
        (b'{"model":"a", "mod\\u0065l":"b"}', "'model' twice"),
    ],
)
def test_what_is_wrong_is_said(raw: bytes, message: str) -> None:
    with pytest.raises(CallError) as caught:
        parse(raw)
    assert message in caught.value.message
    assert (caught.value.status, caught.value.code) == (400, "invalid_request_error")


@pytest.mark.parametrize("depth", range(900, 1100, 7))
def test_around_the_deepest_nesting_it_is_one_or_the_other(depth: int) -> None:
    raw = b'{"a": ' + b"[" * depth + b"]" * depth + b"}"
    error = refusal(raw)
    assert error is None or "nested too deeply" in error.message


def test_a_number_of_any_length_is_left_as_it_is() -> None:
    assert bytes(parse(b'{"seed": ' + b"9" * 5000 + b"}")["seed"]) == b"9" * 5000


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a":"text"}', "text"),
        (b'{"a":""}', ""),
        (b'{"a":"\\u00e9\\ud83d\\ude00"}', "é😀"),
        (b'{"a":null}', None),
        (b"{}", None),
    ],
)
def test_text(raw: bytes, expected: str | None) -> None:
    assert text(parse(raw), "a") == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a":7}', "'a' must be a string."),
        (b'{"a":["x"]}', "'a' must be a string."),
        (b'{"a":true}', "'a' must be a string."),
        (b'{"a":"\xff"}', "'a' is not valid UTF-8."),
    ],
)
def test_what_is_no_text(raw: bytes, message: str) -> None:
    with pytest.raises(CallError, match=message) as caught:
        text(parse(raw), "a")
    assert (caught.value.status, caught.value.param) == (400, "a")


@pytest.mark.parametrize(
    ("raw", "expected"), [(b'{"a": true}', True), (b'{"a":false}', False), (b'{"a":null}', False), (b"{}", False)]
)
def test_flag(raw: bytes, expected: bool) -> None:
    assert flag(parse(raw), "a") is expected


@pytest.mark.parametrize("value", ["1", "0", '"true"', "[]", "{}"])
def test_what_is_no_flag(value: str) -> None:
    with pytest.raises(CallError, match=r"'a' must be true or false\."):
        flag(parse(f'{{"a": {value}}}'.encode()), "a")


@pytest.mark.parametrize(
    ("options", "asked", "sent"),
    [
        (None, True, b'{"include_usage":true}'),
        (b"null", True, b'{"include_usage":true}'),
        (b"{}", True, b'{"include_usage":true}'),
        (b'{"include_usage": false}', True, b'{"include_usage":true}'),
        (b'{"include_usage": null}', True, b'{"include_usage":true}'),
        (b'{"include_obfuscation":  false}', True, b'{"include_obfuscation":false,"include_usage":true}'),
        (b'{"x": 1.50, "include_usage": 1}', True, b'{"x":1.50,"include_usage":true}'),
        (b'{"include_usage": true}', False, b'{"include_usage": true}'),
        (b'"yes"', False, b'"yes"'),
        (b"[ ]", False, b"[ ]"),
    ],
)
def test_usage_is_asked_for_where_the_client_did_not(options: bytes | None, asked: bool, sent: bytes) -> None:
    body: Body = {"model": msgspec.Raw(b'"m"')}
    if options is not None:
        body["stream_options"] = msgspec.Raw(options)
    assert with_usage_asked(body) is asked
    assert values(body) == {"model": b'"m"', "stream_options": sent}


@pytest.mark.parametrize(
    ("raw", "tokens"),
    [
        (b"{}", None),
        (b'{"max_tokens":5}', 5),
        (b'{"max_completion_tokens":7,"max_tokens":5}', 7),
        (b'{"max_output_tokens":9}', 9),
        (b'{"max_tokens":5,"n":3}', 15),
        (b'{"max_tokens":5,"n":0}', 5),
        (b'{"max_tokens":5,"n":"x"}', 5),
        (b'{"generationConfig":{"maxOutputTokens":11}}', 11),
        (b'{"inferenceConfig":{"maxTokens":12}}', 12),
        (b'{"inferenceConfig":[],"generationConfig":null}', None),
        (b'{"max_tokens":-1}', None),
        (b'{"max_tokens":null}', None),
        (b'{"max_tokens":1e30}', None),
        (b'{"max_tokens":1000000000000000000000000000000}', MOST_OUTPUT),
        (b'{"max_tokens":1000000000,"n":1000000000}', MOST_OUTPUT),
    ],
)
def test_how_long_an_answer_may_be(raw: bytes, tokens: int | None) -> None:
    assert most_output(parse(raw)) == tokens
