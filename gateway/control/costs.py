"""The questions of money that the API, the Costs page and the statement share: asked once, so that they agree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from gateway.control.forecast import Forecast, days_needed, forecast
from gateway.control.pricing_sums import CacheSavings, cache_savings
from gateway.store.base import Group, SpanFilter, SpanReader, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pricing.catalog import Catalog

STATEMENT_LINES = 1000
MODELS = 1000
THOUSAND = 1000


class Causes(msgspec.Struct, frozen=True):
    """Why spend changed; the three add up to the change, to the nano-dollar."""

    volume_nanousd: int
    """More calls, or fewer, at the mix and the cost per call of before."""
    mix_nanousd: int
    """Other models than before, at their cost per call of before; models that are new at their own."""
    per_call_nanousd: int
    """Calls of the same model that cost more, or less: longer, or at another price."""


class StatementLine(msgspec.Struct, frozen=True):
    key: str | None
    totals: Totals


class Statement(msgspec.Struct, frozen=True):
    """A tenant's month. Lines of each kind add up to `totals`, in nano-dollars and in calls."""

    tenant: str
    month: str
    """`2026-10`"""
    time_zone: str
    from_us: int
    to_us: int
    """The end of the month, though it may not be over."""
    totals: Totals
    models: list[StatementLine]
    """By `PROVIDER/MODEL`; None for calls that no model answered."""
    features: list[StatementLine]
    days: list[tuple[int, int]]
    """(start of the day, nano-dollars charged)"""


def per_thousand(nanousd: int, of: int) -> int | None:
    """Cost of a thousand calls or tokens; None of nothing."""
    return round(nanousd * THOUSAND / of) if of else None


def summed(totals: Iterable[Totals]) -> Totals:
    parts = list(totals)
    return Totals(**{name: sum(getattr(each, name) for each in parts) for name in Totals.__struct_fields__})


def causes(now: Sequence[Group], before: Sequence[Group]) -> Causes:
    """Of groups by `provider_model`. Rounded once each, but for the last, which takes what is left of the change."""
    was = {group.key: group.totals for group in before if group.totals.requests}
    calls, calls_before = (sum(group.totals.requests for group in groups) for groups in (now, before))
    spend, spend_before = (sum(group.totals.cost_nanousd for group in groups) for groups in (now, before))
    volume = round((calls - calls_before) * spend_before / calls_before) if calls_before else 0
    at_old_cost = 0.0
    for group in now:
        old = was.get(group.key)
        if old is None:
            at_old_cost += group.totals.cost_nanousd
        else:
            at_old_cost += group.totals.requests * old.cost_nanousd / old.requests
    mix = round(at_old_cost) - spend_before - volume
    return Causes(volume, mix, spend - spend_before - volume - mix)


class Summary(msgspec.Struct, frozen=True):
    """The period against the one of the same length before it."""

    now: Totals
    before: Totals
    failed: Totals
    """Of the calls that failed, whatever statuses are filtered."""
    savings: CacheSavings
    causes: Causes
    forecast: Forecast
    models: list[Group]
    """By `provider_model`, of the period; what a what-if is asked about."""


def before_of(which: SpanFilter) -> SpanFilter:
    """The same length just before; both ends must be given."""
    assert which.from_us is not None, "a period that is compared has a start"
    assert which.to_us is not None, "a period that is compared has an end"
    return msgspec.structs.replace(which, from_us=2 * which.from_us - which.to_us, to_us=which.from_us)


async def summary(store: SpanReader, which: SpanFilter, catalog: Catalog, now_us: int, zone: ZoneInfo) -> Summary:
    """`which` must have both ends. Prices for the savings are those in force at its end."""
    now, before = await asyncio.gather(
        store.groups(which, "provider_model", limit=MODELS, latency=False),
        store.groups(before_of(which), "provider_model", limit=MODELS, latency=False),
    )
    failing = msgspec.structs.replace(which, status=("error",))
    failed = await store.groups(failing, "provider_model", limit=MODELS, latency=False)
    at_us = min(now_us, which.to_us or now_us)
    return Summary(
        summed(group.totals for group in now),
        summed(group.totals for group in before),
        summed(group.totals for group in failed),
        cache_savings(now, catalog, at_us),
        causes(now, before),
        await month_forecast(store, which, now_us, zone),
        now,
    )


async def month_forecast(store: SpanReader, which: SpanFilter, now_us: int, zone: ZoneInfo) -> Forecast:
    """Of the month that is under way, whatever the period of the filter."""
    from_us, to_us = days_needed(now_us, zone)
    asked = msgspec.structs.replace(which, from_us=from_us, to_us=to_us)
    days = await store.groups(asked, "day", time_zone=zone.key, latency=False)
    return forecast([(_start_us(group), group.totals.cost_nanousd) for group in days], now_us, zone)


def _start_us(group: Group) -> int:
    return round(datetime.fromisoformat(str(group.key)).timestamp()) * 1_000_000


def month_of(name: str, zone: ZoneInfo) -> tuple[int, int]:
    """`2026-10` as a period of the zone. Raises ValueError for anything else."""
    first = datetime.strptime(name, "%Y-%m").replace(tzinfo=zone)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    from_us, to_us = (round(at.timestamp()) * 1_000_000 for at in (first, after))
    return from_us, to_us


async def statement(store: SpanReader, which: SpanFilter, month: str, zone: ZoneInfo) -> Statement:
    """`which` names one tenant, and may narrow it. Raises ValueError for a month that is none."""
    (tenant,) = which.tenant
    from_us, to_us = month_of(month, zone)
    which = msgspec.structs.replace(which, from_us=from_us, to_us=to_us)
    models = await store.groups(which, "provider_model", limit=STATEMENT_LINES, latency=False)
    features = await store.groups(which, "feature", limit=STATEMENT_LINES, latency=False)
    days = await store.groups(which, "day", time_zone=zone.key, latency=False)
    stats = await store.stats(which)
    return Statement(
        tenant,
        month,
        zone.key,
        from_us,
        to_us,
        stats.totals,
        _lines(models, stats.totals),
        _lines(features, stats.totals),
        [(_start_us(group), group.totals.charge_nanousd) for group in days],
    )


def _lines(groups: Sequence[Group], whole: Totals) -> list[StatementLine]:
    """Highest charge first. A call that is written between two questions is on the last line, not lost."""
    lines = [StatementLine(group.key, group.totals) for group in groups]
    listed = summed(line.totals for line in lines)
    rest = {name: getattr(whole, name) - getattr(listed, name) for name in Totals.__struct_fields__}
    if any(rest.values()):
        others = next((line for line in lines if line.key is None), None)
        lines = [line for line in lines if line is not others]
        lines.append(StatementLine(None, summed([Totals(**rest), *([others.totals] if others else [])])))
    return sorted(lines, key=lambda line: (line.key is None, -line.totals.charge_nanousd))
