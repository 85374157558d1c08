"""A period as whole days, whole hours and the ragged rest; and the buckets of a chart. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.store.sqlite.series import DAY, HOUR

FOREVER = DAY * 10_000_000
"""An end beyond every time, at the start of a day."""
MOST_BUCKETS = 10_000


class Stretch(NamedTuple):
    """`[from_us, to_us)`, to be read at a level: `daily`, `hourly` or `rows`."""

    level: str
    from_us: int
    to_us: int


def stretches(from_us: int, to_us: int, cuts: Iterable[int] = (), *, days: bool = True) -> Iterator[Stretch]:
    """Covers the period without overlap. An hour that holds an end or a cut, and does not start with it, comes from
    rows, split at the cut: so no stretch crosses a cut, but for whole hours and days. A period that ends before it
    starts is empty."""
    if from_us >= to_us:
        return
    edges = sorted({from_us, to_us, *(cut for cut in cuts if from_us < cut < to_us)})
    ragged = sorted({edge // HOUR * HOUR for edge in edges if edge % HOUR})
    start = -(-from_us // HOUR) * HOUR
    for hour in ragged:
        if start < hour:
            yield from _whole(start, hour, days)
        inside = [max(hour, from_us), *(edge for edge in edges if hour < edge < hour + HOUR), min(hour + HOUR, to_us)]
        for begin, end in pairwise(inside):
            if begin < end:
                yield Stretch("rows", begin, end)
        start = hour + HOUR
    end = to_us // HOUR * HOUR
    if start < end:
        yield from _whole(start, end, days)


def _whole(from_us: int, to_us: int, days: bool) -> Iterator[Stretch]:
    first, last = -(-from_us // DAY) * DAY, to_us // DAY * DAY
    if not days or first >= last:
        yield Stretch("hourly", from_us, to_us)
        return
    if from_us < first:
        yield Stretch("hourly", from_us, first)
    yield Stretch("daily", first, last)
    if last < to_us:
        yield Stretch("hourly", last, to_us)


def zone_of(name: str) -> ZoneInfo:
    """Raises ValueError for a time zone that does not exist."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"time zone {name!r} is not known; write e.g. Europe/Berlin") from exc


def bucket_starts(from_us: int, to_us: int, width_us: int, time_zone: str) -> list[int]:
    """Where the buckets of `[from_us, to_us)` start, the first at or before `from_us`.

    Less than a day: multiples of the width since 1970 UTC. Days or more: midnights of the zone, so that a day has 23
    or 25 hours where the clocks change. Raises ValueError for a width or a period that makes no sense.
    """
    if width_us <= 0 or (width_us > DAY and width_us % DAY):
        raise ValueError(f"a bucket of {width_us} µs: take a part of a day, or whole days")
    if (to_us - from_us) // width_us > MOST_BUCKETS:
        raise ValueError(f"more than {MOST_BUCKETS} buckets: take wider ones, or a shorter period")
    if width_us < DAY:
        return list(range(from_us // width_us * width_us, to_us, width_us))
    zone = zone_of(time_zone)
    day = datetime.fromtimestamp(from_us / 1e6, UTC).astimezone(zone).date()
    starts: list[int] = []
    while True:
        start = int(datetime.combine(day, time(), zone).timestamp() * 1_000_000)
        if start >= to_us:
            return starts
        starts.append(start)
        day += timedelta(days=width_us // DAY)


def bucket_index(starts: list[int], at_us: int) -> int:
    return max(0, bisect_right(starts, at_us) - 1)


def iso(at_us: int, time_zone: str) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).astimezone(zone_of(time_zone)).isoformat()
