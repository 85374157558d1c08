"""When a budget's period began and when the next one does. UTC; weeks begin on Monday."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

MICRO = 1_000_000
DAY = 86_400 * MICRO
NEVER = 1 << 62
"""Where `total` ends."""
_MONDAY = 4 * DAY
"""1970-01-05."""


def bounds(period: str, now_us: int) -> tuple[int, int]:
    """`[begin, end)` in µs UTC of the period that `now_us` is in; `total` begins at 0 and ends never."""
    return _bounds(period, now_us // DAY)


@functools.lru_cache(64)
def _bounds(period: str, day: int) -> tuple[int, int]:
    """Cached less for the time it takes than to have the same two numbers in a thousand budgets: they are at hand."""
    if period == "day":
        return day * DAY, (day + 1) * DAY
    if period == "week":
        begin = (day * DAY - _MONDAY) // (7 * DAY) * (7 * DAY) + _MONDAY
        return begin, begin + 7 * DAY
    if period == "month":
        first = datetime.fromtimestamp(day * DAY // MICRO, UTC).replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        return int(first.timestamp()) * MICRO, int(after.timestamp()) * MICRO
    return 0, NEVER


@functools.lru_cache(64)
def spelled(end_us: int) -> str | None:
    """`2026-12-01T00:00:00Z`; None for a period that never ends."""
    if end_us >= NEVER:
        return None
    return datetime.fromtimestamp(end_us // MICRO, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
