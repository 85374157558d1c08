"""`/api/traces/{trace_id}`: every span of a trace, in the order of its tree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.api.access import reader
from gateway.api.record import encode, moment, ms, usd
from gateway.api.scope import scoped, state_of
from gateway.control.principal import Principal
from gateway.core.trace import TraceSpan, in_order, trace_span
from gateway.errors import CallError
from gateway.store.base import SpanFilter, SpanReader

MOST_SPANS = 100_000
SLICE = 500


class TraceSpanRecord(msgspec.Struct):
    request_id: str
    span_id: str | None
    parent_span_id: str | None
    depth: int
    children: int
    kind: str
    name: str | None
    provider: str | None
    model: str | None
    status_code: int | None
    error_type: str | None
    started_at: str
    latency_ms: float | None
    ttft_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: msgspec.Raw | None


class TraceTotals(msgspec.Struct):
    """Over the whole trace. Sums are over what is known; tokens and cost are null where nothing is."""

    spans: int
    errors: int
    started_at: int
    """µs UTC, of the first."""
    ended_at: int
    input_tokens: int | None
    output_tokens: int | None
    cost_nanousd: int | None


async def one_trace(request: Request) -> Response:
    spans = await read_trace(state_of(request).store, reader(request), request.path_params["trace_id"])
    return StreamingResponse(_json(request.path_params["trace_id"], spans), media_type="application/json")


async def read_trace(store: SpanReader, principal: Principal, trace_id: str) -> list[TraceSpan]:
    """Raises CallError 404 where nothing of it may be seen. Of a trace beyond `MOST_SPANS` the newest are left."""
    which = scoped(SpanFilter(trace=(trace_id,)), principal)
    spans: list[TraceSpan] = []
    async for page in store.export(which):
        spans += [trace_span(span) for span in page]
        if len(spans) >= MOST_SPANS:
            break
        await asyncio.sleep(0)  # let model traffic go first
    if not spans:
        message = f"There is no trace {trace_id[:100]!r} in the log. It may be too new or too old."
        raise CallError(404, "trace_not_found", message, param="trace_id")
    return await asyncio.to_thread(in_order, spans)


def totals_of(spans: list[TraceSpan]) -> TraceTotals:
    return TraceTotals(
        spans=len(spans),
        errors=sum(span.error_type is not None and span.error_type != "cancelled" for span in spans),
        started_at=min(span.started_at for span in spans),
        ended_at=max(span.started_at + (span.latency_us or 0) for span in spans),
        input_tokens=_sum(span.input_tokens for span in spans),
        output_tokens=_sum(span.output_tokens for span in spans),
        cost_nanousd=_sum(span.cost_nanousd for span in spans),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


async def _json(trace_id: str, spans: list[TraceSpan]) -> AsyncIterator[bytes]:
    totals = totals_of(spans)
    head = {
        "trace_id": trace_id,
        "spans": totals.spans,
        "errors": totals.errors,
        "started_at": moment(totals.started_at),
        "ended_at": moment(totals.ended_at),
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_usd": usd(totals.cost_nanousd),
    }
    yield encode(head)[:-1] + b',"items":['
    for start in range(0, len(spans), SLICE):
        piece = b",".join(encode(_record(span)) for span in spans[start : start + SLICE])
        yield (b"," if start else b"") + piece
        await asyncio.sleep(0)
    yield b"]}"


def _record(span: TraceSpan) -> TraceSpanRecord:
    return TraceSpanRecord(
        request_id=span.request_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        depth=span.depth,
        children=span.children,
        kind=span.kind,
        name=span.name,
        provider=span.provider,
        model=span.model,
        status_code=span.status_code,
        error_type=span.error_type,
        started_at=moment(span.started_at),
        latency_ms=ms(span.latency_us),
        ttft_ms=ms(span.ttft_us),
        input_tokens=span.input_tokens,
        output_tokens=span.output_tokens,
        cost_usd=usd(span.cost_nanousd),
    )
