"""Where a month's spend is going: what is spent so far, what a day burns, and what the month will have cost. Pure.

A day to come is expected to cost the mean of the last days of its kind (working day or weekend), complete days only.
The range holds four of five months if days vary as those did.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import sqrt
from statistics import mean, pstdev
from zoneinfo import ZoneInfo

import msgspec

LEAST_DAYS = 3
"""Of fewer complete days nothing follows."""
LOOK_BACK_DAYS = 28
EIGHTY_PERCENT = 1.2816
"""Standard deviations to either side of the mean that hold 80 % of a normal distribution."""
SATURDAY = 5
MICROSECONDS = 1_000_000


class Forecast(msgspec.Struct, frozen=True):
    """Nano-dollars. The expectation and its range are None before there are enough days to go by."""

    month: str
    """`2026-11`"""
    spent_nanousd: int
    burn_nanousd_per_day: int | None
    """Mean of the last seven complete days, or of as many as there are."""
    expected_nanousd: int | None
    low_nanousd: int | None
    high_nanousd: int | None


def days_needed(now_us: int, zone: ZoneInfo) -> tuple[int, int]:
    """The period that `forecast` needs days of: from the start of the month, or further back."""
    today = _today(now_us, zone)
    first = min(today.replace(day=1), today - timedelta(days=LOOK_BACK_DAYS))
    return _midnight_us(first, zone), _midnight_us(today + timedelta(days=1), zone)


def forecast(days: Sequence[tuple[int, int]], now_us: int, zone: ZoneInfo) -> Forecast:
    """`days` are (start, nano-dollars), one for each calendar day of the zone within `days_needed`.

    Days before the first call of all say nothing about the days to come, and are left out.
    """
    today = _today(now_us, zone)
    spend = {_today(start, zone): amount for start, amount in days}
    spent = sum(amount for day, amount in spend.items() if (day.year, day.month) == (today.year, today.month))
    month = f"{today:%Y-%m}"
    first = min((day for day, amount in spend.items() if amount), default=today)
    complete = sorted(day for day in spend if first <= day < today)
    burn = round(mean(spend[day] for day in complete[-7:])) if complete else None
    if len(complete) < LEAST_DAYS:
        return Forecast(month, spent, burn, None, None, None)
    usual = _by_kind(complete, spend)
    left = _days_left(today)
    to_come = sum(usual[_is_weekend(day)] for day in left)
    to_come += max(0.0, usual[_is_weekend(today)] - spend.get(today, 0))
    spread = pstdev([spend[day] - usual[_is_weekend(day)] for day in complete]) * sqrt(len(left) + 1)
    expected = spent + round(to_come)
    reach = round(EIGHTY_PERCENT * spread)
    return Forecast(month, spent, burn, expected, max(spent, expected - reach), expected + reach)


def _by_kind(complete: Sequence[date], spend: dict[date, int]) -> dict[bool, float]:
    """Mean of working days (False) and of weekends (True); of all days where there is none of a kind."""
    means = {}
    for weekend in (False, True):
        of_kind = [spend[day] for day in complete if _is_weekend(day) == weekend]
        means[weekend] = mean(of_kind) if of_kind else mean(spend[day] for day in complete)
    return means


def _is_weekend(day: date) -> bool:
    return day.weekday() >= SATURDAY


def _days_left(today: date) -> list[date]:
    """After today, in its month."""
    last = monthrange(today.year, today.month)[1]
    return [today.replace(day=number) for number in range(today.day + 1, last + 1)]


def _today(at_us: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_us / MICROSECONDS, UTC).astimezone(zone).date()


def _midnight_us(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp()) * MICROSECONDS
