"""Hours in which a model is cheaper, as `off_peak_pricing` of the price file states them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY_MINUTES = 24 * 60


class Window(NamedTuple):
    """`[from_minute, to_minute)` of a day in UTC, on ISO weekdays (Monday is 1)."""

    weekdays: frozenset[int]
    from_minute: int
    to_minute: int

    def covers(self, weekday: int, minute: int) -> bool:
        if weekday not in self.weekdays:
            return False
        if self.from_minute < self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


class OffPeak(NamedTuple):
    windows: tuple[Window, ...]
    weekday_zone: str = "UTC"
    """Whose calendar says which weekday it is; the hours are always UTC."""

    def covers(self, at_us: int) -> bool:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
        weekday = moment.astimezone(ZoneInfo(self.weekday_zone)).isoweekday()
        minute = moment.hour * 60 + moment.minute
        return any(window.covers(weekday, minute) for window in self.windows)


def off_peak(terms: Mapping[str, object]) -> OffPeak:
    """Reads `{"windows": [{"weekdays": [1, …], "hours_utc": "10:00-00:00" or a list}], "weekday_timezone": …}`.

    Raises ValueError where it has another shape.
    """
    windows = terms.get("windows")
    if not isinstance(windows, list):
        raise ValueError("off_peak_pricing has no list of windows")  # noqa: TRY004  a wrong value in a file, for its reader
    found = []
    for window in windows:
        hours = window["hours_utc"]
        days = frozenset(int(day) for day in window.get("weekdays") or range(1, 8))
        for span in [hours] if isinstance(hours, str) else hours:
            start, _, end = span.partition("-")
            found.append(Window(days, _minute(start), _minute(end) or _DAY_MINUTES))
    return OffPeak(tuple(found), str(terms.get("weekday_timezone") or "UTC"))


def _minute(clock: str) -> int:
    hours, _, minutes = clock.strip().partition(":")
    return int(hours) * 60 + int(minutes)
