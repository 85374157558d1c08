"""`python -m gateway.parquet`: spans on standard input, a Parquet file on standard output.

A process of its own, because pyarrow alone would take the gateway over its memory (docs/decisions/0033). It imports
little else: an export of a few rows should not take a second. What comes is in `gateway.core.packed`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from operator import attrgetter
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gateway.core.derived import body_json, tokens_per_second
from gateway.core.packed import messages, read_columns, read_spans
from gateway.core.span import Attempt, Span, ToolCall
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
        for group in _groups(map(read_spans, coming)):
            writer.write_table(pa.table([column(field.name, field.type, group) for field in schema], schema=schema))


def _groups(lists: Iterable[list[Span]]) -> Iterator[list[Span]]:
    group: list[Span] = []
    for spans in lists:
        group += spans
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


def column(name: str, kind: Any, spans: list[Span]) -> Any:
    """Times, durations and money go over as whole numbers and become what they are all at once."""
    if name in DERIVED:
        return pa.array(map(DERIVED[name], spans), kind, size=len(spans))
    if name.endswith("_usd"):
        nano = pa.array(map(attrgetter(f"{name.removesuffix('_usd')}_nanousd"), spans), pa.int64(), size=len(spans))
        return pc.multiply(nano.cast(pa.decimal128(19, 0)), NANO_USD).cast(USD)
    if name.endswith("_ms"):
        micro = pa.array(map(attrgetter(f"{name.removesuffix('_ms')}_us"), spans), pa.int64(), size=len(spans))
        return pc.divide(micro.cast(pa.float64()), 1000.0)
    if name in OF_USAGE:
        usages = [span.usage or _NO_USAGE for span in spans]
        return pa.array(map(attrgetter(name), usages), kind, size=len(spans))
    return pa.array(map(attrgetter(name), spans), kind, size=len(spans))


def _tags(span: Span) -> list[tuple[str, str]]:
    return list(span.tags.items())


def _usage_raw(span: Span) -> str | None:
    raw = body_json(span.usage_raw)
    return None if raw is None or bytes(raw) == b"null" else bytes(raw).decode()


def _attempts(span: Span) -> list[dict[str, Any]]:
    return [_attempt(attempt) for attempt in span.attempts]


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "provider": attempt.provider,
        "model": attempt.model,
        "status_code": attempt.status_code,
        "error_type": attempt.error_type,
        "started_at": attempt.started_at,
        "latency_ms": attempt.latency_us / 1000,
        "cost_usd": None if attempt.cost_nanousd is None else Decimal(attempt.cost_nanousd).scaleb(-9),
    }


def _tool_calls(span: Span) -> list[dict[str, str | None]] | None:
    return None if span.tool_calls is None else [_tool_call(call) for call in span.tool_calls]


def _tool_call(call: ToolCall) -> dict[str, str | None]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _billed_also(span: Span) -> list[dict[str, Any]]:
    return [_billed(part) for part in span.also]


def _billed(part: Billed) -> dict[str, Any]:
    return {
        "model": part.model,
        "input_tokens": part.usage.input_tokens,
        "output_tokens": part.usage.output_tokens,
        "service_tier": part.service_tier,
    }


_NO_USAGE = Usage()
OF_USAGE = frozenset(
    (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "audio_input_tokens",
        "audio_output_tokens",
    )
)
DERIVED: dict[str, Callable[[Span], Any]] = {
    "tokens_per_second": tokens_per_second,
    "tags": _tags,
    "usage_raw": _usage_raw,
    "attempts": _attempts,
    "tool_calls": _tool_calls,
    "billed_also": _billed_also,
}
"""Columns that are no field of a span as it stands."""


if __name__ == "__main__":
    write(sys.stdin.buffer, sys.stdout.buffer)
