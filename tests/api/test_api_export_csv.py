"""Rows of CSV as another program reads them."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.csv_rows import FORMULA_STARTS, lines
from gateway.api.record import Record, ToolCallRecord

FIELDS = Record.__annotations__
TEXTS = [name for name, kind in FIELDS.items() if kind.split()[0] == "str" and not name.endswith("_at")]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def row_of(**values: Any) -> str:
    return lines([[values.get(name)] for name in FIELDS])


def said(cell: str) -> str:
    return "'" + cell if cell[:1] in FORMULA_STARTS else cell


@given(st.fixed_dictionaries(dict.fromkeys(TEXTS, TEXT)))
def test_what_is_written_is_read(texts: dict[str, str]) -> None:
    [read] = csv.DictReader(io.StringIO(row_of(**texts), newline=""), fieldnames=list(FIELDS))
    assert {name: read[name] for name in TEXTS} == {name: said(text) for name, text in texts.items()}


@pytest.mark.parametrize(
    ("name", "value", "cell"),
    [
        ("tenant", None, ""),
        ("tenant", 'say "1,2"', '"say ""1,2"""'),
        ("output_preview", "=1+1", "'=1+1"),
        ("output_preview", "two\nlines", '"two\nlines"'),
        ("user", " x", " x"),
        ("input_tokens", 1, "1"),
        ("latency_ms", 2.5, "2.5"),
        ("stream", True, "true"),
        ("started_at", "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z"),
        ("cost_usd", msgspec.Raw(b"0.000000300"), "0.000000300"),
        ("usage_raw", msgspec.Raw(b'{"a":1}'), '"{""a"":1}"'),
        ("tool_calls", [ToolCallRecord(None, "f", None)], '"[{""id"":null,""name"":""f"",""arguments"":null}]"'),
    ],
)
def test_cells_are_written_by_their_kind(name: str, value: Any, cell: str) -> None:
    assert row_of(**{name: value}).strip(",\r\n") == cell
