"""The period a page shows: presets that slide with the clock, or two fixed ends; and the buckets charts cut it into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.dashboard.format import DAY, HOUR, MINUTE, SECOND, moment, span_of_time

DEFAULT = "24h"


@dataclass(frozen=True)
class Preset:
    key: str
    label: str
    length_us: int
    before: str
    """What it is compared with, in words."""


PRESETS = (
    Preset("15m", "Last 15 minutes", 15 * MINUTE, "15 min before"),
    Preset("1h", "Last hour", HOUR, "hour before"),
    Preset("3h", "Last 3 hours", 3 * HOUR, "3 h before"),
    Preset("6h", "Last 6 hours", 6 * HOUR, "6 h before"),
    Preset("12h", "Last 12 hours", 12 * HOUR, "12 h before"),
    Preset("24h", "Last 24 hours", DAY, "day before"),
    Preset("2d", "Last 2 days", 2 * DAY, "2 days before"),
    Preset("7d", "Last 7 days", 7 * DAY, "7 days before"),
    Preset("30d", "Last 30 days", 30 * DAY, "30 days before"),
    Preset("90d", "Last 90 days", 90 * DAY, "90 days before"),
)
BY_KEY = {preset.key: preset for preset in PRESETS}

WIDTHS = (
    (15 * MINUTE, 15 * SECOND, "15 s"),
    (HOUR, MINUTE, "minute"),
    (3 * HOUR, 5 * MINUTE, "5 minutes"),
    (6 * HOUR, 10 * MINUTE, "10 minutes"),
    (2 * DAY, HOUR, "hour"),
    (7 * DAY, 3 * HOUR, "3 hours"),
    (14 * DAY, 6 * HOUR, "6 hours"),
)
"""(up to this length, the width of a bucket, its name after "per"); a day beyond. From half a day on the
widths are whole hours, which rollups answer whatever the number of calls."""


@dataclass(frozen=True)
class Period:
    """`[from_us, to_us)`. `key` is a preset's, or `custom`. The start of a preset lies on the edge of a bucket."""

    key: str
    label: str
    before_label: str
    from_us: int
    to_us: int
    zone: ZoneInfo

    @property
    def length_us(self) -> int:
        return self.to_us - self.from_us

    @property
    def width_us(self) -> int:
        return _width(self.length_us)[0]

    @property
    def width_label(self) -> str:
        return _width(self.length_us)[1]

    @property
    def query(self) -> dict[str, str]:
        """As it stands in a URL; nothing for the default."""
        if self.key == "custom":
            return {"from": iso(self.from_us), "to": iso(self.to_us)}
        return {} if self.key == DEFAULT else {"period": self.key}

    @property
    def before(self) -> tuple[int, int]:
        """The same length just before it."""
        return self.from_us - self.length_us, self.from_us

    @property
    def is_sliding(self) -> bool:
        return self.key != "custom"

    def shifted(self, periods: int) -> dict[str, str]:
        """The query of the period one (or more) before or after."""
        by = periods * self.length_us
        return {"from": iso(self.from_us + by), "to": iso(self.to_us + by)}


def parse(query: Mapping[str, str], *, now_us: int, zone: ZoneInfo) -> Period:
    """What cannot be read becomes the default: a page has no use for an error about a mistyped period."""
    start, end = _instant(query.get("from"), zone), _instant(query.get("to"), zone)
    if start is not None and start < (end or now_us):
        end = end or now_us
        return Period("custom", span_of_time(start, end, zone), "time before", start, end, zone)
    preset = BY_KEY.get(query.get("period", DEFAULT)) or BY_KEY[DEFAULT]
    return Period(preset.key, preset.label, preset.before, _start(preset, now_us, zone), now_us, zone)


def _start(preset: Preset, now_us: int, zone: ZoneInfo) -> int:
    width = _width(preset.length_us)[0]
    if width >= DAY:  # calendar days of the zone, today being the last
        today = moment(now_us, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        first = (today.replace(tzinfo=None) - timedelta(days=preset.length_us // DAY - 1)).replace(tzinfo=zone)
        return round(first.timestamp()) * SECOND
    return (now_us - preset.length_us) // width * width


def _width(length_us: int) -> tuple[int, str]:
    for up_to, width, name in WIDTHS:
        if length_us < up_to + width:
            return width, name
    return DAY, "day"


def iso(us: int) -> str:
    return f"{moment(us, ZoneInfo('UTC')):%Y-%m-%dT%H:%M:%SZ}"


def _instant(text: str | None, zone: ZoneInfo) -> int | None:
    """ISO 8601; without an offset it is in the shown zone."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=zone)
        return round(at.astimezone(UTC).timestamp() * SECOND)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=64)
def zone_of(name: str | None) -> ZoneInfo:
    """The named zone, or UTC."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
