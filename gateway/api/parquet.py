"""`python -m gateway.api.parquet`: records as JSON lines on standard input, a Parquet file on standard output.

A process of its own, because pyarrow alone would take the gateway over its memory (docs/decisions/0033).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.api.record import Record

ROW_GROUP = 5_000

TIME = pa.timestamp("us", tz="UTC")
USD = pa.decimal128(28, 9)
ATTEMPT = pa.struct(
    [
        ("provider", pa.string()),
        ("model", pa.string()),
        ("status_code", pa.int64()),
        ("error_type", pa.string()),
        ("started_at", TIME),
        ("latency_ms", pa.float64()),
        ("cost_usd", USD),
    ]
)
TOOL_CALL = pa.struct([("id", pa.string()), ("name", pa.string()), ("arguments", pa.string())])
BILLED = pa.struct(
    [
        ("model", pa.string()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("service_tier", pa.string()),
    ]
)
NESTED = {
    "tags": pa.map_(pa.string(), pa.string()),
    "attempts": pa.list_(ATTEMPT),
    "tool_calls": pa.list_(TOOL_CALL),
    "usage_raw": pa.string(),
    "billed_also": pa.list_(BILLED),
}


class Attempt(msgspec.Struct):
    provider: str
    model: str | None
    status_code: int | None
    error_type: str | None
    started_at: datetime
    latency_ms: float
    cost_usd: Decimal | None


PARSED_AS: dict[str, Any] = {
    "tags": dict[str, str],
    "attempts": list[Attempt],
    "tool_calls": list[dict[str, str | None]] | None,
    "usage_raw": msgspec.Raw,
    "billed_also": list[dict[str, str | int | None]],
}


def column_type(name: str, annotation: str) -> Any:
    """Of a field of `Record`: by its name where the unit is in it, else by its annotation."""
    if name in NESTED:
        return NESTED[name]
    if name.endswith("_at"):
        return TIME
    if name.endswith("_usd"):
        return USD
    return {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}[annotation.split()[0]]


def parsed_as(name: str, annotation: str) -> Any:
    """What a field of a line is read as: times and dollars as such, without a detour through floats."""
    if name in PARSED_AS:
        return PARSED_AS[name]
    if name.endswith("_at"):
        return datetime | None
    if name.endswith("_usd"):
        return Decimal | None
    return {"str": str, "int": int, "float": float, "bool": bool}[annotation.split()[0]] | None


SCHEMA = pa.schema([(name, column_type(name, kind)) for name, kind in Record.__annotations__.items()])
Row = msgspec.defstruct("Row", [(name, parsed_as(name, kind)) for name, kind in Record.__annotations__.items()])
read_row = msgspec.json.Decoder(Row).decode


def write(lines: BinaryIO, out: BinaryIO) -> None:
    """In row groups, so that memory does not grow with the file."""
    rows: Iterator[Any] = map(read_row, lines)
    with pq.ParquetWriter(out, SCHEMA, compression="zstd") as writer:
        while group := list(islice(rows, ROW_GROUP)):
            writer.write_table(pa.table([_column(name, group) for name in SCHEMA.names], schema=SCHEMA))


def _column(name: str, group: list[Any]) -> Any:
    values = map(attrgetter(name), group)
    shaped = SHAPED.get(name)
    return pa.array(values if shaped is None else map(shaped, values), SCHEMA.field(name).type, size=len(group))


def _text(value: msgspec.Raw) -> str | None:
    return None if bytes(value) == b"null" else bytes(value).decode()


def _pairs(value: dict[str, str]) -> list[tuple[str, str]]:
    return list(value.items())


def _attempts(value: list[Attempt]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(attempt) for attempt in value]


SHAPED: dict[str, Callable[[Any], Any]] = {"tags": _pairs, "attempts": _attempts, "usage_raw": _text}
"""Fields whose values pyarrow does not take as they were read."""


if __name__ == "__main__":
    write(sys.stdin.buffer, sys.stdout.buffer)
