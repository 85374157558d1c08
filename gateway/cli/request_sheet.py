"""Calls as the terminal shows them: a line in a table, a sheet for one."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gateway.api.matching import is_unpriced
from gateway.api.record import moment
from gateway.cli.table import facts, one_line, table
from gateway.core.derived import body_json, tokens_per_second
from gateway.core.span import Span
from gateway.dashboard.format import count, duration, money, money_exact
from gateway.store.base import SpanDetail

HEAD = ("TIME (UTC)", "STATUS", "MODEL", "TENANT", "IN", "OUT", "COST", "LATENCY", "ID")
RIGHT = ("IN", "OUT", "COST", "LATENCY")
WIDTHS = (19, 19, 28, 12, 8, 8, 12, 8, 36)
BODY_LINES = 40


def row(span: Span) -> tuple[str, ...]:
    usage = span.usage
    return (
        moment(span.started_at)[:19].replace("T", " "),
        one_line(status(span), 24),
        one_line(span.model or span.model_requested or "–", 40),
        one_line(span.tenant or "–", 24),
        _tokens(usage.input_tokens if usage else None),
        _tokens(usage.output_tokens if usage else None),
        _cost(span),
        str(duration(span.latency_us)),
        span.request_id,
    )


def status(span: Span) -> str:
    """`200`, `429 rate_limit`, `interrupted`."""
    words = (None if span.status_code is None else str(span.status_code), span.error_type)
    return " ".join(word for word in words if word) or "–"


def sheet(detail: SpanDetail, *, full: bool = False) -> Iterator[str]:
    span = detail.span
    yield from facts((name, None if value is None else shown(value)) for name, value in _facts(span))
    if span.error_message:
        yield from ("", "ERROR", *_body(span.error_message, full))
    if span.attempts:
        yield from ("", "ATTEMPTS", *_attempts(span))
    payload = detail.payload
    if payload is None:
        yield from ("", "No bodies are kept of this call (log.payloads, or past log.payload_retention_days).")
        return
    for title, body in (("REQUEST", payload.request_body), ("RESPONSE", payload.response_body)):
        if body:
            yield from ("", title, *_body(pretty(body), full))
    if payload.response_text:
        yield from ("", "ANSWER", *_body(payload.response_text, full))


def _facts(span: Span) -> Iterator[tuple[str, str | None]]:
    usage = span.usage
    speed = tokens_per_second(span)
    yield "id", span.request_id
    yield "time", moment(span.started_at)
    yield "status", status(span)
    yield "endpoint", span.endpoint
    yield "provider", span.provider
    yield "model", span.model
    yield "asked for", span.model_requested if span.model_requested != span.model else None
    yield "stream", "yes" if span.stream else None
    for name in ("tenant", "environment", "user", "session", "feature", "workflow", "agent"):
        yield name, getattr(span, name)
    yield "key", span.key_id
    yield "tags", " ".join(f"{key}={value}" for key, value in span.tags.items()) or None
    if usage is not None:
        parts = {name: getattr(usage, name) for name in usage.__struct_fields__ if getattr(usage, name) is not None}
        yield f"usage ({span.usage_source})", "  ".join(f"{name} {value:,}" for name, value in parts.items())
    yield "cost", _exact_cost(span)
    yield "latency", str(duration(span.latency_us))
    yield "first token", None if span.ttft_us is None else str(duration(span.ttft_us))
    yield "overhead", None if span.overhead_us is None else str(duration(span.overhead_us))
    yield "tokens/s", None if speed is None else f"{speed:,.1f}"
    yield "finish reason", span.finish_reason
    for name in ("trace_id", "response_id", "upstream_request_id", "client_request_id"):
        yield name, getattr(span, name)


def _attempts(span: Span) -> list[str]:
    head = ("PROVIDER", "MODEL", "STATUS", "LATENCY", "COST")
    rows = [
        (
            attempt.provider,
            one_line(attempt.model or "–", 40),
            " ".join(str(word) for word in (attempt.status_code, attempt.error_type) if word is not None) or "–",
            str(duration(attempt.latency_us)),
            "–" if attempt.cost_nanousd is None else str(money(attempt.cost_nanousd)),
        )
        for attempt in span.attempts
    ]
    return table(head, rows, right=("LATENCY", "COST"))


def pretty(body: bytes) -> str:
    """JSON indented, all else as it is."""
    raw = body_json(body)
    try:
        return msgspec.json.format(body, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = msgspec.json.decode(raw) if raw is not None else ""
        return text if isinstance(text, str) else body.decode(errors="replace")


def _body(text: str, full: bool) -> Iterator[str]:
    lines = [shown(line) for line in text.splitlines()]
    yield from lines if full else lines[:BODY_LINES]
    if not full and len(lines) > BODY_LINES:
        yield f"… {len(lines) - BODY_LINES} more lines; --full shows them"


def shown(line: str) -> str:
    """Control characters as their names: what a model wrote must not drive the terminal."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)


def _tokens(number: int | None) -> str:
    return "–" if number is None else str(count(number))


def _cost(span: Span) -> str:
    if span.cost_nanousd is None:
        return "unpriced" if is_unpriced(span) else "–"
    return str(money(span.cost_nanousd))


def _exact_cost(span: Span) -> str | None:
    if span.cost_nanousd is None:
        return "unpriced" if is_unpriced(span) else None
    price = f" by price {span.price_id}" if span.price_id else ""
    return f"{money_exact(span.cost_nanousd)} ({span.cost_source}{price})"
