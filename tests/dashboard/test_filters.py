from __future__ import annotations

import pytest

from gateway.dashboard.filters import FIELDS, Filters, from_query, read_search


def test_a_figure_of_one_value_leads_to_that_value_alone() -> None:
    filters = from_query([("model", "a"), ("model", "b"), ("model", "!c"), ("tenant", "t")])
    assert filters.narrowed([("model", "b")]) == (("model", "!c"), ("tenant", "t"), ("model", "b"))
    assert filters.narrowed([("order", "costliest")]) == (*filters.pairs, ("order", "costliest"))


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", ()),
        ("invoice from October", (("q", "invoice from October"),)),
        ("model:gpt-5", (("model", "gpt-5"),)),
        ("refund model:gpt-5 please", (("model", "gpt-5"), ("q", "refund please"))),
        ("input:>12k output:<=50", (("min_input_tokens", "12000"), ("max_output_tokens", "50"))),
        ("cost:>0.01 latency:>2s", (("min_cost_usd", "0.01"), ("min_latency_ms", "2000"))),
        ("cost:<$1 latency:<200", (("max_cost_usd", "1"), ("max_latency_ms", "200"))),
        ("latency:250ms latency:1.5m", (("min_latency_ms", "250"), ("min_latency_ms", "90000"))),
        ('tag.feature:"two words"', (("tag.feature", "two words"),)),
        ("status:error", (("status", "error"),)),
        ("http://example.org nosuch:thing cost:cheap", (("q", "http://example.org nosuch:thing cost:cheap"),)),
    ],
)
def test_search_words_become_filters(text: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert read_search(text) == pairs


def test_a_query_holds_filters_and_other_things() -> None:
    filters = from_query([("model", "gpt-5"), ("period", "1h"), ("model", "gpt-5"), ("tag.a", "b"), ("tenant", " ")])
    assert filters.pairs == (("model", "gpt-5"), ("tag.a", "b"))


def test_links_keep_what_is_not_theirs() -> None:
    filters = from_query([("model", "a"), ("model", "b"), ("status", "error")], extra=(("period", "1h"),))
    assert filters.url(without=("model",)) == "/requests?status=error&period=1h"
    assert filters.toggled("model", "a") == "/requests?model=b&status=error&period=1h"
    assert filters.toggled("model", "c") == "/requests?model=a&model=b&status=error&model=c&period=1h"
    assert filters.url(plus=[("model", "a"), ("tag.x", "ü&=")]) == (
        "/requests?model=a&model=b&status=error&tag.x=%C3%BC%26%3D&period=1h"
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ([("model", "gpt-5")], ("Model", "is", "gpt-5")),
        ([("model", "a"), ("model", "b")], ("Model", "is any of", "2 values")),
        ([("status", "error")], ("Status", "is", "failed")),
        ([("tag.feature", "kyc")], ("feature", "is", "kyc")),
        ([("min_latency_ms", "2000")], ("Latency", "at least", "2000 ms")),
        ([("min_cost_usd", "0.01")], ("Cost", "at least", "$0.01")),
        ([("stream", "true")], ("Stream", "is", "streamed")),
        ([("unpriced", "true")], ("Price", "is", "unknown")),
    ],
)
def test_chips_say_what_they_filter(query: list[tuple[str, str]], words: tuple[str, str, str]) -> None:
    chip = from_query(query).chips[0]
    assert (chip.label, chip.op, chip.value) == words


def test_every_field_makes_a_chip_that_takes_itself_away() -> None:
    for field in FIELDS:
        filters = Filters(((field.name, "1"),))
        assert filters.chips[0].label
        assert filters.chips[0].without == "/requests"
