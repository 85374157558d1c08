"""A span as the API, exports and the command line have it: one struct, whose fields are the record of interface.md.

Amounts become what people read: times ISO 8601, durations milliseconds, dollars decimal literals that are exact
(a float would round nano-dollars of large sums). What is unknown or does not apply is null.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from gateway.api.filters import iso_time
from gateway.core.derived import body_json, tokens_per_second
from gateway.core.span import Attempt, Payload, Span, ToolCall
from gateway.store.base import SpanDetail
from pricing.usage import Billed, Usage

NANO = 1_000_000_000
_NO_USAGE = Usage()


class AttemptRecord(msgspec.Struct):
    provider: str
    model: str | None
    status_code: int | None
    error_type: str | None
    started_at: str
    latency_ms: float
    cost_usd: msgspec.Raw | None


class ToolCallRecord(msgspec.Struct):
    id: str | None
    name: str
    arguments: str | None
    """The text the model wrote, which need not be JSON."""


class BilledRecord(msgspec.Struct, frozen=True):
    model: str
    input_tokens: int | None
    output_tokens: int | None
    service_tier: str | None


class Record(msgspec.Struct):
    """In the order of interface.md. `msgspec.Raw` is JSON as it stands."""

    request_id: str
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    kind: str
    name: str | None
    started_at: str
    ended_at: str | None
    tenant: str | None
    environment: str | None
    key_id: str | None
    user: str | None
    session: str | None
    feature: str | None
    workflow: str | None
    agent: str | None
    config: str | None
    variant: str | None
    config_version: int | None
    prompt: str | None
    prompt_version: int | None
    provider: str | None
    endpoint: str | None
    dialect: str | None
    model_requested: str | None
    model: str | None
    response_id: str | None
    upstream_request_id: str | None
    client_request_id: str | None
    stream: bool
    status_code: int | None
    error_type: str | None
    error_message: str | None
    finish_reason: str | None
    tool_calls: list[ToolCallRecord] | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    audio_input_tokens: int | None
    audio_output_tokens: int | None
    usage_source: str
    usage_raw: msgspec.Raw | None
    service_tier: str | None
    cost_usd: msgspec.Raw | None
    input_cost_usd: msgspec.Raw | None
    output_cost_usd: msgspec.Raw | None
    charge_usd: msgspec.Raw | None
    cost_nanousd: int | None
    cost_source: str
    price_id: str | None
    latency_ms: float | None
    ttft_ms: float | None
    upstream_ms: float | None
    overhead_ms: float | None
    tokens_per_second: float | None
    attempts: list[AttemptRecord]
    cache: str | None
    saved_usd: msgspec.Raw | None
    tags: dict[str, str]
    input_preview: str | None
    output_preview: str | None
    upstream_provider: str | None
    billed_also: list[BilledRecord]


class DetailRecord(Record):
    """The single record: with the bodies, JSON where they are JSON, else text."""

    request_body: msgspec.Raw | None
    response_body: msgspec.Raw | None
    response_text: str | None
    sealed_with: str | None = None
    """The key that the bodies are sealed with, where this gateway has not got it."""


FIELDS = Record.__struct_fields__
encode = msgspec.json.Encoder().encode


def record_of(span: Span) -> Record:
    return Record(*values_of(span))


def detail_of(detail: SpanDetail) -> DetailRecord:
    payload = detail.payload or Payload()
    bodies = (
        body_json(payload.request_body, payload.request_content_type),
        body_json(payload.response_body, payload.response_content_type),
        payload.response_text,
    )
    return DetailRecord(*(*values_of(detail.span), *bodies, detail.sealed_with))


def values_of(span: Span) -> tuple[Any, ...]:
    """In the order of FIELDS."""
    usage = span.usage or _NO_USAGE
    return (
        span.request_id,
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.kind,
        span.name,
        moment(span.started_at),
        None if span.ended_at is None else moment(span.ended_at),
        span.tenant,
        span.environment,
        span.key_id,
        span.user,
        span.session,
        span.feature,
        span.workflow,
        span.agent,
        span.config,
        span.variant,
        span.config_version,
        span.prompt,
        span.prompt_version,
        span.provider,
        span.endpoint,
        span.dialect,
        span.model_requested,
        span.model,
        span.response_id,
        span.upstream_request_id,
        span.client_request_id,
        span.stream,
        span.status_code,
        span.error_type,
        span.error_message,
        span.finish_reason,
        None if span.tool_calls is None else [tool_call_record(call) for call in span.tool_calls],
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        usage.audio_input_tokens,
        usage.audio_output_tokens,
        span.usage_source,
        None if span.usage_raw is None else body_json(span.usage_raw),
        span.service_tier,
        usd(span.cost_nanousd),
        usd(span.input_cost_nanousd),
        usd(span.output_cost_nanousd),
        usd(span.charge_nanousd),
        span.cost_nanousd,
        span.cost_source,
        span.price_id,
        ms(span.latency_us),
        ms(span.ttft_us),
        ms(span.upstream_us),
        ms(span.overhead_us),
        tokens_per_second(span),
        [attempt_record(attempt) for attempt in span.attempts],
        span.cache,
        usd(span.saved_nanousd),
        span.tags,
        span.input_preview,
        span.output_preview,
        span.upstream_provider,
        [billed_record(part) for part in span.also],
    )


def usd_text(nanousd: int) -> str:
    """`0.000002850`: exact, nine decimals, never an exponent."""
    sign, amount = ("-", -nanousd) if nanousd < 0 else ("", nanousd)
    return f"{sign}{amount // NANO}.{amount % NANO:09d}"


@lru_cache(maxsize=4096)
def usd(nanousd: int | None) -> msgspec.Raw | None:
    if nanousd is None:
        return None
    return msgspec.Raw(b"0.%09d" % nanousd if 0 <= nanousd < NANO else usd_text(nanousd))


def ms(us: float | None) -> float | None:
    return None if us is None else us / 1000


def moment(us: int) -> str:
    """As `iso_time`; the minute is remembered, for lists have many in one."""
    second, rest = divmod(us, 1_000_000)
    return f"{_minute(second // 60)}{second % 60:02d}.{rest:06d}Z"


@lru_cache(maxsize=4096)
def _minute(minute: int) -> str:
    return iso_time(minute * 60_000_000)[:17]


def billed_record(part: Billed) -> BilledRecord:
    return BilledRecord(part.model, part.usage.input_tokens, part.usage.output_tokens, part.service_tier)


def attempt_record(attempt: Attempt) -> AttemptRecord:
    return AttemptRecord(
        attempt.provider,
        attempt.model,
        attempt.status_code,
        attempt.error_type,
        moment(attempt.started_at),
        attempt.latency_us / 1000,
        usd(attempt.cost_nanousd),
    )


def tool_call_record(call: ToolCall) -> ToolCallRecord:
    return ToolCallRecord(call.id, call.name, call.arguments)
