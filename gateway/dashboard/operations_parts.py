"""Parts of the Operations page: figures at the top, providers with their state, the last hour, store and processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.api.operations import ProcessRecord, ProviderView
from gateway.control.comparison import error_rate
from gateway.control.route_view import RouteView, TargetView
from gateway.control.vitals import Sample
from gateway.core.health import RecorderHealth
from gateway.dashboard.charts import Chart, Panel, Series, Spark, chart, count_label, line_ends, spark, texts, y_axis
from gateway.dashboard.format import (
    MINUTE,
    SECOND,
    UNKNOWN,
    Figure,
    ago,
    count,
    duration,
    full,
    moment,
    plain,
    plural,
    rate,
    short,
    size,
    span_of_time,
)
from gateway.dashboard.overview_charts import edges_of
from gateway.dashboard.period import Period
from gateway.settings import Log
from gateway.store.base import Bucket, Profile, Stats, StoreHealth

HOUR_OF_MINUTES = 60
RATE_OVER_US = MINUTE
FAILED_SOME, FAILED_MANY = 0.015, 0.1
"""Shares of failures from which a cell is amber, and red."""
CIRCUIT_TONES = {"open": "error", "half-open": "warning", "probing": "warning", "resting": "warning"}


@dataclass(frozen=True)
class OpsStat:
    label: str
    figures: list[Figure]
    note: str = ""
    tone: str = ""
    href: str = ""
    spark: Spark | None = None


@dataclass(frozen=True)
class StateCell:
    title: str
    tone: str


@dataclass(frozen=True)
class ProviderRow:
    name: str
    href: str
    state: str
    tone: str
    state_title: str
    cells: list[StateCell]
    cells_words: str
    calls: Figure
    failed: Figure
    is_failing: bool
    p50: Figure
    p95: Figure
    connections: str


@dataclass(frozen=True)
class TargetRow:
    route: str
    provider: str
    model: str
    tier: str
    state: str
    tone: str
    chance: str
    latency: Figure
    in_flight: int
    keys: str


@dataclass(frozen=True)
class Fact:
    label: str
    figure: Figure
    is_mono: bool = False


@dataclass(frozen=True)
class ProcessRow:
    name: str
    pid: int
    cpu: Figure
    memory: Figure
    up: Figure
    up_title: str


@dataclass(frozen=True)
class Now:
    """What all workers say of themselves at the moment."""

    in_flight: int
    client_connections: int
    recorder: RecorderHealth
    letters: int
    samples: Sequence[Sample] = field(default_factory=list)


def stats(now: Now, stats: Stats, buckets: Sequence[Bucket], period: Period) -> list[OpsStat]:
    recorder, overhead = now.recorder, stats.overhead
    peak = max((bucket.totals.requests for bucket in buckets), default=0)
    waiting = bool(recorder.backlog_bytes)
    return [
        OpsStat(
            "In flight",
            [count(now.in_flight)],
            plural(now.client_connections, "connection"),
            href="#processes",
            spark=spark([sample.in_flight for sample in now.samples], from_zero=True),
        ),
        OpsStat(
            "Calls per second",
            [_per_second(stats.totals.requests, period.length_us)],
            f"peak {_per_second(peak, period.width_us)}" if peak else "",
            spark=spark([bucket.totals.requests for bucket in buckets], from_zero=True),
        ),
        OpsStat(
            "Gateway adds, p50 · p99",
            [duration(overhead.p50), duration(overhead.p99)] if overhead.count else [UNKNOWN],
            f"at most {duration(overhead.max)}" if overhead.max is not None else "",
            href="#overhead",
        ),
        OpsStat(
            "Journal not yet stored",
            [size(recorder.backlog_bytes)],
            f"oldest {duration(recorder.lag_us)}"
            if waiting and recorder.lag_us
            else "all is stored"
            if not waiting
            else "",
            "warning" if recorder.lag_us > 30 * SECOND else "",
            href="#journal",
            spark=spark([sample.backlog_bytes for sample in now.samples], color="var(--warning-mark)", from_zero=True),
        ),
        OpsStat(
            "Recorder writes",
            [plain(f"{recorder.rows_per_s:,.1f}"), plain("rows/s", nil=True)],
            f"{recorder.state.replace('_', ' ')}, {short(recorder.written)} rows so far",
            "" if recorder.state == "running" else "error",
            spark=spark([sample.rows_per_s for sample in now.samples], from_zero=True),
        ),
        OpsStat(
            "Dead letters",
            [count(now.letters)],
            "rows the store refused" if now.letters else "every row is stored",
            "error" if now.letters else "",
            href="#letters",
        ),
    ]


def _per_second(calls: int, over_us: int) -> Figure:
    value = calls * SECOND / over_us
    return plain(f"{value:.0f}" if value >= 100 else f"{value:.3g}", title=f"{calls:,} calls")


# ------------------------------------------------------------------------------------------------ providers


def provider_rows(
    views: Sequence[ProviderView],
    profiles: Sequence[Profile],
    curves: Mapping[str, Sequence[Bucket]],
    routes: Sequence[RouteView],
    period: Period,
    links: Mapping[str, str],
) -> list[ProviderRow]:
    """Those in use first, by calls; then those that are only configured. One that is gone from the configuration is
    still there for its calls."""
    whole = {profile.key: profile.whole for profile in profiles if profile.key}
    known = {view.provider: view for view in views}
    names = sorted({*whole, *known}, key=lambda name: (-(whole[name].totals.requests if name in whole else 0), name))
    targets = [target for route in routes for target in route.targets]
    return [
        _provider(name, known.get(name), whole.get(name), curves.get(name, ()), targets, period, links.get(name, ""))
        for name in names
    ]


def _provider(
    name: str,
    view: ProviderView | None,
    whole: Stats | None,
    buckets: Sequence[Bucket],
    targets: Sequence[TargetView],
    period: Period,
    href: str,
) -> ProviderRow:
    state, tone, title = _state(name, view, targets)
    failed = error_rate(whole.totals) if whole else None
    cells = _cells(buckets, period)
    loud = sum(cell.tone in ("warning", "error") for cell in cells)
    return ProviderRow(
        name=name,
        href=href,
        state=state,
        tone=tone,
        state_title=title,
        cells=cells,
        cells_words=f"{name}: failures in {loud} of {len(cells)} parts of the period",
        calls=count(whole.totals.requests if whole else 0),
        failed=rate(whole.totals.errors, whole.totals.requests - whole.totals.cancelled) if whole else UNKNOWN,
        is_failing=failed is not None and failed > FAILED_SOME,
        p50=duration(whole.latency.p50 if whole else None),
        p95=duration(whole.latency.p95 if whole else None),
        connections=_connections(view),
    )


def _state(name: str, view: ProviderView | None, targets: Sequence[TargetView]) -> tuple[str, str, str]:
    """(word, tone, more). An open circuit says more than the last few calls."""
    if view is None:
        return "not configured", "idle", "It has calls in this period and is in the configuration no more."
    loud = [target for target in targets if target.provider == name and target.state in CIRCUIT_TONES]
    if loud:
        worst = max(loud, key=lambda target: (target.state == "open", target.ready_in_ms))
        wait = f", {duration(worst.ready_in_ms * 1000)}" if worst.ready_in_ms else ""
        return f"{worst.state}{wait}", CIRCUIT_TONES[worst.state], f"The circuit of {worst.model}."
    health = view.health
    if view.state == "failing":
        return "failing", "error", f"{plural(health.failures_in_a_row, 'call')} in a row: {health.last_error}"
    if view.state == "unused":
        return "unused", "idle", "This worker has not called it since its start."
    return (
        "answers",
        "success",
        f"{plural(health.calls, 'call')} since the start, {health.failures:,} failed by its fault",
    )


def _cells(buckets: Sequence[Bucket], period: Period) -> list[StateCell]:
    if not buckets:
        return []
    times = [span_of_time(start, end, period.zone) for start, end in pairwise(edges_of(buckets, period))]
    return [_cell(time, bucket) for time, bucket in zip(times, buckets, strict=True)]


def _cell(time: str, bucket: Bucket) -> StateCell:
    failed = error_rate(bucket.totals)
    if failed is None:
        return StateCell(f"{time}: no calls", "none")
    tone = "error" if failed >= FAILED_MANY else "warning" if failed >= FAILED_SOME else ""
    return StateCell(f"{time}: {plural(bucket.totals.requests, 'call')}, {bucket.totals.errors:,} failed", tone)


def _connections(view: ProviderView | None) -> str:
    if view is None or view.connections is None or view.max_connections is None:
        return "–"
    return f"{view.connections:,} of {view.max_connections:,}"


def target_rows(routes: Sequence[RouteView]) -> list[TargetRow]:
    rows = []
    for route in routes:
        for target in route.targets:
            wait = f", {duration(target.ready_in_ms * 1000)}" if target.ready_in_ms else ""
            rows.append(
                TargetRow(
                    route=route.name,
                    provider=target.provider,
                    model=target.model,
                    tier="target" if target.tier == 0 else f"fallback {target.tier}",
                    state=f"{target.state}{wait}",
                    tone=CIRCUIT_TONES.get(target.state, "success"),
                    chance=f"{target.chance * 100:.3g}%",
                    latency=duration(None if target.latency_ms is None else target.latency_ms * 1000),
                    in_flight=target.in_flight,
                    keys=f"{target.keys_ready} of {target.keys}" if target.keys else "none needed",
                )
            )
    return rows


# ------------------------------------------------------------------------------------------------ the last hour


def journal_chart(samples: Sequence[Sample], period: Period, now_us: int) -> Chart | None:
    """What waited in the journal, and how old the oldest of it was, minute by minute. None before the first minute."""
    if len(samples) < 2:
        return None
    end = -(-now_us // MINUTE) * MINUTE
    edges = [end - (HOUR_OF_MINUTES - minute) * MINUTE for minute in range(HOUR_OF_MINUTES + 1)]
    waiting: list[float | None] = [None] * HOUR_OF_MINUTES
    oldest: list[float | None] = [None] * HOUR_OF_MINUTES
    lag: list[float | None] = [None] * HOUR_OF_MINUTES
    for sample in samples:
        at = (sample.at - edges[0]) // MINUTE
        if 0 <= at < HOUR_OF_MINUTES:
            waiting[at] = max(waiting[at] or 0, sample.backlog_bytes)
            oldest[at] = max(oldest[at] or 0, sample.recorder_lag_us)
            lag[at] = max(lag[at] or 0, sample.loop_lag_us)
    nothing: list[float | None] = [None] * HOUR_OF_MINUTES
    series = [
        Series("Waiting", "var(--warning-mark)", waiting, texts(waiting, size), draw="line"),
        Series("Oldest call", "transparent", nothing, texts(oldest, duration), draw=""),
        Series("Loop lag", "transparent", nothing, texts(lag, duration), draw=""),
    ]
    highest = max((value for value in waiting if value is not None), default=0)
    top, y = y_axis(highest, lambda value: f"{count_label(value)}B")
    panel = Panel(150, 44, f"{top:g}", y, ends=line_ends(series, top))
    sentence = f"Bytes of the journal not yet stored, in the last hour: at most {size(round(highest))}."
    return chart("journal-hour", sentence, edges, period.zone, series, [panel], now_us=now_us)


# ------------------------------------------------------------------------------------------------ store, processes


def store_facts(health: StoreHealth, log: Log) -> list[Fact]:
    return [
        Fact("Rows", count(health.spans)),
        Fact("On disk", size(health.size_bytes)),
        Fact("Answers in", duration(health.latency_us)),
        Fact("Rows are kept", _days(log.retention_days)),
        Fact("Bodies are kept", _days(log.payload_retention_days, "as long as rows")),
        Fact("Bodies", plain(log.payloads)),
    ]


def _days(days: int | None, else_: str = "for ever") -> Figure:
    return plain(plural(days, "day") if days is not None else else_)


def process_rows(
    records: Sequence[ProcessRecord], starts: Sequence[int], period: Period, now_us: int
) -> list[ProcessRow]:
    """`starts` are the times of their start in µs, in the same order."""
    return [
        ProcessRow(
            record.name,
            record.pid,
            UNKNOWN if record.cpu_share is None else Figure((("main", f"{record.cpu_share * 100:.1f}"), ("unit", "%"))),
            size(record.memory_bytes),
            duration(max(0, now_us - started)),
            full(started, period.zone),
        )
        for record, started in zip(records, starts, strict=True)
    ]


def when(at_us: int, now_us: int, period: Period) -> str:
    """Relative under an hour, else the clock, with the day where it is another."""
    relative = ago(at_us, now_us)
    if relative is not None:
        return relative
    at, now = moment(at_us, period.zone), moment(now_us, period.zone)
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at.day} {at:%b %H:%M}"
