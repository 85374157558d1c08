"""One question, answered from the cheapest source: sums by key and by time.

Whole hours and days come from rollups, the ragged rest from rows; and from rows comes everything that no series knows
(see `question`). The SQL is made in `sums`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from gateway.store.base import SpanFilter
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.period import FOREVER, Stretch, stretches
from gateway.store.sqlite.question import Question, asked_of_columns, scope_of
from gateway.store.sqlite.series import CALL, DAY, HOUR, PLACED, TAG
from gateway.store.sqlite.sums import cuts_at_units, sum_rollup, sum_rows
from gateway.store.sqlite.tally import Tally
from gateway.store.sqlite.where import Matches, match

ROWS_FROM = "SELECT value FROM facts WHERE name = 'rows_from_us'"
ANY_ROW = "SELECT 1 FROM spans INDEXED BY ix_spans_started_at WHERE started_at >= ? AND started_at < ? LIMIT 1"

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
            matches = matches or await match(reader, question.which, failed=question.failed)
            sql, parameters = sum_rows(question, matches, stretch)
        else:
            sql, parameters = sum_rollup(question, scope or CALL, stretch)
        _merge(answer, question, await reader.all(sql, parameters))
    if scope and scope.removeprefix(PLACED).startswith(TAG) and not question.which.tags:
        await _add_untagged(reader, question, answer)
    return answer


def _plan(question: Question, scope: str | None, from_us: int, to_us: int) -> Iterable[Stretch]:
    unit = question.unit_us
    if scope is None or (unit is not None and unit % HOUR):
        if cuts_at_units(question):
            return [Stretch("rows", from_us, to_us)]
        edges = sorted({from_us, to_us, *(cut for cut in question.cuts if from_us < cut < to_us)})
        return [Stretch("rows", begin, end) for begin, end in pairwise(edges)]
    return stretches(from_us, to_us, question.cuts, days=unit is None or unit % DAY == 0)


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


async def _add_untagged(reader: Reader, question: Question, answer: Answer) -> None:
    """Calls without the tag: all calls, less those with it. Rows at the edges found theirs; those are made anew."""
    for start, key in list(answer):
        if key is None:
            del answer[start, key]
    rest = await collect(reader, replace(question, by=None))
    for (start, _), tally in answer.items():
        rest[start, None].subtract(tally)
    answer.update({place: tally for place, tally in rest.items() if tally.counters.get("requests", 1)})
