from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.filters import AMOUNTS, MAX_AMOUNT, PERIODS, TEXT_FIELDS, filter_params, parse_filter
from gateway.core.span import ERROR_TYPES
from gateway.errors import CallError
from gateway.store.base import SpanFilter

NOW = 1_763_675_185_000_000  # 2025-11-20T21:46:25Z
HOUR = 3_600_000_000


def parse(*params: tuple[str, str]) -> SpanFilter:
    return parse_filter(params, now_us=NOW)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([], SpanFilter()),
        ([("model", "a"), ("model", "b"), ("model", "a")], SpanFilter(model=("a", "b"))),
        ([("model", ""), ("q", "")], SpanFilter()),
        ([("status", "5xx"), ("status", "timeout"), ("status", "429")], SpanFilter(status=("5xx", "timeout", "429"))),
        ([("stream", "true")], SpanFilter(stream=True)),
        ([("stream", "0")], SpanFilter(stream=False)),
        ([("stream", "true"), ("stream", "false")], SpanFilter()),
        ([("unpriced", "true")], SpanFilter(unpriced=True)),
        ([("min_latency_ms", "12.3456")], SpanFilter(min_latency_us=12_346)),
        ([("max_latency_ms", "12.3456")], SpanFilter(max_latency_us=12_345)),
        ([("min_latency_ms", "1e+03")], SpanFilter(min_latency_us=1_000_000)),
        ([("min_cost_usd", "0.0000000011")], SpanFilter(min_cost_nanousd=2)),
        ([("max_cost_usd", "0.01")], SpanFilter(max_cost_nanousd=10_000_000)),
        ([("min_input_tokens", "1000"), ("max_output_tokens", "12.5")],
         SpanFilter(min_input_tokens=1000, max_output_tokens=12)),
        ([("q", "Bürgermeister = ?")], SpanFilter(q="Bürgermeister = ?")),
        ([("tag.team", "a"), ("tag.team", "b"), ("tag.x.y", "1")],
         SpanFilter(tags=(("team", ("a", "b")), ("x.y", ("1",))))),
        ([("model", "!x"), ("model", "y"), ("tag.team", "!a"), ("status", "!429")],
         SpanFilter(model=("y",), exclude=(("model", ("x",)), ("tag:team", ("a",)), ("status", ("429",))))),
        ([("user", "\\!x"), ("user", "\\\\y")], SpanFilter(user=("!x", "\\y"))),
        ([("prompt_version", "greeting@3")], SpanFilter(prompt_version=("greeting@3",))),
        ([("from", "2025-11-20")], SpanFilter(from_us=1_763_596_800_000_000)),
        ([("to", "2025-11-20T21:46:25Z")], SpanFilter(to_us=NOW)),
        ([("to", "2025-11-20T22:46:25.000001+01:00")], SpanFilter(to_us=NOW + 1)),
        ([("to", "2025-11-20T22:46:25 01:00")], SpanFilter(to_us=NOW)),
        ([("from", "2025-11-20 21:46:25")], SpanFilter(from_us=NOW)),
        ([("period", "1h")], SpanFilter(from_us=NOW - HOUR, to_us=NOW)),
        ([("period", "24h"), ("to", "2025-11-20T00:00:00Z")],
         SpanFilter(from_us=1_763_596_800_000_000 - 24 * HOUR, to_us=1_763_596_800_000_000)),
    ],
)  # fmt: skip
def test_what_parameters_mean(params: list[tuple[str, str]], expected: SpanFilter) -> None:
    assert parse(*params) == expected


@pytest.mark.parametrize(
    ("params", "param", "words"),
    [
        ([("modle", "x")], "modle", ["'modle'", "model"]),
        ([("tag.", "x")], "tag.", ["'tag.'", "tag.KEY"]),
        ([("status", "okay")], "status", ["'okay'", "ok", "timeout"]),
        ([("status", "600")], "status", ["'600'"]),
        ([("status", "٤٠٤")], "status", ["٤٠٤"]),
        ([("status", "!okay")], "status", ["'okay'"]),
        ([("model", "!")], "model", ["'!'"]),
        ([("stream", "maybe")], "stream", ["'maybe'", "true or false"]),
        ([("min_latency_ms", "fast")], "min_latency_ms", ["'fast'", "number"]),
        ([("min_latency_ms", "NaN")], "min_latency_ms", ["'NaN'"]),
        ([("min_cost_usd", "1e999999999")], "min_cost_usd", ["'1e999999999'"]),
        ([("min_cost_usd", "-1")], "min_cost_usd", ["'-1'"]),
        ([("min_cost_usd", "1"), ("min_cost_usd", "2")], "min_cost_usd", ["2 times"]),
        ([("from", "yesterday")], "from", ["'yesterday'", "ISO 8601"]),
        ([("from", "0001-01-01")], "from", ["1970"]),
        ([("to", "9999-12-31T23:59:59-23:59")], "to", ["2112"]),
        ([("from", "2025-11-20"), ("to", "2025-11-19")], "to", ["2025-11-19", "2025-11-20"]),
        ([("period", "1y")], "period", ["'1y'", "90d"]),
        ([("period", "1h"), ("from", "2025-11-20")], "period", ["one of them"]),
        ([("q", "a\0b")], "q", ["NUL"]),
        ([("user", "x" * 1001)], "user", ["1000"]),
        ([("user", str(number)) for number in range(201)], "", ["201"]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(params: list[tuple[str, str]], param: str, words: list[str]) -> None:
    with pytest.raises(CallError) as caught:
        parse(*params)
    assert caught.value.status == 400
    assert caught.value.param == param
    for word in words:
        assert word in caught.value.message


def test_other_parameters_of_an_endpoint_are_left_alone() -> None:
    assert parse_filter([("limit", "5"), ("model", "m")], now_us=NOW, also=("limit",)) == SpanFilter(model=("m",))


@pytest.mark.parametrize("period", PERIODS)
def test_every_period_ends_now(period: str) -> None:
    found = parse(("period", period))
    assert found.to_us == NOW
    assert found.from_us is not None
    assert NOW - 90 * 24 * HOUR <= found.from_us < NOW


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
values = st.lists(text, max_size=3, unique=True).map(tuple)
amount = st.none() | st.integers(0, MAX_AMOUNT // 1000)
times = st.integers(0, 2**52 - 1)


@st.composite
def filters(draw: st.DrawFn) -> SpanFilter:
    ends = sorted(draw(st.lists(times, min_size=2, max_size=2, unique=True)))
    return SpanFilter(
        from_us=draw(st.sampled_from([None, ends[0]])),
        to_us=draw(st.sampled_from([None, ends[1]])),
        status=draw(st.lists(st.sampled_from(["ok", "error", "4xx", "200", *ERROR_TYPES]), unique=True).map(tuple)),
        stream=draw(st.none() | st.booleans()),
        unpriced=draw(st.booleans()),
        q=draw(st.none() | text),
        tags=tuple(draw(st.dictionaries(text, values.filter(bool), max_size=3)).items()),
        **{name: draw(values) for name in TEXT_FIELDS},
        **{field: draw(amount) for field, _, _ in AMOUNTS.values()},
    )


@given(filters())
def test_a_filter_and_its_parameters_say_the_same(which: SpanFilter) -> None:
    assert parse_filter(filter_params(which), now_us=NOW) == which


names = st.sampled_from([*TEXT_FIELDS, *AMOUNTS, "from", "to", "period", "status", "stream", "unpriced", "q", "tag.a"])


@given(st.lists(st.tuples(names | st.text(max_size=10), st.text(max_size=40)), max_size=6))
def test_any_parameters_give_a_filter_or_a_clear_error(params: list[tuple[str, str]]) -> None:
    found: SpanFilter | CallError
    try:
        found = parse_filter(params, now_us=NOW)
    except CallError as exc:
        found = exc
    if isinstance(found, CallError):
        assert (found.status, found.message[-1]) == (400, ".")
    else:
        assert parse_filter(filter_params(found), now_us=NOW) == found
