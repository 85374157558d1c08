"""A trace: its spans as a tree and a waterfall, a screenful of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.traces import TraceTotals, read_trace, totals_of
from gateway.core.span import Span
from gateway.core.trace import TraceSpan, in_order, trace_span
from gateway.dashboard import urls
from gateway.dashboard.charts import percent
from gateway.dashboard.failures import status
from gateway.dashboard.format import Figure, count, duration, full, money, money_column, plain, plural
from gateway.dashboard.render import respond
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import CallError
from gateway.store.base import SpanFilter

ROWS = 500
"""Of one answer; more come when they are asked for. A trace of 30,000 spans is 60 of these."""
CARD_ROWS = 12
SHOWN_DEPTH = 12
TICKS = 8
COLORS = {"llm": "var(--series-1)", "tool": "var(--series-3)", "retriever": "var(--series-6)"}
COLORS |= {"embedding": "var(--series-1)", "retrieval": "var(--series-6)"}
ICONS = {"llm": "spark", "embedding": "spark", "tool": "tool", "agent": "bot", "chain": "chain", "retriever": "db"}
OTHER_COLOR = "var(--chart-before)"


@dataclass(frozen=True)
class TraceRow:
    request_id: str
    href: str
    peek: str
    name: str
    note: str
    icon: str
    color: str
    level: int
    depth: int
    left: str
    width: str
    first: str
    """Part of the bar until the first token."""
    latency: Figure
    tokens: Figure
    output: Figure
    cost: Figure
    status_code: int | None
    error_type: str | None
    tone: str
    is_current: bool


@dataclass(frozen=True)
class Tick:
    at: str
    label: str


@dataclass(frozen=True)
class TracePage:
    template: ClassVar[str] = "trace.html"
    shell: Shell
    trace_id: str
    title: str
    totals: TraceTotals
    started: str
    cost: Figure
    rows: list[TraceRow]
    ticks: list[Tick]
    tick: str
    """Width between two."""
    more: str
    """Where the next rows are; empty after the last."""
    left: int
    """Rows that are not shown yet."""
    list_href: str


@dataclass(frozen=True)
class TraceRows:
    """The next rows, for htmx."""

    template: ClassVar[str] = "_trace_rows.html"
    rows: list[TraceRow]
    more: str
    left: int
    tick: str


async def trace_page(request: Request) -> Response:
    view = open_view(request, path=request.url.path)
    trace_id, current = request.path_params["trace_id"], request.query_params.get("span", "")
    try:
        spans = await read_trace(view.state.store, view.principal, trace_id)
    except CallError as exc:
        raise HTTPException(404, "This trace is not in the log: it never was, or its retention is over.") from exc
    totals = totals_of(spans)
    start = _start(request.query_params.get("from", ""), len(spans))
    rows = _rows(spans[start : start + ROWS], totals, current)
    left = max(0, len(spans) - start - ROWS)
    more = urls.trace(trace_id, {"from": str(start + ROWS), "span": current}) if left else ""
    width = _step(totals.ended_at - totals.started_at)
    tick = percent(width, max(1, totals.ended_at - totals.started_at))
    if request.headers.get("hx-request") and start:
        return respond(TraceRows(rows, more, left, tick))
    shell = await make_shell(view, "Trace", urls.REQUESTS, has_period=False)
    page = TracePage(
        shell=shell,
        trace_id=trace_id,
        title=next((span.name for span in spans if span.name), "") or plural(len(spans), "span"),
        totals=totals,
        started=full(totals.started_at, view.period.zone),
        cost=money(totals.cost_nanousd) if totals.cost_nanousd is not None else plain("–", nil=True),
        rows=rows,
        ticks=_ticks(totals.ended_at - totals.started_at, width),
        tick=tick,
        more=more,
        left=left,
        list_href=urls.requests({"trace": trace_id}),
    )
    return respond(page)


@dataclass(frozen=True)
class TraceCard:
    """The trace of one request, small: its first spans."""

    href: str
    rows: list[TraceRow]
    has_more: bool


async def trace_card(view: View, span: Span) -> TraceCard | None:
    """None for a call without a trace, or alone in it. The spans around this one come first."""
    if span.trace_id is None:
        return None
    which = view.own(SpanFilter(trace=(span.trace_id,)))
    page = await view.state.store.spans(which, limit=CARD_ROWS + 1, order="oldest")
    spans = [trace_span(each) for each in page.items[:CARD_ROWS]]
    if len(spans) < 2:
        return None
    rows = _rows(in_order(spans), totals_of(spans), span.request_id)
    return TraceCard(urls.trace(span.trace_id, {"span": span.request_id}), rows, len(page.items) > CARD_ROWS)


def _start(text: str, length: int) -> int:
    return min(int(text), length) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _rows(spans: list[TraceSpan], totals: TraceTotals, current: str) -> list[TraceRow]:
    whole = max(1, totals.ended_at - totals.started_at)
    costs = money_column(span.cost_nanousd if span.cost_nanousd is not None else 0 for span in spans)
    return [
        TraceRow(
            request_id=span.request_id,
            href=urls.request(span.request_id),
            peek=urls.peek(span.request_id),
            name=span.name or span.model or span.kind,
            note=span.model or span.kind if span.name else span.kind if span.model else "",
            icon=ICONS.get(span.kind, "doc"),
            color=COLORS.get(span.kind, OTHER_COLOR),
            level=span.depth + 1,
            depth=min(span.depth, SHOWN_DEPTH),
            left=percent(span.started_at - totals.started_at, whole),
            width=percent(span.latency_us or 0, whole),
            first=percent(span.ttft_us or 0, span.latency_us or 0),
            latency=duration(span.latency_us) if span.latency_us is not None else plain("–", nil=True),
            tokens=count(span.input_tokens) if span.input_tokens is not None else plain(""),
            output=count(span.output_tokens) if span.output_tokens is not None else plain(""),
            cost=cost if span.cost_nanousd is not None else plain(""),
            status_code=span.status_code,
            error_type=span.error_type,
            tone=status(span.status_code, span.error_type).tone if span.status_code or span.error_type else "",
            is_current=span.request_id == current,
        )
        for span, cost in zip(spans, costs, strict=True)
    ]


def _step(length_us: int) -> int:
    """A round time of which about `TICKS` fit: 1, 2 or 5 times a power of ten µs."""
    step = 1
    while length_us / step > TICKS:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def _ticks(length_us: int, step: int) -> list[Tick]:
    found = []
    for number in range(int(length_us / step) + 1):
        at = number * step
        if at <= length_us * 0.95:
            figure = duration(at) if at else plain("0")
            found.append(Tick(percent(at, max(1, length_us)), "".join(text for _, text in figure.parts)))
    return found
