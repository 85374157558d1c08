"""An export makes no span of a row; what it writes is what the record of the span says, to the byte."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api.export import FORMATS
from gateway.api.record import FIELDS, encode, moment, record_of, values_of
from gateway.core.span import Attempt, Span, ToolCall
from gateway.core.stored import StoredRow
from gateway.parquet import write
from pricing.usage import Billed, Usage
from tests.store.naive import as_stored

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(['a,"b"', "=1", "two\nlines"])
COUNT = st.none() | st.integers(0, 1 << 40)
MONEY = st.none() | st.integers(-(1 << 40), 1 << 50)
TIME = st.integers(0, 4_000_000_000_000_000)
TEXTS = {name: kind for name, kind in Span.__annotations__.items() if kind.split()[0] == "str" and name != "cache"}
SPANS = st.builds(
    Span,
    **{name: TEXT if kind == "str" else TEXT | st.none() for name, kind in TEXTS.items()},
    **dict.fromkeys(("config_version", "prompt_version", "status_code"), COUNT),
    **dict.fromkeys(("latency_us", "ttft_us", "upstream_us", "overhead_us"), COUNT),
    **dict.fromkeys([name for name in Span.__struct_fields__ if name.endswith("_nanousd")], MONEY),
    started_at=TIME,
    ended_at=st.none() | TIME,
    stream=st.booleans(),
    cache=st.sampled_from([None, "hit", "miss"]),
    usage=st.none() | st.builds(Usage, **dict.fromkeys(("input_tokens", "output_tokens", "total_reported"), COUNT)),
    usage_raw=st.none()
    | st.binary(max_size=6)
    | st.sampled_from([b'{"a": 1}', b' "a" ', b"null", b"[1", b"2]", b"3,4", b'"\xff"', "ä".encode()]),
    tool_calls=st.none() | st.lists(st.builds(ToolCall, TEXT, st.none() | TEXT, st.none() | TEXT), max_size=2),
    also=st.lists(st.builds(Billed, TEXT, st.builds(Usage, COUNT, COUNT), st.none() | TEXT), max_size=2),
    attempts=st.lists(
        st.builds(Attempt, TEXT, st.none() | TEXT, COUNT, st.none() | TEXT, TIME, st.integers(0, 1 << 40), MONEY),
        max_size=2,
    ),
    tags=st.dictionaries(TEXT, TEXT, max_size=3),
)
EXPORTS = st.lists(SPANS, min_size=1, max_size=5)


def stored(spans: list[Span]) -> list[StoredRow]:
    return [as_stored(span) for span in spans]


@given(EXPORTS)
def test_lines_of_json_are_records(spans: list[Span]) -> None:
    assert FORMATS["jsonl"].lines(stored(spans)) == b"".join(encode(record_of(span)) + b"\n" for span in spans)


@given(EXPORTS)
def test_rows_of_csv_are_records(spans: list[Span]) -> None:
    rows = ["".join((",".join(map(cell, FIELDS, values_of(span))), "\r\n")) for span in spans]
    assert FORMATS["csv"].lines(stored(spans)) == "".join(rows).encode()


def cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    text = value if isinstance(value, str) else encode(value).decode()
    if isinstance(value, str) and text[:1] and text[0] in "=+-@\t\r\n＝＋－＠":
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '",\r\n') else text


@settings(max_examples=40)
@given(EXPORTS)
def test_rows_of_parquet_are_records(spans: list[Span]) -> None:
    form = FORMATS["parquet"]
    file = io.BytesIO()
    write(io.BytesIO(form.head + form.lines(stored(spans))), file)
    found = [{**row, "tags": dict(row["tags"])} for row in pq.read_table(file).to_pylist()]
    assert [plain(row) for row in found] == [plain(record_of(span)) for span in spans]


def plain(value: Any) -> Any:
    """As JSON has it: a record and a row of Parquet look alike."""
    if isinstance(value, datetime):
        return moment((value - EPOCH) // timedelta(microseconds=1))
    if isinstance(value, Decimal):
        return f"{value:.9f}"
    if isinstance(value, msgspec.Raw):
        return None if bytes(value) == b"null" else bytes(value).decode()
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value
