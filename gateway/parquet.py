"""`python -m gateway.parquet`: rows on standard input, a Parquet file on standard output.

A process of its own, because pyarrow alone would take the gateway over its memory (docs/decisions/0033). It imports
little else: an export of a few rows should not take a second. What comes is in `gateway.core.packed`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gateway.core.packed import messages, read_columns, read_rows
from gateway.core.span import ToolCall
from gateway.core.stored import Block, StoredRow
from pricing.usage import Billed, Usage

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
NANO_USD = pa.scalar(Decimal("0.000000001"), pa.decimal128(9, 9))


def write(stream: BinaryIO, out: BinaryIO) -> None:
    """In row groups, so that memory does not grow with the file."""
    coming = messages(stream)
    schema = pa.schema([(name, column_type(name, kind)) for name, kind in read_columns(next(coming))])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _groups(map(read_rows, coming)):
            block = Block(group)
            writer.write_table(pa.table([column(field.name, field.type, block) for field in schema], schema=schema))


def _groups(lists: Iterable[list[StoredRow]]) -> Iterator[list[StoredRow]]:
    group: list[StoredRow] = []
    for rows in lists:
        group += rows
        if len(group) >= ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


def column_type(name: str, annotation: str) -> Any:
    """Of a field of a record: by its name where the unit is in it, else by its annotation."""
    if name in NESTED:
        return NESTED[name]
    if name.endswith("_at"):
        return TIME
    if name.endswith("_usd"):
        return USD
    return {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}[annotation.split()[0]]


def column(name: str, kind: Any, block: Block) -> Any:
    """Times, durations and money go over as whole numbers and become what they are all at once."""
    if name in MADE:
        return MADE[name](block)
    if name.endswith("_usd"):
        return _usd(block[f"{name.removesuffix('_usd')}_nanousd"])
    if name.endswith("_ms"):
        return _ms(block[f"{name.removesuffix('_ms')}_us"])
    if hasattr(Usage, name):
        return pa.array(map(attrgetter(name), block.usages), kind, size=block.size)
    return pa.array(block[name], kind)


def _usd(nanousd: Sequence[int | None]) -> Any:
    return pc.multiply(pa.array(nanousd, pa.int64()).cast(pa.decimal128(19, 0)), NANO_USD).cast(USD)


def _ms(us: Sequence[int | None]) -> Any:
    return pc.divide(pa.array(us, pa.int64()).cast(pa.float64()), 1000.0)


def _stream(block: Block) -> Any:
    return pa.array(map(bool, block["stream"]), pa.bool_(), size=block.size)


def _tags(block: Block) -> Any:
    keys = pa.array(chain.from_iterable(block.tags), pa.string())
    values = pa.array(chain.from_iterable(tags.values() for tags in block.tags), pa.string())
    return pa.MapArray.from_arrays(_offsets(block.tags), keys, values)


def _usage_raw(block: Block) -> Any:
    texts = [None if raw is None else bytes(raw).decode() for raw in block.usage_raw]
    return pa.array([None if text == "null" else text for text in texts], pa.string())


def _attempts(block: Block) -> Any:
    """A column of each field of all attempts; the lists are where one row's end and the next one's begin."""
    attempts = [*chain.from_iterable(block.attempts)]
    fields = (
        pa.array([attempt.provider for attempt in attempts], pa.string()),
        pa.array([attempt.model for attempt in attempts], pa.string()),
        pa.array([attempt.status_code for attempt in attempts], pa.int64()),
        pa.array([attempt.error_type for attempt in attempts], pa.string()),
        pa.array([attempt.started_at for attempt in attempts], TIME),
        _ms([attempt.latency_us for attempt in attempts]),
        _usd([attempt.cost_nanousd for attempt in attempts]),
    )
    values = pa.StructArray.from_arrays(fields, fields=list(ATTEMPT))
    return pa.ListArray.from_arrays(_offsets(block.attempts), values)


def _offsets(lists: Iterable[Sequence[Any] | dict[str, str]]) -> Any:
    return pa.array(accumulate(map(len, lists), initial=0), pa.int32())


def _tool_calls(block: Block) -> Any:
    """Few rows have any, as of what is billed at other models' prices."""
    calls = [None if calls is None else list(map(_tool_call, calls)) for calls in block.tool_calls]
    return pa.array(calls, NESTED["tool_calls"])


def _tool_call(call: ToolCall) -> dict[str, str | None]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _billed_also(block: Block) -> Any:
    return pa.array([list(map(_billed, parts)) for parts in block.also], NESTED["billed_also"])


def _billed(part: Billed) -> dict[str, Any]:
    return {
        "model": part.model,
        "input_tokens": part.usage.input_tokens,
        "output_tokens": part.usage.output_tokens,
        "service_tier": part.service_tier,
    }


MADE: dict[str, Callable[[Block], Any]] = {
    "stream": _stream,
    "tokens_per_second": lambda block: pa.array(block.tokens_per_second, pa.float64()),
    "tags": _tags,
    "usage_raw": _usage_raw,
    "attempts": _attempts,
    "tool_calls": _tool_calls,
    "billed_also": _billed_also,
}
"""Columns that are none of a row as it stands."""


if __name__ == "__main__":
    write(sys.stdin.buffer, sys.stdout.buffer)
