"""Which rows, and the way to them: chosen here, because SQLite without statistics guesses, and the statistics of a
growing log are stale."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.base import SpanFilter
from gateway.store.sqlite.period import FOREVER
from gateway.store.sqlite.series import HOUR
from gateway.store.sqlite.where import FEW, Match, Matches, Where, add_cube_conditions, add_row_conditions

EARLIEST = -(1 << 62)

BY_TIME = "spans s INDEXED BY ix_spans_started_at"
BY_TAG = "span_tags t CROSS JOIN spans s ON s.id = t.span"
UNPRICED = "spans s INDEXED BY ix_spans_unpriced"
OF_HOURS = """series h CROSS JOIN rollups_hourly r ON r.series = h.id
CROSS JOIN spans s INDEXED BY {index} ON s.started_at / 3600000000 = r.start / 3600000000"""
"""Every hour that had calls, and of each the rows in the order of a figure."""
FIGURES = {"latency_us": "ix_spans_latency", "cost_nanousd": "ix_spans_cost"}
OF_SERIES = {"latency_us": "ix_spans_series_latency", "cost_nanousd": "ix_spans_series_cost"}


@dataclass
class Walk:
    """`source` begins with what is walked, `at` is its time column and `number` the internal id of the span."""

    source: str
    where: Where
    at: str = "s.started_at"
    number: str = "s.id"
    in_order: bool = True
    """Whether the rows come by time, so that the first of a page are found first."""
    used: Match | None = None
    """The filter that the source answers by itself."""

    def within(self, from_us: int | None, to_us: int | None) -> None:
        # a bound below is always there: without any condition or order on its column a forced index is an error
        from_us = EARLIEST if from_us is None else from_us
        to_us = FOREVER if to_us is None else to_us
        self.where.add(f"{self.at} >= ? AND {self.at} < ?", from_us, to_us)
        if " r.start" in self.source:
            self.where.add("r.start >= ? AND r.start < ?", max(0, from_us) // HOUR * HOUR, to_us)


def walk_rows(which: SpanFilter, matches: Matches) -> Walk:
    walk = _source(which, matches)
    walk.within(which.from_us, which.to_us)
    if walk.used is None or walk.used is not matches.cube:
        add_cube_conditions(walk.where, which, "s")
    add_row_conditions(walk.where, which, [each for each in matches.tags if each is not walk.used])
    return walk


def walk_hour(which: SpanFilter, matches: Matches, column: str) -> Walk:
    """The rows of one hour (`r.start`) in the order of a figure."""
    walk = Walk(f"spans s INDEXED BY {FIGURES[column]}", Where())
    walk.where.add("s.started_at / 3600000000 = r.start / 3600000000")
    walk.within(which.from_us, which.to_us)
    add_cube_conditions(walk.where, which, "s")
    add_row_conditions(walk.where, which, matches.tags)
    return walk


def walk_day(which: SpanFilter, matches: Matches, column: str) -> Walk:
    """The rows of one day (`r.start`) of one series (`e.id`) in the order of a figure: where the cube is filtered."""
    walk = Walk(f"spans s INDEXED BY {OF_SERIES[column]}", Where())
    walk.where.add("s.series = e.id AND s.started_at / 86400000000 = r.start / 86400000000")
    walk.within(which.from_us, which.to_us)
    add_row_conditions(walk.where, which, matches.tags)
    return walk


def fewest(matches: Matches) -> Match | None:
    """The filter that names the fewest calls."""
    known = [each for each in (matches.user, *matches.tags, matches.cube) if each is not None]
    return min(known, key=lambda each: each.calls, default=None)


def selective(which: SpanFilter, matches: Matches) -> bool:
    """Whether so few calls match that all of them may be read and sorted."""
    least = fewest(matches)
    return bool(which.trace or which.session or (least is not None and least.calls <= FEW))


def _source(which: SpanFilter, matches: Matches) -> Walk:
    where = Where()
    if which.trace:
        return Walk("spans s INDEXED BY ix_spans_trace", where, in_order=len(which.trace) == 1)
    if which.session:
        return Walk("spans s INDEXED BY ix_spans_session", where, in_order=len(which.session) == 1)
    least = fewest(matches)
    if not selective(which, matches):
        if which.unpriced:
            return Walk(UNPRICED, where)
        if column := _ranged(which):
            where.add("h.scope = 'total'")
            return Walk(OF_HOURS.format(index=FIGURES[column]), where, in_order=False)
    if least is None:
        return Walk(BY_TIME, where)
    in_order = len(least.series) == 1
    if least is matches.user:
        return Walk("spans s INDEXED BY ix_spans_user", where, in_order=in_order, used=least)
    if least is matches.cube:
        where.in_series("s.series", least)
        return Walk("spans s INDEXED BY ix_spans_series", where, in_order=in_order, used=least)
    where.in_series("t.series", least)
    return Walk(BY_TAG, where, "t.started_at", "t.span", in_order, least)


def _ranged(which: SpanFilter) -> str | None:
    """The figure that is bounded, if one is."""
    if (which.min_latency_us, which.max_latency_us) != (None, None):
        return "latency_us"
    return "cost_nanousd" if (which.min_cost_nanousd, which.max_cost_nanousd) != (None, None) else None
