"""When a budget's period began and when the next one does. UTC; weeks begin on Monday."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MICRO = 1_000_000
DAY = 86_400 * MICRO
NEVER = 1 << 62
"""Where `total` ends."""
_MONDAY = 4 * DAY
"""1970-01-05."""


def bounds(period: str, now_us: int) -> tuple[int, int]:
    """`[begin, end)` in µs UTC of the period that `now_us` is in; `total` begins at 0 and ends never."""
    if period == "day":
        begin = now_us // DAY * DAY
        return begin, begin + DAY
    if period == "week":
        begin = (now_us - _MONDAY) // (7 * DAY) * (7 * DAY) + _MONDAY
        return begin, begin + 7 * DAY
    if period == "month":
        at = datetime.fromtimestamp(now_us // MICRO, UTC)
        first = at.replace(day=1, hour=0, minute=0, second=0)
        after = (first + timedelta(days=32)).replace(day=1)
        return int(first.timestamp()) * MICRO, int(after.timestamp()) * MICRO
    return 0, NEVER


def spelled(end_us: int) -> str | None:
    """`2026-12-01T00:00:00Z`; None for a period that never ends."""
    if end_us >= NEVER:
        return None
    return datetime.fromtimestamp(end_us // MICRO, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
