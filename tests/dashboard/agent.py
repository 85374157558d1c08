"""The trace of an agent around one call: what it looked up, which tools it used, what it tried twice."""

from __future__ import annotations

import random

from gateway.core.span import Span
from pricing.usage import Usage
from tests.dashboard.fakes import uuid_at

MS = 1_000
STEPS = (  # name, kind, parent, start and length in ms, $ in nano-dollars, tokens in and out, failure
    ("plan", "llm", "kyc-agent", 60, 1_340, 1_900_000, (2_410, 188), None),
    ("look up the company", "chain", "kyc-agent", 1_420, 3_100, None, None, None),
    ("registry.search", "retriever", "look up the company", 1_450, 420, None, None, None),
    ("embed the name", "embedding", "registry.search", 1_460, 95, 280, (14, 0), None),
    ("registry.owners", "tool", "look up the company", 1_900, 2_010, None, None, "timeout"),
    ("registry.owners", "tool", "look up the company", 3_930, 560, None, None, None),
    ("write the summary", "chain", "kyc-agent", 4_540, 9_300, None, None, None),
    ("check the sums", "llm", "write the summary", 13_700, 120, 640_000, (812, 12), None),
)


def agent_trace(call: Span) -> list[Span]:
    """Spans of the trace that `call` gets; it becomes a step of the agent's second chain."""
    rng = random.Random(5)
    began = call.started_at - 4_560 * MS
    root = _span("kyc-agent", "agent", began, 13_900, rng, call.trace_id)
    made = {root.name: root}
    spans = [root]
    for name, kind, parent, start, length, cost, tokens, failure in STEPS:
        span = _span(name, kind, began + start * MS, length, rng, call.trace_id)
        span.parent_span_id = made[parent].span_id
        if kind in ("llm", "embedding"):
            span.provider, span.model, span.cost_nanousd, span.cost_source = "openai", "gpt-5-mini", cost, "catalog"
            span.usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1]) if tokens else None
        if failure:
            span.error_type, span.error_message = failure, "The registry did not answer within 2 s"
        made[name] = span
        spans.append(span)
    call.parent_span_id = made["write the summary"].span_id
    return spans


def _span(name: str, kind: str, at_us: int, length_ms: int, rng: random.Random, trace_id: str | None) -> Span:
    return Span(
        request_id=uuid_at(at_us, rng),
        span_id=f"{rng.getrandbits(64):016x}",
        trace_id=trace_id,
        kind=kind,
        name=name,
        tenant="lumen-health",
        environment="production",
        started_at=at_us,
        ended_at=at_us + length_ms * MS,
        latency_us=length_ms * MS,
    )
