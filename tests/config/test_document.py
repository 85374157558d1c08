from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.document import Problem, interpolate, parse, spelled

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_documents_are_read_as_yaml_reads_them(value: Any):
    text = yaml.safe_dump(value, allow_unicode=True)
    assert parse(text).value == yaml.safe_load(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str):
    read = parse(text)
    assert read.value is None or not any("is not YAML" in problem.message for problem in read.problems)


def test_lines():
    read = parse("a: 1\nb:\n  c:\n  - 1\n  - d: 2\n")
    assert read.lines[("a",)] == 1
    assert read.lines[("b", "c")] == 3
    assert read.lines[("b", "c", 1, "d")] == 5


def test_names_are_text_and_dates_stay_text():
    assert parse("{4: x, on: y, valid_from: 2026-01-01}").value == {"4": "x", "on": "y", "valid_from": "2026-01-01"}


def test_anchors_and_merges():
    assert parse("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}").value == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}


def test_a_document_that_holds_itself():
    assert parse("a: &x [*x]").problems == [Problem((), "is not YAML: RecursionError")]


def test_two_documents_in_one_file():
    assert "is not YAML" in parse("a: 1\n---\nb: 2").problems[0].message


@given(DOCUMENTS)
def test_without_references_nothing_changes(value: Any):
    problems: list[Problem] = []
    if "${" not in repr(value):
        assert interpolate(value, {}, problems) == value
        assert problems == []


def test_paths():
    assert spelled(("keys", 0, "tags", "a")) == "keys[0].tags.a"
    assert spelled(()) == ""
