"""A call's time, told in phases: the gateway, each attempt, the wait between, and within the last the first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.core.span import Attempt, Span
from gateway.dashboard.charts import percent
from gateway.dashboard.failures import status
from gateway.dashboard.format import Figure, duration

WAIT_WORTH_SHOWING_US = 1_000


@dataclass(frozen=True)
class Phase:
    label: str
    left: str
    width: str
    color: str
    figure: Figure
    tone: str = ""
    """Of an attempt; its dot."""
    note: str = ""
    is_part: bool = False
    """Indented: a part of the phase above it."""


def phases_of(span: Span) -> list[Phase]:
    """Empty where nothing was measured."""
    total = span.latency_us or 0
    if not total:
        return []
    phases = []
    if span.overhead_us is not None:
        width = percent(span.overhead_us, total)
        phases.append(Phase("Gateway", "0%", width, "var(--text)", duration(span.overhead_us)))
    many = len(span.attempts) > 1
    ended = None
    for number, attempt in enumerate(span.attempts, 1):
        start = max(0, attempt.started_at - span.started_at)
        if ended is not None and start - ended > WAIT_WORTH_SHOWING_US:
            wait = start - ended
            left, width = percent(ended, total), percent(wait, total)
            phases.append(Phase("waited to retry", left, width, "var(--chart-quiet)", duration(wait), is_part=True))
        phases.append(_attempt(attempt, f"Attempt {number}" if many else "Upstream", start, total))
        ended = start + attempt.latency_us
    return phases + _stream(span, total)


def _attempt(attempt: Attempt, label: str, start: int, total: int) -> Phase:
    how = status(attempt.status_code, attempt.error_type)
    color = "var(--chart-quiet)" if how.tone == "success" else f"var(--{how.tone}-mark)"
    left, width = percent(start, total), percent(attempt.latency_us, total)
    return Phase(label, left, width, color, duration(attempt.latency_us), tone=how.tone, note=how.text)


def _stream(span: Span, total: int) -> list[Phase]:
    if span.ttft_us is None or span.ttft_us > total:
        return []
    start = max(0, span.attempts[-1].started_at - span.started_at) if span.attempts else 0
    start = min(start, span.ttft_us)
    first, rest = span.ttft_us - start, total - span.ttft_us
    parts = [("first token", start, first, "var(--series-6)"), ("answer", span.ttft_us, rest, "var(--series-1)")]
    return [
        Phase(label, percent(at, total), percent(length, total), color, duration(length), is_part=True)
        for label, at, length, color in parts
    ]


@dataclass(frozen=True)
class Speed:
    """Bytes per slice of the stream, for a small bar chart; from `log.capture_stream_timing`."""

    path: str
    longest_pause: Figure
    chunks: int


def speed_of(timing: Sequence[tuple[int, int]] | None, slices: int = 48) -> tuple[list[int], int] | None:
    """(bytes per slice, longest pause in µs); None where it was not captured."""
    if not timing or len(timing) < 3:
        return None
    start, end = timing[0][0], timing[-1][0]
    if end <= start:
        return None
    amounts = [0] * slices
    for at, size in timing:
        amounts[min(slices - 1, (at - start) * slices // (end - start))] += size
    pause = max(after[0] - before[0] for before, after in pairwise(timing))
    return amounts, pause
