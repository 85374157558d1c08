"""A call as a row of the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.core.span import Span
from gateway.dashboard import urls
from gateway.dashboard.charts import percent
from gateway.dashboard.failures import status
from gateway.dashboard.filters import Pairs
from gateway.dashboard.format import (
    SECOND,
    Figure,
    clock,
    clock_ms,
    count,
    day,
    duration,
    full,
    money_column,
    plain,
)
from gateway.dashboard.period import iso
from pricing.usage import Usage

NO_USAGE = Usage()


@dataclass(frozen=True)
class Row:
    request_id: str
    href: str
    peek: str
    iso: str
    time: str
    time_title: str
    day: str
    """Set on the first row of a day."""
    status_code: int | None
    error_type: str | None
    is_failed: bool
    provider: str | None
    model: str | None
    subject: str
    """What it is for: prompt, workflow, feature or name."""
    preview: str
    tags: list[tuple[str, str]]
    words: dict[str, str]
    """Of the columns that are a word, by their names."""
    figures: dict[str, Figure]
    """Likewise of those that are a number."""
    cost: Figure
    is_estimate: bool
    latency: Figure
    latency_part: str
    first_part: str
    is_slow_failure: bool


def rows_of(
    spans: Sequence[Span], *, query: Pairs, zone: ZoneInfo, today: str, with_ms: bool, key_names: dict[str, str]
) -> list[Row]:
    """`query` is what the links to each request carry along."""
    costs = money_column(_cost(span) for span in spans)
    longest = _scale([span.latency_us for span in spans if span.latency_us is not None])
    rows, last_day = [], today
    for span, cost in zip(spans, costs, strict=True):
        this_day = day(span.started_at, zone)
        rows.append(
            _row(span, cost, longest, query, zone, this_day if this_day != last_day else "", with_ms, key_names)
        )
        last_day = this_day
    return rows


def _cost(span: Span) -> int | None:
    """A call that used nothing cost nothing; one that used something without a price has none."""
    return 0 if span.cost_nanousd is None and span.usage is None else span.cost_nanousd


def _scale(latencies: list[int]) -> int:
    """The latency that fills a row's bar: nearly the longest, so that one timeout does not flatten the rest."""
    return max(sorted(latencies)[int(len(latencies) * 0.95) - 1], SECOND) if latencies else SECOND


def _row(
    span: Span,
    cost: Figure,
    longest: int,
    query: Pairs,
    zone: ZoneInfo,
    new_day: str,
    with_ms: bool,
    key_names: dict[str, str],
) -> Row:
    usage = span.usage or NO_USAGE
    latency = span.latency_us or 0
    tone = status(span.status_code, span.error_type).tone
    return Row(
        request_id=span.request_id,
        href=urls.request(span.request_id, query),
        peek=urls.peek(span.request_id, query),
        iso=iso(span.started_at),
        time=clock_ms(span.started_at, zone) if with_ms else clock(span.started_at, zone),
        time_title=full(span.started_at, zone),
        day=new_day,
        status_code=span.status_code,
        error_type=span.error_type,
        is_failed=tone == "error",
        provider=span.provider,
        model=span.model or span.model_requested,
        subject=span.prompt or span.workflow or span.feature or span.name or "",
        preview=" ".join((span.input_preview or span.error_message or "").split())[:300],
        tags=sorted(span.tags.items())[:4],
        words={
            "tenant": span.tenant or "",
            "environment": span.environment or "",
            "provider": span.provider or "",
            "key": key_names.get(span.key_id or "", span.key_id or ""),
            "user": span.user or "",
            "session": span.session or "",
            "config": span.config or "",
            "variant": span.variant or "",
            "prompt": span.prompt or "",
            "kind": span.kind,
            "finish": span.finish_reason or "",
        },
        figures={
            "input": count(usage.input_tokens),
            "cached": count(usage.cached_input_tokens),
            "output": count(usage.output_tokens),
            "reasoning": count(usage.reasoning_tokens),
            "attempts": count(len(span.attempts) or None),
            "overhead": duration(span.overhead_us),
            "ttft": duration(span.ttft_us),
        },
        cost=cost,
        is_estimate=span.usage_source == "estimated",
        latency=duration(span.latency_us) if span.latency_us is not None else plain("–", nil=True),
        latency_part=percent(latency, longest),
        first_part=percent(span.ttft_us or 0, latency),
        is_slow_failure=tone == "error",
    )
