"""Every component in every state, on one page: made with the macros that the pages use, from made-up figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from gateway.core.span import Attempt, Span
from gateway.dashboard import urls
from gateway.dashboard.charts import (
    Chart,
    Panel,
    Series,
    Spark,
    chart,
    count_label,
    duration_label,
    line_ends,
    money_label,
    spark,
    stack_top,
    texts,
    y_axis,
)
from gateway.dashboard.columns import USUAL
from gateway.dashboard.format import (
    HOUR,
    MINUTE,
    SECOND,
    Delta,
    Figure,
    count,
    day,
    duration,
    money,
    money_column,
    money_sum,
    short,
)
from gateway.dashboard.render import respond
from gateway.dashboard.rows import Row, rows_of
from gateway.dashboard.series import COLORS
from gateway.dashboard.timing import Phase, phases_of
from gateway.dashboard.view import Shell, make_shell, open_view
from pricing.usage import Usage

START = 1_795_185_000_000_000
"""Fri 20 Nov 2026, 14:30 UTC: a page of samples shows the same every day."""
UTC = ZoneInfo("UTC")
SAMPLES = (
    ("aggregate", 284_070_000_000, 41, 19),
    ("call over $1", 1_200_000_000, 3_100, 9_876),
    ("cents", 184_000_000, 412_000, 78_300),
    ("tenth of cents", 18_600_000, 9_120_000, 2_970_000),
    ("routing call", 294_000, 41_800_000, 345_000_000),
    ("cancelled", 2_850, 120_000_000, 1_610_000_000),
    ("unknown", None, None, None),
)


@dataclass(frozen=True)
class NumberRow:
    label: str
    money: Figure
    duration: Figure
    count: Figure


@dataclass(frozen=True)
class StatSample:
    label: str
    figure: Figure
    delta: Delta | None
    note: str
    spark: Spark | None


@dataclass(frozen=True)
class Components:
    template: ClassVar[str] = "components.html"
    shell: Shell
    numbers: list[NumberRow]
    rows: list[Row]
    shown: tuple[str, ...]
    stats: list[StatSample]
    lines: Chart
    stack: Chart
    bars: Chart
    phases: list[Phase]


async def components(request: Request) -> Response:
    view = open_view(request, path=urls.COMPONENTS)
    shell = await make_shell(view, "Components", urls.COMPONENTS, has_period=False)
    page = Components(shell, _numbers(), _rows(), USUAL, _stats(), _lines(), _stack(), _bars(), phases_of(_span(1)))
    return respond(page)


def _numbers() -> list[NumberRow]:
    amounts = money_column(amount for _, amount, _, _ in SAMPLES)
    return [
        NumberRow(label, amount, duration(us), short(number))
        for (label, _, us, number), amount in zip(SAMPLES, amounts, strict=True)
    ]


def _span(index: int) -> Span:
    """A sample call; the second of them was retried."""
    kinds = (
        (
            "openai",
            "gpt-4o-mini",
            200,
            None,
            294_000,
            412_000,
            "intent-router",
            "Classify: “where is my parcel” → one of",
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            200,
            None,
            18_600_000,
            9_120_000,
            "kyc-review",
            "Summarise the ownership of",
        ),
        ("openai", "gpt-5", 402, "budget", 0, 38, "catalog-copy", "Write a 40-word product description"),
        ("openai", "gpt-4o-mini", 499, "cancelled", 2_850, 184_000, "autocomplete", "The committee agreed that the"),
        ("anthropic", "claude-sonnet-4-5", 529, "upstream_error", 0, 1_200_000, "kyc-review", "Compare the registers"),
        ("openai", "gpt-5", 504, "timeout", 0, 120_000_000, "weekly-digest", "Write the engineering digest"),
        ("mistral", "mistral-large-2607", 200, None, None, 2_870_000, "contract-qa", "Which clause sets demurrage"),
    )
    provider, model, status, error, cost, latency, feature, text = kinds[index]
    retried = [Attempt("anthropic", model, 529, "upstream_error", START + 44, 947_000, 0)] if index == 1 else []
    begun = START + (1_197_000 if retried else 44)
    return Span(
        request_id=f"01a02c4e-61f1-7c3b-9d52-8e1f40b7c9a{index}",
        kind="llm",
        started_at=START - index * SECOND,
        tenant="acme",
        feature=feature,
        provider=provider,
        model=model,
        stream=True,
        status_code=status,
        error_type=error,
        usage=None if cost == 0 else Usage(input_tokens=9876, output_tokens=742),
        cost_nanousd=cost,
        latency_us=latency,
        ttft_us=None if error else latency // 4,
        overhead_us=44,
        attempts=[*retried, Attempt(provider, model, status, error, begun, max(1, latency - (begun - START)), cost)],
        input_preview=text,
    )


def _rows() -> list[Row]:
    spans = [_span(index) for index in range(7)]
    return rows_of(spans, query=(), zone=UTC, today=day(START, UTC), with_ms=False, key_names={})


def _wave(size: int, height: float, phase: float = 0) -> list[float]:
    """A day and its night, with the same noise every time."""
    return [
        height * (1 + 0.6 * math.sin(i * 2 * math.pi / size - 1.7 + phase) + 0.06 * math.sin(i * i))
        for i in range(size)
    ]


def _stats() -> list[StatSample]:
    wave = spark(_wave(48, 100), from_zero=True)
    worse = spark([*_wave(30, 100), 400, 520, 300, *_wave(15, 100)], color="var(--warning-mark)")
    return [
        StatSample("Plain", count(176_845), Delta("6.1%", "up"), "", wave),
        StatSample("Worse", duration(3_410_000), Delta("11.2%", "up", "error"), "p95", worse),
        StatSample("Small money", money(2_850), None, "cheapest call today", None),
        StatSample("Nothing known", duration(None), None, "no streams in this period", None),
    ]


def _edges(size: int, width_us: int) -> list[int]:
    return [START + i * width_us for i in range(size + 1)]


def _lines() -> Chart:
    p50: list[float | None] = [value * 8_000 for value in _wave(48, 100)]
    p95: list[float | None] = [value * 22_000 for value in _wave(48, 100, 0.4)]
    p50[16:20] = p95[16:20] = [None] * 4
    series = [
        Series("p50", "var(--series-1)", p50, texts(p50, duration), draw="line"),
        Series("p95", "var(--series-1)", p95, texts(p95, duration), draw="thin"),
    ]
    top, y = y_axis(max(value or 0 for value in p95), duration_label)
    panel = Panel(150, 26, f"{top:g}", y[1:], ends=line_ends(series, top), inside=True)
    edges = _edges(48, 30 * MINUTE)
    return chart(
        "sample-lines", "Latency with a gap where nothing was measured.", edges, UTC, series, [panel], now_us=edges[-1]
    )


def _stack() -> Chart:
    names = ("claude-sonnet-4-5", "gpt-5", "claude-haiku-4-5", "gemini-2.5-flash", "gpt-5-mini", "gpt-4o-mini")
    series = []
    for rank, name in enumerate(names):
        values: list[float] = [value * 10**9 / (rank + 1) for value in _wave(30, 90)]
        series.append(Series(name, COLORS[rank], values, texts(values, money_sum)))
    top, y = y_axis(stack_top(series), money_label)
    edges = _edges(30, 24 * HOUR)
    sentence = "Spend per day by model; the last day is not over."
    return chart("sample-stack", sentence, edges, UTC, series, [Panel(150, 36, f"{top:g}", y)], now_us=edges[-2])


def _bars() -> Chart:
    values: list[float] = [round(value) for value in _wave(60, 120)]
    failed: list[float] = [value // 20 if 30 < i < 36 else 0 for i, value in enumerate(values)]
    series = [
        Series("Requests", "var(--chart-quiet)", values, texts(values, count)),
        Series("Failed", "var(--error-mark)", failed, texts(failed, count), panel=1),
    ]
    top, y = y_axis(max(values), count_label)
    low, low_y = y_axis(max(failed), count_label, most=2)
    panels = [Panel(96, 34, f"{top:g}", y), Panel(44, 34, f"{low:g}", low_y, title="Errors")]
    edges = _edges(60, MINUTE)
    return chart(
        "sample-bars",
        "Requests per minute, and the errors on a scale of their own.",
        edges,
        UTC,
        series,
        panels,
        now_us=edges[-1],
    )
