"""The SQL of sums: of a stretch of rollups, of rows, or of nothing but an index, each as (start, key, cell …)."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.core.histogram import PER_LOG
from gateway.store.sqlite.period import Stretch
from gateway.store.sqlite.question import FAILURE_KIND, OF_THE_CUBE, PROVIDER_MODEL, Question
from gateway.store.sqlite.series import (
    CALL,
    COST_SOURCE,
    DURATIONS,
    FAILURE,
    ONE_DIMENSION,
    PLACE,
    PLACED,
    TAG,
    UNPRICED,
)
from gateway.store.sqlite.walk import Walk, walk_rows
from gateway.store.sqlite.where import (
    CUBE_FILTERS,
    TEXT,
    VERSION,
    Matches,
    Where,
    add_cube_conditions,
    has_row_filters,
    version_of,
)

OF_ROWS = {
    "requests": "count(*)",
    "errors": "sum(s.outcome = 1)",
    "cancelled": "sum(s.outcome = 2)",
    "interrupted": "sum(s.error_type = 'interrupted')",
    "generation_us": "sum(CASE WHEN s.stream AND s.output_tokens <> 0 THEN max(s.latency_us - s.ttft_us, 0) END)",
    "generation_tokens": (
        "sum(CASE WHEN s.stream AND s.latency_us IS NOT NULL AND s.ttft_us IS NOT NULL THEN s.output_tokens END)"
    ),
}
"""Counters that are not the sum of the column of their name."""
OF_COST_SOURCE = """CASE WHEN {alias}.cost_nanousd IS NULL THEN CASE WHEN {alias}.unpriced THEN 'none' END
WHEN {alias}.cost_source = 'none' THEN NULL
WHEN {alias}.usage_source = 'estimated' AND {alias}.cost_source IN ('catalog', 'override') THEN 'estimate'
ELSE {alias}.cost_source END"""
"""As `cost_source_of`."""
SPREAD_OF_ROWS = {**{name: f"s.{name}_us" for name in DURATIONS}, "output": "nullif(s.output_tokens, 0)"}
BUCKETS = f"group_concat(CAST(ln(max({{value}}, 1)) * {PER_LOG!r} AS INTEGER))"
"""The bucket of every row, as one text that `Tally` reads: a function of our own for each row takes thrice as long."""
Statement = tuple[str, list[Any]]
"""With its parameters."""


def cuts_at_units(question: Question) -> bool:
    """Whether dividing a time by the unit tells between which cuts it lies."""
    unit = question.unit_us
    return not question.cuts if unit is None else all(cut % unit == 0 for cut in question.cuts)


def sum_rollup(question: Question, scope: str, stretch: Stretch) -> Statement:
    where = Where()
    where.add("e.scope = ?", scope)
    if scope == CALL:
        add_cube_conditions(where, question.which, "e")
        if question.failed:
            where.add("e.outcome = 1")
    else:
        for _, values in question.which.tags:
            where.any_of("e.value", values)
        where.any_of("e.value", question.which.user)
        if question.which.unpriced:
            where.add("e.value = ?", UNPRICED)
        if scope.startswith(PLACED):
            add_cube_conditions(where, question.which, "e")
        elif scope in CUBE_FILTERS:
            where.any_of("e.value", getattr(question.which, scope))
    where.add("r.start >= ? AND r.start < ?", stretch.from_us, stretch.to_us)
    if question.only is not None and scope.removeprefix(PLACED) == question.by:
        keys = msgspec.json.encode([key for key in question.only if key is not None]).decode()
        nothing = " OR e.value IS NULL" if None in question.only else ""
        where.add(f"(e.value IN (SELECT value FROM json_each(?)){nothing})", keys)  # noqa: S608  # our own words
    if scope == CALL or (question.by in PLACE and scope.startswith(PLACED)):
        key, parameters = _key(question.by, "e")
    else:
        key, parameters = ("e.value" if question.by else "NULL", [])
    start, grouped = ("0", "2") if question.unit_us is None else ("r.start", "1, 2")
    columns = [f"sum(r.{name})" for name in question.shape.counters]
    for name in question.shape.spreads:
        columns += [f"sum(r.{name}_sum)", f"min(r.{name}_min)", f"max(r.{name}_max)"]
        columns += [f"merged_histogram(r.{name}_histogram)"]
    sql = (
        f"SELECT {start}, {key}, {', '.join(columns)} FROM series e "  # noqa: S608  # our own names
        f"CROSS JOIN rollups_{stretch.level} r ON r.series = e.id WHERE {where} GROUP BY {grouped}"
    )
    return sql, [*parameters, *where.parameters]


def sum_rows(question: Question, matches: Matches, stretch: Stretch) -> Statement:
    if _is_in_index(question):
        return _count_index(question, stretch)
    period = msgspec.structs.replace(question.which, from_us=stretch.from_us, to_us=stretch.to_us)
    walk = walk_rows(period, matches)
    if question.failed:
        walk.where.add("s.outcome = 1")
    if question.which.q:
        walk.where.add(TEXT, question.which.q.casefold())
    with_details = question.which.q or (question.by or "").startswith(TAG)
    details = " CROSS JOIN span_details d ON d.span = s.id" if with_details else ""
    key, parameters = _key(question.by, "s")
    start, grouped = _start(question, stretch)
    columns = [OF_ROWS.get(name, f"coalesce(sum(s.{name}), 0)") for name in question.shape.counters]
    for name in question.shape.spreads:
        value = SPREAD_OF_ROWS[name]
        columns += [f"sum({value})", f"min({value})", f"max({value})", BUCKETS.format(value=value)]
    sql = (
        f"SELECT {start}, {key}, {', '.join(columns)} FROM {walk.source}{details} "  # noqa: S608  # our own names
        f"WHERE {walk.where} GROUP BY {grouped}"
    )
    return sql, [*parameters, *walk.where.parameters]


def _start(question: Question, stretch: Stretch) -> tuple[str, str]:
    """The expression of the time of a row's sum, and what to group by: a constant would make SQLite sort."""
    if question.unit_us is None:
        return "0", "2"
    if cuts_at_units(question):
        return f"s.started_at / {question.unit_us} * {question.unit_us}", "1, 2"
    return str(stretch.from_us), "2"


def _is_in_index(question: Question) -> bool:
    """Whether calls are only counted, by what the cube knows: the index (series, started_at) has all that takes."""
    known = question.by is None or question.by in ONE_DIMENSION or question.by in (FAILURE, *OF_THE_CUBE)
    counted = question.shape.counters == ("requests",) and not question.shape.spreads
    return counted and known and not question.which.tags and not has_row_filters(question.which)


def _count_index(question: Question, stretch: Stretch) -> Statement:
    walk = Walk("series e CROSS JOIN spans s INDEXED BY ix_spans_series ON s.series = e.id", Where())
    walk.where.add("e.scope = ? AND e.calls > 0", CALL)
    add_cube_conditions(walk.where, question.which, "e")
    if question.failed:
        walk.where.add("e.outcome = 1")
    walk.within(stretch.from_us, stretch.to_us)
    key, parameters = _key(question.by, "e")
    start, grouped = _start(question, stretch)
    sql = f"SELECT {start}, {key}, count(*) FROM {walk.source} WHERE {walk.where} GROUP BY {grouped}"  # noqa: S608  # our own names
    return sql, [*parameters, *walk.where.parameters]


def _key(by: str | None, alias: str) -> tuple[str, list[Any]]:
    """The expression of a dimension over the columns that rows and the cube share, and its parameters."""
    if by is None:
        return "NULL", []
    if by == FAILURE:
        return f"coalesce({alias}.error_type, CAST({alias}.status_code AS TEXT))", []
    if by == FAILURE_KIND:
        return f"json_array({alias}.error_type, {alias}.status_code, {alias}.provider, {alias}.model)", []
    if by.startswith(TAG):
        return "(SELECT j.value FROM json_each(d.tags) j WHERE j.key = ?)", [by.removeprefix(TAG)]
    if by == COST_SOURCE:
        return OF_COST_SOURCE.format(alias=alias), []
    if by == PROVIDER_MODEL:
        return f"({alias}.provider || '/' || {alias}.model)", []
    if by == VERSION:
        return version_of(alias), []
    return f"{alias}.{ONE_DIMENSION.get(by, by)}", []
