"""Whether a span belongs to a filter, decided in memory: what a store does in SQL, for the live tail."""

from __future__ import annotations

import msgspec

from gateway.core.span import Span
from gateway.store.base import SpanFilter

_COLUMNS = (
    "provider",
    "tenant",
    "environment",
    "config",
    "variant",
    "kind",
    "user",
    "session",
    ("trace", "trace_id"),
    "prompt",
    ("key", "key_id"),
    "feature",
)
_PAIRS = tuple((column, column) if isinstance(column, str) else column for column in _COLUMNS)


def matches(which: SpanFilter, span: Span) -> bool:
    return (
        all(not (wanted := getattr(which, name)) or getattr(span, column) in wanted for name, column in _PAIRS)
        and (not which.model or span.model in which.model or span.model_requested in which.model)
        and (not which.status or any(_has_status(span, status) for status in which.status))
        and (which.stream is None or span.stream == which.stream)
        and _within(span.started_at, which.from_us, None if which.to_us is None else which.to_us - 1)
        and _within(span.latency_us, which.min_latency_us, which.max_latency_us)
        and _within(span.cost_nanousd, which.min_cost_nanousd, which.max_cost_nanousd)
        and _within(_tokens(span, "input_tokens"), which.min_input_tokens, which.max_input_tokens)
        and _within(_tokens(span, "output_tokens"), which.min_output_tokens, which.max_output_tokens)
        and (not which.unpriced or is_unpriced(span))
        and (which.q is None or _holds(span, which.q))
        and all(span.tags.get(key) in values for key, values in which.tags)
        and (not which.prompt_version or version_of(span) in which.prompt_version)
        and not any(_is_among(span, name, value) for name, values in which.exclude for value in values)
    )


def version_of(span: Span) -> str | None:
    """`NAME@3`: a version of a prompt."""
    if span.prompt is None or span.prompt_version is None:
        return None
    return f"{span.prompt}@{span.prompt_version}"


def _is_among(span: Span, name: str, value: str) -> bool:
    """What `exclude` leaves out."""
    if name == "model":
        return value in (span.model, span.model_requested)
    if name == "status":
        return _has_status(span, value)
    if name == "prompt_version":
        return value == version_of(span)
    if name.startswith("tag:"):
        return span.tags.get(name.removeprefix("tag:")) == value
    return bool(value == getattr(span, dict(_PAIRS)[name]))


def is_unpriced(span: Span) -> bool:
    """It used something that costs and has no price."""
    return span.cost_nanousd is None and span.usage is not None and any(msgspec.structs.astuple(span.usage))


def succeeded(span: Span) -> bool:
    return span.error_type is None and (span.status_code or 0) < 400


def _has_status(span: Span, status: str) -> bool:
    if status == "ok":
        return succeeded(span)
    if status == "error":
        return not succeeded(span) and span.error_type != "cancelled"
    if status.endswith("xx"):
        return span.status_code is not None and span.status_code // 100 == int(status[0])
    return status in (span.error_type, str(span.status_code))


def _tokens(span: Span, name: str) -> int | None:
    return None if span.usage is None else getattr(span.usage, name)


def _within(value: int | None, least: int | None, most: int | None) -> bool:
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value <= most)


def _holds(span: Span, text: str) -> bool:
    wanted = text.casefold()
    places = (
        span.input_preview,
        span.output_preview,
        span.error_message,
        span.request_id,
        span.trace_id,
        span.response_id,
        span.upstream_request_id,
        span.client_request_id,
    )
    return any(place is not None and wanted in place.casefold() for place in places)
