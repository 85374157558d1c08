"""Spans of one trace as a tree, in the order in which they are read: each before its children, earlier ones first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gateway.core.span import Span

MAX_DEPTH = 200
"""Deeper ones are shown at this depth: a trace that an agent made of itself can nest as deep as it likes."""


class TraceSpan(msgspec.Struct, gc=False):
    """What a tree shows of a span. Small, since a trace can hold tens of thousands."""

    request_id: str
    span_id: str | None
    parent_span_id: str | None
    kind: str
    name: str | None
    provider: str | None
    model: str | None
    status_code: int | None
    error_type: str | None
    started_at: int
    latency_us: int | None
    ttft_us: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_nanousd: int | None
    preview: str | None
    depth: int = 0
    children: int = 0
    """Directly below it."""


def trace_span(span: Span) -> TraceSpan:
    usage = span.usage
    return TraceSpan(
        request_id=span.request_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        kind=span.kind,
        name=span.name or span.workflow or span.feature,
        provider=span.provider,
        model=span.model or span.model_requested,
        status_code=span.status_code,
        error_type=span.error_type,
        started_at=span.started_at,
        latency_us=span.latency_us,
        ttft_us=span.ttft_us,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cost_nanousd=span.cost_nanousd,
        preview=(span.error_message or span.input_preview or "")[:120] or None,
    )


def in_order(spans: Iterable[TraceSpan]) -> list[TraceSpan]:
    """Depth first, with `depth` and `children` set. A span whose parent is not here (or is itself, by some circle) is
    a root; none is lost and none is there twice."""
    ordered = sorted(spans, key=lambda span: (span.started_at, span.request_id))
    by_id = {name: span for span in reversed(ordered) for name in (span.request_id, span.span_id) if name}
    below: dict[str, list[TraceSpan]] = {}
    roots: list[TraceSpan] = []
    for span in ordered:
        parent = by_id.get(span.parent_span_id or "")
        if parent is None or parent is span:
            roots.append(span)
        else:
            below.setdefault(parent.request_id, []).append(span)
    found: list[TraceSpan] = []
    _walk(roots, below, found)
    if len(found) < len(ordered):  # those left name each other as parents
        seen = {span.request_id for span in found}
        for span in ordered:
            if span.request_id not in seen:
                start = len(found)
                _walk([span], below, found, seen)
                seen.update(each.request_id for each in found[start:])
    return found


def _walk(
    roots: Sequence[TraceSpan], below: dict[str, list[TraceSpan]], found: list[TraceSpan], seen: set[str] | None = None
) -> None:
    """Without recursion: a chain can be longer than Python's stack."""
    taken = set(seen or ())
    stack = [(span, 0) for span in reversed(roots)]
    while stack:
        span, depth = stack.pop()
        if span.request_id in taken:
            continue
        taken.add(span.request_id)
        children = below.get(span.request_id, [])
        span.depth, span.children = min(depth, MAX_DEPTH), len(children)
        found.append(span)
        stack.extend((child, depth + 1) for child in reversed(children))
