"""The figures of the overview: the strip at its top, and beneath the charts what each of them is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.control.comparison import tokens_per_second
from gateway.control.costs import per_thousand
from gateway.control.pricing_sums import CacheSavings
from gateway.dashboard import urls
from gateway.dashboard.charts import Spark, spark
from gateway.dashboard.format import (
    Delta,
    Figure,
    change,
    change_points,
    count,
    duration,
    money_sum,
    plain,
    rate,
    share,
    short,
)
from gateway.dashboard.overview_charts import LEAST_FOR_P95
from gateway.dashboard.view import View
from gateway.store.base import Bucket, Distribution, Stats, Totals


@dataclass(frozen=True)
class Stat:
    label: str
    figures: list[Figure]
    href: str
    delta: Delta | None = None
    note: str = ""
    spark: Spark | None = None


@dataclass(frozen=True)
class Part:
    """A line under a heading. `is_within`: of the line above it."""

    label: str
    figure: Figure
    href: str = ""
    is_within: bool = False


@dataclass(frozen=True)
class Parts:
    title: str
    rows: list[Part] = field(default_factory=list)


def listed(view: View, *plus: tuple[str, str]) -> str:
    """The rows behind a figure."""
    return urls.requests((*view.filters.narrowed(plus), *view.period.query.items()))


def success(answered: int, errors: int) -> float | None:
    return (answered - errors) / answered if answered > 0 else None


# ------------------------------------------------------------------------------------------------ the strip


def strip(view: View, now: Stats, before: Stats, buckets: Sequence[Bucket]) -> list[Stat]:
    return [*_of_calls(view, now.totals, before.totals, buckets), *_of_times(view, now, before, buckets)]


def _of_calls(view: View, now: Totals, before: Totals, buckets: Sequence[Bucket]) -> list[Stat]:
    answered, answered_before = now.requests - now.cancelled, before.requests - before.cancelled
    cost = change(now.cost_nanousd, before.cost_nanousd)
    of_output = share(now.output_cost_nanousd, now.input_cost_nanousd + now.output_cost_nanousd)
    return [
        Stat(
            "Spend",
            [money_sum(now.cost_nanousd)],
            listed(view, ("order", "costliest")),
            cost,
            f"{of_output} for output" if cost is None else view.period.before_label,
            spark([b.totals.cost_nanousd for b in buckets], from_zero=True),
        ),
        Stat(
            "Requests",
            [count(now.requests)],
            listed(view),
            change(now.requests, before.requests),
            f"{short(now.cancelled)} cancelled" if now.cancelled else "",
            spark([b.totals.requests for b in buckets], from_zero=True),
        ),
        Stat(
            "Success",
            [rate(answered - now.errors, answered)],
            listed(view, ("status", "error")),
            change_points(success(answered, now.errors), success(answered_before, before.errors)),
            f"{short(now.errors)} failed",
            spark(
                [success(b.totals.requests - b.totals.cancelled, b.totals.errors) for b in buckets],
                color="var(--success-mark)",
            ),
        ),
        Stat(
            "Tokens",
            [short(now.input_tokens + now.output_tokens)],
            listed(view),
            None,
            f"{share(now.cached_input_tokens, now.input_tokens)} of input cached",
            spark([b.totals.input_tokens + b.totals.output_tokens for b in buckets], from_zero=True),
        ),
    ]


def _of_times(view: View, now: Stats, before: Stats, buckets: Sequence[Bucket]) -> list[Stat]:
    latency, ttft, overhead = now.latency, now.ttft, now.overhead
    p50, p95 = duration(latency.p50), duration(latency.p95)
    return [
        Stat(
            "Latency, p50 · p95",
            [p50, p95] if latency.p50 is not None else [p50],
            listed(view, ("order", "slowest")),
            change(latency.p95, before.latency.p95, better="down"),
            "p95",
            spark([_p95(b) for b in buckets], color="var(--warning-mark)"),
        ),
        Stat(
            "First token, p50",
            [duration(ttft.p50)],
            listed(view, ("stream", "true")),
            change(ttft.p50, before.ttft.p50, better="down"),
            "streams" if ttft.count else "no streams",
            spark([b.ttft.p50 if b.ttft.count else None for b in buckets]),
        ),
        Stat(
            "Gateway adds, p50",
            [duration(overhead.p50)],
            listed(view),
            change(overhead.p50, before.overhead.p50, better="down"),
            f"p99 {duration(overhead.p99)}" if overhead.p99 is not None else "",
        ),
    ]


def _p95(bucket: Bucket) -> int | None:
    """Under 20 calls a p95 says nothing: a gap."""
    return bucket.latency.p95 if bucket.latency.count >= LEAST_FOR_P95 else None


# ------------------------------------------------------------------------------------------------ what they are made of


def parts(view: View, now: Stats, before: Totals, savings: CacheSavings) -> list[Parts]:
    return [
        Parts("Spend", _spend(view, now.totals, before, savings)),
        Parts("Requests", _requests(view, now.totals)),
        Parts("Tokens", _tokens(now.totals)),
        Parts("Latency", _times(now.latency)),
        Parts("First token", [*_times(now.ttft), Part("Tokens a second", _speed(now.totals))]),
    ]


def _spend(view: View, now: Totals, before: Totals, savings: CacheSavings) -> list[Part]:
    rest = now.cost_nanousd - now.input_cost_nanousd - now.output_cost_nanousd
    rows = [
        Part("Input", money_sum(now.input_cost_nanousd)),
        Part("Output", money_sum(now.output_cost_nanousd)),
    ]
    if rest:
        rows.append(Part("By the call, image or second", money_sum(rest)))
    rows += [
        Part("In all", money_sum(now.cost_nanousd), listed(view, ("order", "costliest"))),
        Part("Saved by prompt caches", money_sum(savings.saved_nanousd)),
        *([Part("Saved by the response cache", money_sum(now.saved_nanousd))] if now.saved_nanousd else []),
        Part("Per 1,000 requests", money_sum(per_thousand(now.cost_nanousd, now.requests))),
        Part(view.period.before_label.capitalize(), money_sum(before.cost_nanousd if before.requests else None)),
    ]
    return rows


def _requests(view: View, now: Totals) -> list[Part]:
    """Where only some statuses are looked at, no filter is narrower than theirs."""

    def of_status(status: str) -> str:
        return "" if view.filters.values("status") else listed(view, ("status", status))

    return [
        Part("Succeeded", count(now.requests - now.errors - now.cancelled), of_status("ok")),
        Part("Failed", count(now.errors), of_status("error")),
        Part("interrupted", count(now.interrupted), of_status("interrupted"), is_within=True),
        Part("Cancelled by the client", count(now.cancelled), of_status("cancelled")),
        Part("In all", count(now.requests), listed(view)),
        Part("Without a price", count(now.unpriced), listed(view, ("unpriced", "true"))),
    ]


def _tokens(now: Totals) -> list[Part]:
    return [
        Part("Prompt", count(now.input_tokens)),
        Part("from the cache", count(now.cached_input_tokens), is_within=True),
        Part("into the cache", count(now.cache_write_tokens), is_within=True),
        Part("Completion", count(now.output_tokens)),
        Part("reasoning", count(now.reasoning_tokens), is_within=True),
        Part("In all", count(now.input_tokens + now.output_tokens)),
    ]


def _times(found: Distribution) -> list[Part]:
    named = (
        ("Mean", found.mean),
        ("Shortest", found.min),
        ("p50", found.p50),
        ("p95", found.p95),
        ("p99", found.p99),
        ("Longest", found.max),
    )
    return [Part(label, duration(value)) for label, value in named]


def _speed(now: Totals) -> Figure:
    """Of streams, after their first token."""
    speed = tokens_per_second(now)
    return plain("–", nil=True) if speed is None else plain(f"{speed:.1f}")
