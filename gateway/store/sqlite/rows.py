"""Span and Payload as rows, and back. A row is two: `spans` (what is filtered and added up) and `span_details`."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import msgspec
import zstandard

from gateway.core.sealing import Sealer
from gateway.core.span import Attempt, Payload, Span, ToolCall
from gateway.core.stored import DETAILS, PLAIN
from pricing.usage import Billed, Usage

DERIVED = [
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "unpriced",
    "outcome",
]
"""Columns of `spans` for adding up and filtering."""
SPAN_COLUMNS = ", ".join([f"s.{name}" for name in PLAIN] + [f"d.{name}" for name in DETAILS])
"""What `span_of` takes, from `spans s JOIN span_details d`."""

SUCCEEDED, FAILED, CANCELLED = 0, 1, 2

LARGEST = 1 << 53
"""A number beyond this is nonsense, and a sum of them would overflow the database's 64 bits."""

_NO_USAGE = Usage()
_DURATIONS = ("latency_us", "ttft_us", "upstream_us", "overhead_us")
_encode = msgspec.json.Encoder().encode
_tags = msgspec.json.Decoder(dict[str, str])
_tool_calls = msgspec.json.Decoder(list[ToolCall])
_attempts = msgspec.json.Decoder(list[Attempt])
_usage = msgspec.json.Decoder(Usage)
_also = msgspec.json.Decoder(list[Billed])
_payload = msgspec.msgpack.Decoder(Payload)


def outcome_of(span: Span) -> int:
    if span.error_type == "cancelled":
        return CANCELLED
    return FAILED if span.error_type is not None or (span.status_code or 0) >= 400 else SUCCEEDED


def used_by(span: Span) -> Usage | None:
    """What the provider was asked to do for the call, which is what totals are of: nothing for an answer from the
    response cache, whose row says what the first one used."""
    return None if span.cache == "hit" else span.usage


def is_unpriced(span: Span, cost_nanousd: int | None) -> bool:
    """Something was used, and nobody knows what it costs."""
    if cost_nanousd is not None or span.usage is None:
        return False
    return any(amount for amount in msgspec.structs.astuple(span.usage))


_plain_fields = itemgetter(*(Span.__struct_fields__.index(name) for name in PLAIN))
_NUMBERS = [
    place
    for place, name in enumerate([*PLAIN, *DERIVED])
    if name.endswith(("_us", "_nanousd", "_tokens", "_at", "_version", "_code"))
]
_numbers = itemgetter(*_NUMBERS)


def row_of(span: Span) -> tuple[Any, ...]:
    """PLAIN and DERIVED. Raises ValueError for a number out of range.

    A negative duration is a clock that jumped, and becomes 0.
    """
    for name in _DURATIONS:
        if (getattr(span, name) or 0) < 0:
            setattr(span, name, 0)
    if span.started_at < 0:
        raise ValueError(f"started_at is before 1970: {span.started_at}")
    usage = used_by(span) or _NO_USAGE
    row: tuple[Any, ...] = (
        *_plain_fields(msgspec.structs.astuple(span)),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        int(is_unpriced(span, span.cost_nanousd)),
        outcome_of(span),
    )
    for place, value in zip(_NUMBERS, _numbers(row), strict=True):
        if value is not None and not -LARGEST <= value <= LARGEST:
            raise ValueError(f"{[*PLAIN, *DERIVED][place]} is out of range: {value}")
    return row


def details_of(span: Span) -> list[Any]:
    """DETAILS. Empty containers are stored as null."""
    return [
        span.error_message,
        span.input_preview,
        span.output_preview,
        _encode(span.tags).decode() if span.tags else None,
        _encode(span.tool_calls).decode() if span.tool_calls is not None else None,
        _encode(span.usage).decode() if span.usage is not None else None,
        span.usage_raw,
        _encode(span.attempts).decode() if span.attempts else None,
        _encode(span.also).decode() if span.also else None,
        span.priced_as,
    ]


def span_of(row: tuple[Any, ...]) -> Span:
    """From a row of SPAN_COLUMNS."""
    plain = len(PLAIN)
    error_message, input_preview, output_preview, tags, tool_calls, usage, usage_raw, attempts, also, priced_as = row[
        plain:
    ]
    fields = dict(zip(PLAIN, row[:plain], strict=True))
    fields["stream"] = bool(fields["stream"])
    return Span(
        **fields,
        error_message=error_message,
        input_preview=input_preview,
        output_preview=output_preview,
        tags=_tags.decode(tags) if tags else {},
        tool_calls=_tool_calls.decode(tool_calls) if tool_calls is not None else None,
        usage=_usage.decode(usage) if usage is not None else None,
        usage_raw=usage_raw,
        attempts=_attempts.decode(attempts) if attempts else [],
        also=_also.decode(also) if also else [],
        priced_as=priced_as,
    )


def tags_of(tags: str | None) -> dict[str, str]:
    """From the column of `span_details`."""
    return _tags.decode(tags) if tags else {}


class PayloadCodec:
    """A payload as one zstd frame, sealed where there is a sealer. Made once: its contexts cost more to make than to
    use."""

    def __init__(self, sealer: Sealer | None = None) -> None:
        self._sealer = sealer or Sealer()
        self._compressor = zstandard.ZstdCompressor(level=3)
        self._decompressor = zstandard.ZstdDecompressor()
        self._pack = msgspec.msgpack.Encoder().encode

    def encode(self, payload: Payload, request_id: str) -> bytes:
        return self._sealer.seal(self._compressor.compress(self._pack(payload)), request_id)

    def decode(self, body: bytes, request_id: str) -> Payload:
        """Raises SealedError."""
        return _payload.decode(self._decompressor.decompress(self._sealer.open(body, request_id)))

    def sealed_anew(self, body: bytes, request_id: str) -> bytes:
        """As it would be written now: under the first key, or under none. Raises SealedError."""
        return self._sealer.seal(self._sealer.open(body, request_id), request_id)
