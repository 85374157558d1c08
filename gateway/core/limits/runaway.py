"""What is usual for a tenant, and when it is far beyond that.

Usual is the average of the same hour of the week over the last 30 days, or of the hour before or after where that is
more: work that starts at ten to nine for once is not a loop. The bound is `factor` times that, in calls and in money a
minute, and never less than `least_per_min` and `least_usd_per_min`. A tenant that has been known for less than
`young_days` has no usual and no such bound; its limits and budgets hold. The same body over and over is a loop at any
age.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from gateway.settings.limits import Runaway

HOUR = 3_600_000_000
WEEK_HOURS = 168
MICROUSD = 1_000_000


class Hour(NamedTuple):
    """What a tenant did in the hour that begins at `begin_us`."""

    begin_us: int
    calls: int
    microusd: int


class Profile(msgspec.Struct, frozen=True):
    """Averages an hour, by hour of the week (0 is Thursday 00:00 UTC, as the epoch began)."""

    calls: tuple[float, ...]
    microusd: tuple[float, ...]
    since_us: int
    """When the tenant was first seen, within the time looked at."""

    @classmethod
    def of(cls, hours: Iterable[Hour], from_us: int, to_us: int) -> Profile | None:
        """None for a tenant that did nothing. Averages count every such hour since it was first seen."""
        seen = [hour for hour in hours if from_us <= hour.begin_us < to_us and hour.calls]
        if not seen:
            return None
        since = min(hour.begin_us for hour in seen)
        calls, microusd = [0.0] * WEEK_HOURS, [0.0] * WEEK_HOURS
        for hour in seen:
            calls[_hour_of_week(hour.begin_us)] += hour.calls
            microusd[_hour_of_week(hour.begin_us)] += hour.microusd
        times = [0] * WEEK_HOURS
        for begin in range(since, to_us, HOUR):
            times[_hour_of_week(begin)] += 1
        return cls(
            tuple(total / max(1, number) for total, number in zip(calls, times, strict=True)),
            tuple(total / max(1, number) for total, number in zip(microusd, times, strict=True)),
            since,
        )


class Bound(NamedTuple):
    """A minute's calls and micro-dollars; None: there is no such bound."""

    calls: int | None
    microusd: int | None


UNBOUND = Bound(None, None)


def bound_at(profile: Profile | None, rule: Runaway, now_us: int) -> Bound:
    if profile is None or now_us - profile.since_us < rule.young_days * 24 * HOUR:
        return UNBOUND
    hour = _hour_of_week(now_us)
    near = [(hour + step) % WEEK_HOURS for step in (-1, 0, 1)]
    calls = rule.factor * max(profile.calls[each] for each in near) / 60
    microusd = rule.factor * max(profile.microusd[each] for each in near) / 60
    return Bound(max(rule.least_per_min, int(calls)), max(int(rule.least_usd_per_min * MICROUSD), int(microusd)))


def _hour_of_week(at_us: int) -> int:
    return at_us // HOUR % WEEK_HOURS
