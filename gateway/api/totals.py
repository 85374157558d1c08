"""`/api/stats` and `/api/costs`: totals from rollups, as JSON."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.errors import invalid
from gateway.api.filters import parse_limit, single
from gateway.api.record import ms, usd
from gateway.api.requests import json_response
from gateway.api.scope import asked, state_of
from gateway.control.comparison import tokens_per_second
from gateway.store.base import GROUPS, Distribution, Group, Stats, Totals


class Durations(msgspec.Struct):
    """Milliseconds; null without calls."""

    mean: float | None
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class StatsRecord(msgspec.Struct):
    requests: int
    errors: int
    success_rate: float | None
    cancelled: int
    interrupted: int
    unpriced: int
    cost_usd: msgspec.Raw | None
    input_cost_usd: msgspec.Raw | None
    output_cost_usd: msgspec.Raw | None
    saved_usd: msgspec.Raw | None
    """What answers from the response cache would have cost."""
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    latency_ms: Durations
    ttft_ms: Durations
    overhead_ms: Durations
    tokens_per_second: float | None
    """How fast streams wrote after their first token; null without streams."""


class CostRecord(msgspec.Struct):
    """One row of a breakdown. `key` is null for the calls without a value."""

    key: str | None
    requests: int
    errors: int
    success_rate: float | None
    cancelled: int
    interrupted: int
    unpriced: int
    cost_usd: msgspec.Raw | None
    input_cost_usd: msgspec.Raw | None
    output_cost_usd: msgspec.Raw | None
    charge_usd: msgspec.Raw | None
    cost_nanousd: int
    saved_usd: msgspec.Raw | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    latency_ms: Durations


class Breakdown(msgspec.Struct):
    group_by: str
    items: list[CostRecord]
    next_cursor: None = None
    """Always null: a breakdown is one page of at most a thousand groups, the costliest."""


async def stats(request: Request) -> Response:
    return json_response(stats_record(await state_of(request).store.stats(asked(request).which)))


async def costs(request: Request) -> Response:
    question = asked(request, "group_by", "limit", "time_zone")
    group_by = single(question.values, "group_by") or "day"
    if group_by not in GROUPS and not (group_by.startswith("tag:") and len(group_by) > len("tag:")):
        message = f"'group_by' has the value {group_by!r}. It takes {', '.join(GROUPS)} or tag:KEY."
        raise invalid("group_by", message)
    groups = await state_of(request).store.groups(
        question.which,
        group_by,
        limit=parse_limit(question.values, default=1000),
        time_zone=parse_time_zone(single(question.values, "time_zone")),
    )
    if group_by in ("day", "hour"):
        groups = [msgspec.structs.replace(group, key=_with_z(group.key)) for group in groups]
    return json_response(Breakdown(group_by, [cost_record(group) for group in groups]))


def _with_z(start: str | None) -> str | None:
    """UTC as all other times here have it; another zone keeps its offset."""
    return None if start is None else start.replace("+00:00", "Z")


def parse_time_zone(name: str | None) -> str:
    try:
        return ZoneInfo(name or "UTC").key
    except (ValueError, OSError, LookupError):
        message = f"'time_zone' has the value {name!r}. It takes an IANA name, e.g. Europe/Berlin."
        raise invalid("time_zone", message) from None


def success_rate(totals: Totals) -> float | None:
    """The share that succeeded, 0 to 1, of what the client did not cancel; None without such calls."""
    counted = totals.requests - totals.cancelled
    return (counted - totals.errors) / counted if counted else None


def durations(of: Distribution) -> Durations:
    return Durations(ms(of.mean), ms(of.min), ms(of.max), ms(of.p50), ms(of.p95), ms(of.p99))


def stats_record(stats: Stats) -> StatsRecord:
    totals = stats.totals
    return StatsRecord(
        requests=totals.requests,
        errors=totals.errors,
        success_rate=success_rate(totals),
        cancelled=totals.cancelled,
        interrupted=totals.interrupted,
        unpriced=totals.unpriced,
        cost_usd=usd(totals.cost_nanousd),
        input_cost_usd=usd(totals.input_cost_nanousd),
        output_cost_usd=usd(totals.output_cost_nanousd),
        saved_usd=usd(totals.saved_nanousd),
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cached_input_tokens=totals.cached_input_tokens,
        cache_write_tokens=totals.cache_write_tokens,
        reasoning_tokens=totals.reasoning_tokens,
        latency_ms=durations(stats.latency),
        ttft_ms=durations(stats.ttft),
        overhead_ms=durations(stats.overhead),
        tokens_per_second=tokens_per_second(totals),
    )


def cost_record(group: Group) -> CostRecord:
    totals = group.totals
    return CostRecord(
        key=group.key,
        requests=totals.requests,
        errors=totals.errors,
        success_rate=success_rate(totals),
        cancelled=totals.cancelled,
        interrupted=totals.interrupted,
        unpriced=totals.unpriced,
        cost_usd=usd(totals.cost_nanousd),
        input_cost_usd=usd(totals.input_cost_nanousd),
        output_cost_usd=usd(totals.output_cost_nanousd),
        charge_usd=usd(totals.charge_nanousd),
        cost_nanousd=totals.cost_nanousd,
        saved_usd=usd(totals.saved_nanousd),
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cached_input_tokens=totals.cached_input_tokens,
        cache_write_tokens=totals.cache_write_tokens,
        reasoning_tokens=totals.reasoning_tokens,
        latency_ms=durations(group.latency),
    )
