"""What charts need from Python: paths of small SVGs, round axis steps, and the table that a time series is drawn from.

A time series is a table first: `static/charts.js` reads the rows and draws them, "as table" shows them, and without
script they are what there is. So a chart can say nothing that its table does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from gateway.dashboard.format import DAY, HOUR, MINUTE, SECOND, Figure, moment, span_of_time

SPARK_WIDTH, SPARK_HEIGHT = 200, 26


# ------------------------------------------------------------------------------------------------ small charts


@dataclass(frozen=True)
class Spark:
    """A small line without axes. `area` is empty where the line does not start at zero."""

    line: str
    area: str = ""
    color: str = "var(--accent-solid)"
    height: int = SPARK_HEIGHT


def spark(
    values: Sequence[float | None],
    *,
    color: str = "var(--accent-solid)",
    from_zero: bool = False,
    height: int = SPARK_HEIGHT,
) -> Spark | None:
    """None where two values, or a third of them, are not known: dots say nothing. Unknown values are gaps."""
    known = [value for value in values if value is not None]
    if len(known) < max(2, len(values) // 3):
        return None
    top = max(known)
    bottom = 0 if from_zero else min(known)
    reach = (top - bottom) or 1
    step = SPARK_WIDTH / (len(values) - 1)
    points = [
        None if value is None else (index * step, 1 + (height - 2) * (1 - (value - bottom) / reach))
        for index, value in enumerate(values)
    ]
    line = _line(points)
    whole = from_zero and len(known) == len(values)
    area = f"{line}L{SPARK_WIDTH} {height}L0 {height}z" if whole else ""
    return Spark(line, area, color, height)


def spark_bars(values: Sequence[float], *, height: int = 18) -> str:
    """The path of a small bar chart from zero; one bar a value, 22 % gap."""
    top = max(values, default=0)
    if not top:
        return ""
    step = SPARK_WIDTH / len(values)
    bars = []
    for index, value in enumerate(values):
        if value:
            left, right = index * step + step * 0.11, (index + 1) * step - step * 0.11
            bars.append(f"M{_n(left)} {height}H{_n(right)}V{_n(height - max(1, height * value / top))}H{_n(left)}z")
    return "".join(bars)


def _line(points: Sequence[tuple[float, float] | None]) -> str:
    path, drawing = [], False
    for point in points:
        if point is None:
            drawing = False
            continue
        path.append(f"{'L' if drawing else 'M'}{_n(point[0])} {_n(point[1])}")
        drawing = True
    return "".join(path)


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def percent(part: float, whole: float) -> str:
    """For a custom property: `12.5%`; zero of nothing."""
    return f"{_n(min(100.0, max(0.0, part * 100 / whole)))}%" if whole else "0%"


# ------------------------------------------------------------------------------------------------ axes


@dataclass(frozen=True)
class Tick:
    at: str
    """Where, in percent from the left or the top."""
    label: str
    is_end: bool = False


def round_top(highest: float, *, whole: bool = True, most: int = 4) -> tuple[float, int]:
    """The top of an axis from zero and its number of steps: 3 or 4, or fewer where only whole numbers make sense."""
    if highest <= 0:
        return 1, 1
    best: tuple[float, int] | None = None
    power = 10 ** math.floor(math.log10(highest))
    for scale in (0.1, 1, 10):
        for step in (1, 2, 2.5, 5):
            size = step * power * scale
            if whole and size != int(size):
                continue
            steps = math.ceil(highest / size - 1e-9)
            if 2 <= steps <= most and (best is None or size * steps < best[0]):
                best = (size * steps, steps)
    return best or (float(math.ceil(highest)), 1)


def y_axis(
    highest: float, label: Callable[[float], str], *, whole: bool = True, most: int = 4
) -> tuple[float, list[Tick]]:
    top, steps = round_top(highest, whole=whole, most=most)
    values = [top * index / steps for index in range(steps + 1)]
    return top, [Tick(percent(top - value, top), label(value)) for value in values]


def count_label(value: float) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def money_label(nanousd: float) -> str:
    dollars = nanousd / 1e9
    if dollars >= 1000:
        return f"${count_label(dollars)}"
    if dollars == int(dollars):
        return f"${int(dollars)}"
    digits = f"{dollars:.9f}".rstrip("0")
    return f"${digits if len(digits.partition('.')[2]) != 1 else digits + '0'}"


def duration_label(us: float) -> str:
    if us >= 2 * MINUTE and us % MINUTE == 0:
        return f"{us / MINUTE:g} min"
    for size, unit in ((SECOND, "s"), (1000, "ms"), (1, "µs")):
        if us >= size:
            return f"{us / size:g} {unit}"
    return "0"


_STEPS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]
_STEPS += [6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY, 30 * DAY]


def x_axis(from_us: int, to_us: int, zone: ZoneInfo, *, labels: int = 6) -> list[Tick]:
    """Labels at round times of the zone, midnights as days; none so near an end that it would be cut."""
    length = to_us - from_us
    step = next((step for step in _STEPS if length / step <= labels), _STEPS[-1])
    ticks = []
    for at in _round_times(from_us, to_us, step, zone):
        us = round(at.timestamp() * SECOND)
        where = (us - from_us) / length
        if 0.03 <= where <= 0.96:
            is_day = step >= DAY or (at.hour == at.minute == 0 and length > 1.5 * DAY)
            ticks.append(Tick(percent(us - from_us, length), f"{at.day} {at:%b}" if is_day else f"{at:%H:%M}"))
    return ticks


def _round_times(from_us: int, to_us: int, step: int, zone: ZoneInfo) -> list[datetime]:
    start = moment(from_us, zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    times: list[datetime] = []
    at, end = start, moment(to_us, zone).replace(tzinfo=None)
    while at <= end and len(times) < 5000:
        local = at.replace(tzinfo=zone)
        if local.timestamp() * SECOND >= from_us:
            times.append(local)
        at += timedelta(microseconds=step)
    return times


# ------------------------------------------------------------------------------------------------ time series


@dataclass(frozen=True)
class Series:
    """A column. `draw` is `bar` (stacked on the ones before it in its panel), `line`, `thin`, `dash`, or empty: only
    in the table and under the cursor."""

    label: str
    color: str
    values: Sequence[float | None]
    texts: Sequence[str]
    draw: str = "bar"
    panel: int = 0


@dataclass(frozen=True)
class Cell:
    value: str
    """For the script; empty is a gap."""
    text: str


@dataclass(frozen=True)
class Row:
    at_s: str
    """Start of the bucket, seconds since 1970."""
    label: str
    cells: list[Cell]


@dataclass(frozen=True)
class Panel:
    """One plot. Several panels of a chart share the x axis and the table."""

    height: int
    y_width: int
    top: str
    """Value at the top edge."""
    y: list[Tick]
    title: str = ""
    ends: list[tuple[str, str, str]] = field(default_factory=list)
    """(at, label, colour) of line ends, named instead of a legend."""
    inside: bool = False
    """Y labels stand in the plot, because the line ends are named beside it."""


@dataclass(frozen=True)
class Chart:
    id: str
    sentence: str
    """What the chart says, for those who do not see it."""
    series: list[Series]
    rows: list[Row]
    panels: list[Panel]
    x: list[Tick]
    from_s: str
    to_s: str
    width_s: str
    is_unfinished: bool
    """The last bucket is not over."""

    @property
    def legend(self) -> list[Series]:
        """Top of the stack first."""
        drawn = [series for series in self.series if series.draw == "bar"]
        named = [series for series in drawn if series.color != QUIET] if len(drawn) > 1 else []
        return named[::-1] if named and named[0].panel == 0 else named


QUIET = "var(--chart-quiet)"


def chart(
    id: str,  # noqa: A002 - the HTML attribute
    sentence: str,
    edges_us: Sequence[int],
    zone: ZoneInfo,
    series: list[Series],
    panels: list[Panel],
    *,
    now_us: int,
) -> Chart:
    """`edges_us` are the starts of the buckets and, last, the end of the last one."""
    starts, end = edges_us[:-1], edges_us[-1]
    rows = [
        Row(
            _n(start / SECOND),
            span_of_time(start, stop, zone),
            [Cell("" if (value := s.values[i]) is None else _n(value), s.texts[i]) for s in series],
        )
        for i, (start, stop) in enumerate(pairwise(edges_us))
    ]
    width = (end - starts[0]) / len(starts) / SECOND
    return Chart(
        id=id,
        sentence=sentence,
        series=series,
        rows=rows,
        panels=panels,
        x=x_axis(starts[0], end, zone),
        from_s=_n(starts[0] / SECOND),
        to_s=_n(end / SECOND),
        width_s=_n(width),
        is_unfinished=end > now_us,
    )


def stack_top(series: Sequence[Series], panel: int = 0) -> float:
    """The highest stack of a panel."""
    drawn = [s.values for s in series if s.panel == panel and s.draw == "bar"]
    return max((sum(value or 0 for value in values) for values in zip(*drawn, strict=True)), default=0)


def line_ends(series: Sequence[Series], top: float) -> list[tuple[str, str, str]]:
    """Where each line ends, pushed apart so that the names do not lie on each other."""
    ends = []
    for s in series:
        known = [value for value in s.values if value is not None]
        if s.draw in ("line", "thin", "dash") and known:
            # a dashed line may be fainter than text may be
            ink = "var(--text-3)" if s.draw == "dash" else s.color
            ends.append((100 * (1 - known[-1] / top) if top else 100.0, s.label, ink))
    ends.sort(key=lambda end: -end[0])
    placed: list[tuple[str, str, str]] = []
    lowest = 97.0
    for at, label, color in ends:
        lowest = min(at, lowest)
        placed.append((f"{_n(max(2, lowest))}%", label, color))
        lowest -= 9
    return placed


def texts(values: Sequence[float | None], show: Callable[[int | None], Figure]) -> list[str]:
    return [str(show(None if value is None else round(value))) for value in values]
