"""One question, answered from the cheapest source: sums by key and by time.

Whole hours and days come from rollups, the ragged rest from rows; and from rows comes everything that no series knows
(see `question`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec

from gateway.store.base import SpanFilter
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.period import FOREVER, Stretch, stretches
from gateway.store.sqlite.question import FAILURE_KIND, PROVIDER_MODEL, Question, asked_of_columns, scope_of
from gateway.store.sqlite.series import (
    CALL,
    COST_SOURCE,
    DAY,
    DURATIONS,
    FAILURE,
    HOUR,
    ONE_DIMENSION,
    PLACE,
    PLACED,
    TAG,
)
from gateway.store.sqlite.tally import Tally
from gateway.store.sqlite.walk import walk_rows
from gateway.store.sqlite.where import (
    CUBE_FILTERS,
    TEXT,
    VERSION,
    Matches,
    Where,
    add_cube_conditions,
    match,
    version_of,
)

ROWS_FROM = "SELECT value FROM facts WHERE name = 'rows_from_us'"
ANY_ROW = "SELECT 1 FROM spans INDEXED BY ix_spans_started_at WHERE started_at >= ? AND started_at < ? LIMIT 1"

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
OF_COST_SOURCE = """CASE WHEN {alias}.cost_source = 'none' THEN CASE WHEN {alias}.unpriced THEN 'none' END
WHEN {alias}.usage_source = 'estimated' AND {alias}.cost_source IN ('catalog', 'override') THEN 'estimate'
ELSE {alias}.cost_source END"""
"""As `cost_source_of`."""
SPREAD_OF_ROWS = {**{name: f"s.{name}_us" for name in DURATIONS}, "output": "nullif(s.output_tokens, 0)"}


Answer = dict[tuple[int, str | None], Tally]
"""By (start, key). The start is 0 without `unit_us`."""


async def collect(reader: Reader, question: Question) -> Answer:
    question = await asked_of_columns(reader, question)
    scope = await scope_of(reader, question)
    matches: Matches | None = None
    from_us, to_us = await _ends(reader, question.which)
    answer: Answer = {}
    for stretch in _plan(question, scope, from_us, to_us):
        if stretch.level == "rows":
            matches = matches or await match(reader, question.which)
            sql, parameters = _ask_rows(question, matches, stretch)
        else:
            sql, parameters = _ask_rollup(question, scope or CALL, stretch)
        _merge(answer, question, await reader.all(sql, parameters))
    if scope and scope.removeprefix(PLACED).startswith(TAG) and not question.which.tags:
        await _add_untagged(reader, question, answer)
    return answer


def _plan(question: Question, scope: str | None, from_us: int, to_us: int) -> Iterable[Stretch]:
    unit = question.unit_us
    if scope is None or (unit is not None and unit % HOUR):
        if _cuts_at_units(question):
            return [Stretch("rows", from_us, to_us)]
        edges = sorted({from_us, to_us, *(cut for cut in question.cuts if from_us < cut < to_us)})
        return [Stretch("rows", begin, end) for begin, end in pairwise(edges)]
    return stretches(from_us, to_us, question.cuts, days=unit is None or unit % DAY == 0)


def _cuts_at_units(question: Question) -> bool:
    """Whether dividing a time by the unit tells between which cuts it lies."""
    unit = question.unit_us
    return not question.cuts if unit is None else all(cut % unit == 0 for cut in question.cuts)


def _merge(answer: Answer, question: Question, rows: Iterable[tuple[Any, ...]]) -> None:
    for start, key, *cell in rows:
        if cell[0] is None:
            continue  # an aggregate over no rows
        tally = answer.get((start, key))
        if tally is None:
            tally = answer[start, key] = Tally(question.shape)
        tally.add(tuple(cell))


async def _ends(reader: Reader, which: SpanFilter) -> tuple[int, int]:
    """The period, widened to whole hours where that adds no row: then rollups answer alone. Rows that were deleted
    for their age are in rollups only, so there an hour is the finest that can be told."""
    from_us = max(0, which.from_us or 0)
    to_us = min(FOREVER, which.to_us) if which.to_us is not None else FOREVER
    kept = await reader.first(ROWS_FROM)
    rows_from = kept[0] if kept else 0
    hour = from_us // HOUR * HOUR
    if from_us > hour and (hour < rows_from or not await reader.all(ANY_ROW, (hour, from_us))):
        from_us = hour
    end = -(-to_us // HOUR) * HOUR
    if to_us < end and (end <= rows_from or not await reader.all(ANY_ROW, (to_us, end))):
        to_us = end
    return from_us, to_us


# ------------------------------------------------------------------------------------------------ SQL


def _ask_rollup(question: Question, scope: str, stretch: Stretch) -> tuple[str, list[Any]]:
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
        if scope.startswith(PLACED):
            add_cube_conditions(where, question.which, "e")
        elif scope in CUBE_FILTERS:
            where.any_of("e.value", getattr(question.which, scope))
    where.add("r.start >= ? AND r.start < ?", stretch.from_us, stretch.to_us)
    if question.only is not None and scope == question.by:
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


def _ask_rows(question: Question, matches: Matches, stretch: Stretch) -> tuple[str, list[Any]]:
    period = msgspec.structs.replace(question.which, from_us=stretch.from_us, to_us=stretch.to_us)
    walk = walk_rows(period, matches)
    if question.failed:
        walk.where.add("s.outcome = 1")
    if question.which.q:
        walk.where.add(TEXT, question.which.q.casefold())
    with_details = question.which.q or (question.by or "").startswith(TAG)
    details = " CROSS JOIN span_details d ON d.span = s.id" if with_details else ""
    key, parameters = _key(question.by, "s")
    unit = question.unit_us
    if unit is None:
        start = "0"
    elif _cuts_at_units(question):
        start = f"s.started_at / {unit} * {unit}"
    else:
        start = str(stretch.from_us)
    columns = [OF_ROWS.get(name, f"coalesce(sum(s.{name}), 0)") for name in question.shape.counters]
    for name in question.shape.spreads:
        value = SPREAD_OF_ROWS[name]
        columns += [f"sum({value})", f"min({value})", f"max({value})", f"histogram_of({value})"]
    sql = (
        f"SELECT {start}, {key}, {', '.join(columns)} FROM {walk.source}{details} "  # noqa: S608  # our own names
        f"WHERE {walk.where} GROUP BY 1, 2"
    )
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


async def _add_untagged(reader: Reader, question: Question, answer: Answer) -> None:
    """Calls without the tag: all calls, less those with it. Rows at the edges found theirs; those are made anew."""
    for start, key in list(answer):
        if key is None:
            del answer[start, key]
    rest = await collect(reader, replace(question, by=None))
    for (start, _), tally in answer.items():
        rest[start, None].subtract(tally)
    answer.update({place: tally for place, tally in rest.items() if tally.counters.get("requests", 1)})
