"""What Bedrock says was used: the usage object of `converse`, the metrics of a stream, the headers of an answer.

None of them counts cache reads and writes as input.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.counts import MOST
from pricing.usage import Usage

_HEADER = b"x-amzn-bedrock-%b-token-count"
_HEADERS = {
    name: _HEADER % name.encode() for name in ("input", "output", "cache-read-input", "cache-write-input")
}  # fmt: skip


class _CacheDetail(msgspec.Struct, rename="camel"):
    input_tokens: Any = None
    ttl: Any = None


class _Usage(msgspec.Struct, rename="camel"):
    """Of `converse`, and of Nova through `invoke`, which has only the `…Count` names."""

    input_tokens: Any = None
    output_tokens: Any = None
    total_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_read_input_token_count: Any = None
    cache_write_input_tokens: Any = None
    cache_write_input_token_count: Any = None
    cache_details: list[_CacheDetail] | None = None


class _Metrics(msgspec.Struct, rename="camel"):
    """`amazon-bedrock-invocationMetrics` of a stream's last chunk."""

    input_token_count: Any = None
    output_token_count: Any = None
    cache_read_input_token_count: Any = None
    cache_write_input_token_count: Any = None


_decode_usage = msgspec.json.Decoder(_Usage).decode
_decode_metrics = msgspec.json.Decoder(_Metrics).decode


def count(value: Any) -> int | None:
    """A token count; None for what cannot be one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
        return int(value)
    return None


def converse_usage(raw: bytes) -> Usage | None:
    try:
        found = _decode_usage(raw)
    except UNREADABLE:
        return None
    read = count(found.cache_read_input_tokens)
    written = count(found.cache_write_input_tokens)
    by_ttl = {detail.ttl: count(detail.input_tokens) for detail in found.cache_details or () if detail.ttl in _TTLS}
    return _usage(
        count(found.input_tokens),
        count(found.output_tokens),
        count(found.cache_read_input_token_count) if read is None else read,
        count(found.cache_write_input_token_count) if written is None else written,
        total_reported=count(found.total_tokens),
        cache_write_5m_tokens=by_ttl.get("5m"),
        cache_write_1h_tokens=by_ttl.get("1h"),
    )


_TTLS = ("5m", "1h")


def metrics_usage(raw: bytes) -> Usage | None:
    try:
        found = _decode_metrics(raw)
    except UNREADABLE:
        return None
    return _usage(
        count(found.input_token_count),
        count(found.output_token_count),
        count(found.cache_read_input_token_count),
        count(found.cache_write_input_token_count),
    )


def header_usage(headers: Mapping[bytes, bytes]) -> tuple[Usage | None, bytes | None]:
    """The counts in an answer's headers, and the same as a JSON object by the headers' names."""
    found = {name: value for name in _HEADERS.values() if (value := headers.get(name, b"")).isdigit()}
    counts = {name: count(int(found[header])) if header in found else None for name, header in _HEADERS.items()}
    usage = _usage(counts["input"], counts["output"], counts["cache-read-input"], counts["cache-write-input"])
    if usage is None:
        return None, None
    return usage, msgspec.json.encode({name.decode(): int(value) for name, value in found.items()})


def _usage(
    uncached: int | None, output: int | None, read: int | None, written: int | None, **others: int | None
) -> Usage | None:
    """None where nothing was counted."""
    if uncached is None and output is None:
        return None
    return Usage(
        input_tokens=None if uncached is None else uncached + (read or 0) + (written or 0),
        output_tokens=output,
        cached_input_tokens=read,
        cache_write_tokens=written,
        **others,
    )
