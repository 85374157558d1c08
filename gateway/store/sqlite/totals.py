"""Stats, buckets, groups and failures: questions put to `collect`, and their answers in the shapes of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.core.histogram import counts
from gateway.store.base import GROUPS, SPARKS, Bucket, Failure, Group, Outline, Profile, SpanFilter, Stats
from gateway.store.sqlite.collect import collect
from gateway.store.sqlite.connection import Database, Reader
from gateway.store.sqlite.period import bucket_index, bucket_starts, iso
from gateway.store.sqlite.question import FAILURE_KIND, Question
from gateway.store.sqlite.series import CALL, COST_SOURCE, DAY, FAILURE, HOUR, SPREADS, TAG, USER, failure_of
from gateway.store.sqlite.tally import Shape, Tally
from gateway.store.sqlite.walk import Walk
from gateway.store.sqlite.where import Where, add_cube_conditions, add_row_conditions, match

KNOWN_PERIOD = """
SELECT min(r.start), max(r.start) FROM series e JOIN rollups_hourly r ON r.series = e.id WHERE e.scope = 'total'
"""

ALL = Shape(spreads=SPREADS)
CHART = Shape(spreads=("latency", "ttft"))
ROW = Shape(spreads=("latency",))
AMOUNTS = Shape()
LATENCY = Shape(("requests",), ("latency",))
OVERHEAD = Shape(("requests",), ("overhead",))
REQUESTS = Shape(("requests",))
COST = Shape(("cost_nanousd",))
OUTLINE = Shape(("requests", "errors", "cancelled", "cost_nanousd"), ("latency",))
UNPRICED_OUTLINE = Shape(OUTLINE.counters)


class TotalsReader:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def stats(self, which: SpanFilter) -> Stats:
        async with self._database.reading() as reader:
            answer = await collect(reader, Question(which, ALL))
        tally = answer.get((0, None)) or Tally(ALL)
        return _stats(tally)

    async def profiles(self, which: SpanFilter, by: str, *, limit: int) -> list[Profile]:
        _check_dimension(by, distributed=True)
        async with self._database.reading() as reader:
            answer = await collect(reader, Question(which, ALL, by))
        profiles = [
            Profile(key, _stats(tally), counts(tally.spreads["output"].lanes)) for (_, key), tally in answer.items()
        ]
        profiles.sort(key=lambda each: (-each.whole.totals.cost_nanousd, -each.whole.totals.requests, each.key or ""))
        return profiles[:limit]

    async def curves(
        self, which: SpanFilter, by: str, among: Sequence[str], *, width_us: int, time_zone: str
    ) -> dict[str, list[Bucket]]:
        _check_dimension(by, distributed=True)
        starts, unit, cuts = _cut(which, width_us, time_zone)
        tallies = {name: [Tally(CHART) for _ in starts] for name in among}
        async with self._database.reading() as reader:
            answer = await collect(reader, Question(which, CHART, by, unit, cuts, only=tuple(among)))
        for (start, key), tally in answer.items():
            if key in tallies:
                tallies[key][bucket_index(starts, start)].merge(tally)
        return {
            name: [
                Bucket(start, tally.totals(), tally.distribution("latency"), tally.distribution("ttft"))
                for start, tally in zip(starts, mine, strict=True)
            ]
            for name, mine in tallies.items()
        }

    async def overhead_counts(self, which: SpanFilter) -> list[int]:
        async with self._database.reading() as reader:
            answer = await collect(reader, Question(which, OVERHEAD))
        return counts(answer[0, None].spreads["overhead"].lanes) if answer else []

    async def buckets(
        self,
        which: SpanFilter,
        *,
        width_us: int,
        split: str | None = None,
        among: Sequence[str] | None = None,
        time_zone: str = "UTC",
    ) -> list[Bucket]:
        if split is not None:
            _check_dimension(split)
        async with self._database.reading() as reader:
            return await _buckets(reader, which, width_us, split, time_zone, among)

    async def groups(
        self,
        which: SpanFilter,
        by: str,
        *,
        limit: int,
        spark_width_us: int | None,
        time_zone: str,
        among: Sequence[str | None] | None,
        latency: bool,
    ) -> list[Group]:
        async with self._database.reading() as reader:
            if by in ("day", "hour"):
                shape = ROW if latency else AMOUNTS
                return await _groups_by_time(reader, which, shape, DAY if by == "day" else HOUR, limit, time_zone)
            _check_dimension(by)
            # of users there may be thousands: histograms are merged for those that are shown
            later = latency and by == USER and among is None
            shape = ROW if latency and not later and by != COST_SOURCE else AMOUNTS
            only = None if among is None else tuple(among)
            answer = await collect(reader, Question(which, shape, by, only=only))
            groups = [
                Group(key, totals, tally.distribution("latency"))
                for (_, key), tally in answer.items()
                if (totals := tally.totals()).requests and (only is None or key in only)
            ]  # a sum that repricing or erasing has emptied is no group
            groups.sort(key=lambda group: (-group.totals.cost_nanousd, -group.totals.requests, group.key or ""))
            groups = groups[:limit]
            if later:
                await _add_latency(reader, which, by, groups)
            if spark_width_us is not None:
                shown = groups[:SPARKS]
                series = await _sparks(reader, which, by, spark_width_us, time_zone, [group.key for group in shown])
                for group in shown:
                    group.series = series(group.key)
        return groups

    async def outline(self, which: SpanFilter, *, width_us: int, time_zone: str) -> Outline:
        starts, unit, cuts = _cut(which, width_us, time_zone)
        shape = UNPRICED_OUTLINE if which.unpriced else OUTLINE
        parts = [Tally(shape) for _ in starts]
        whole = Tally(shape)
        async with self._database.reading() as reader:
            answer = await collect(reader, Question(which, shape, None, unit, cuts))
        for (start, _), tally in answer.items():
            parts[bucket_index(starts, start)].merge(tally)
            whole.merge(tally)
        return Outline(
            whole.totals(),
            whole.distribution("latency"),
            [(start, tally.totals()) for start, tally in zip(starts, parts, strict=True)],
        )

    async def failures(self, which: SpanFilter, *, limit: int, spark_width_us: int | None) -> list[Failure]:
        async with self._database.reading() as reader:
            answer = await collect(reader, Question(which, REQUESTS, FAILURE_KIND, failed=True))
            ranked = sorted(answer.items(), key=lambda item: (-item[1].counters["requests"], item[0][1] or ""))
            series = None
            if spark_width_us is not None:
                series = await _sparks(reader, which, FAILURE_KIND, spark_width_us, "UTC")
            failures = []
            for (_, kind), tally in ranked[:limit]:
                failure = await _failure(reader, which, str(kind), tally.counters["requests"])
                failure.series = series(kind) if series else []
                failures.append(failure)
        return failures


async def _add_latency(reader: Reader, which: SpanFilter, by: str, groups: list[Group]) -> None:
    answer = await collect(reader, Question(which, LATENCY, by, only=tuple(group.key for group in groups)))
    for group in groups:
        tally = answer.get((0, group.key))
        if tally is not None:
            group.latency = tally.distribution("latency")


def _stats(tally: Tally) -> Stats:
    return Stats(tally.totals(), *(tally.distribution(name) for name in SPREADS))


def _check_dimension(by: str, *, distributed: bool = False) -> None:
    if by in ("day", "hour") or (by not in GROUPS and not by.startswith(TAG)):
        raise ValueError(f"{by!r} is no dimension: take one of {', '.join(GROUPS[2:])} or tag:KEY")
    if distributed and by == COST_SOURCE:
        raise ValueError("of cost_source no distributions are kept")


# ------------------------------------------------------------------------------------------------ by time


def _cut(which: SpanFilter, width_us: int, time_zone: str) -> tuple[list[int], int, tuple[int, ...]]:
    """The starts of the buckets, the unit to sum by, and the times at which sums must be cut."""
    if which.from_us is None or which.to_us is None:
        raise ValueError("buckets need both ends of the period")
    starts = bucket_starts(which.from_us, which.to_us, width_us, time_zone)
    unit = width_us if width_us % HOUR else HOUR
    if all(start % DAY == 0 for start in starts):
        unit = DAY
    return starts, unit, tuple(starts)


async def _buckets(
    reader: Reader,
    which: SpanFilter,
    width_us: int,
    split: str | None,
    time_zone: str,
    among: Sequence[str] | None = None,
) -> list[Bucket]:
    starts, unit, cuts = _cut(which, width_us, time_zone)
    tallies = [Tally(CHART) for _ in starts]
    failed: list[dict[str, int]] = [{} for _ in starts]
    costs: list[dict[str, int]] = [{} for _ in starts]
    # rows are read once for all that is asked of them; rollups by one dimension are few, and quicker read twice
    together = split is not None and (unit % HOUR != 0 or which.q is not None)
    only = None if among is None else tuple(among)
    whole = await collect(reader, Question(which, CHART, split if together else None, unit, cuts))
    for (start, _), tally in whole.items():
        tallies[bucket_index(starts, start)].merge(tally)
    by_type = await collect(reader, Question(which, REQUESTS, FAILURE, unit, cuts, failed=True))
    for (start, key), tally in by_type.items():
        _count(failed[bucket_index(starts, start)], key, tally.counters["requests"])
    if split is not None:
        by_split = whole if together else await collect(reader, Question(which, COST, split, unit, cuts, only=only))
        for (start, key), tally in by_split.items():
            if only is not None and key not in only:
                continue
            _count(costs[bucket_index(starts, start)], key, tally.counters["cost_nanousd"])
    return [
        Bucket(start, tally.totals(), tally.distribution("latency"), tally.distribution("ttft"), errors, cost)
        for start, tally, errors, cost in zip(starts, tallies, failed, costs, strict=True)
    ]


def _count(counts: dict[str, int], key: str | None, amount: int) -> None:
    """Under the empty name where there is no value, as JSON has no null names. Nothing is not entered."""
    if amount:
        counts[key or ""] = counts.get(key or "", 0) + amount


async def _groups_by_time(
    reader: Reader, which: SpanFilter, shape: Shape, width_us: int, limit: int, time_zone: str
) -> list[Group]:
    if which.from_us is None or which.to_us is None:
        [(first, last)] = await reader.all(KNOWN_PERIOD)
        if first is None:
            return []
        from_us = first if which.from_us is None else which.from_us
        to_us = last + HOUR if which.to_us is None else which.to_us
        which = msgspec.structs.replace(which, from_us=from_us, to_us=to_us)
    starts, unit, cuts = _cut(which, width_us, time_zone)
    tallies: dict[int, Tally] = {}
    for (start, _), tally in (await collect(reader, Question(which, shape, None, unit, cuts))).items():
        tallies.setdefault(starts[bucket_index(starts, start)], Tally(shape)).merge(tally)
    groups = [
        Group(iso(start, time_zone), tally.totals(), tally.distribution("latency"))
        for start, tally in sorted(tallies.items())
        if tally.counters["requests"]
    ]
    return groups[:limit]


async def _sparks(
    reader: Reader, which: SpanFilter, by: str, width_us: int, time_zone: str, keys: Sequence[str | None] | None = None
) -> Any:
    """A function from a group's key to its requests per bucket."""
    starts, unit, cuts = _cut(which, width_us, time_zone)
    series: dict[str | None, list[int]] = {}
    only = None if keys is None else tuple(keys)
    question = Question(which, REQUESTS, by, unit, cuts, failed=by == FAILURE_KIND, only=only)
    for (start, key), tally in (await collect(reader, question)).items():
        counts = series.setdefault(key, [0] * len(starts))
        counts[bucket_index(starts, start)] += tally.counters["requests"]
    return lambda key: series.get(key, [0] * len(starts))


# ------------------------------------------------------------------------------------------------ failures


async def _failure(reader: Reader, which: SpanFilter, kind: str, count: int) -> Failure:
    """With the time and the message of the latest of its kind; where its rows are gone, without a message."""
    error_type, status_code, provider, model = msgspec.json.decode(kind)
    alike = Where()
    alike.add("e.scope = ? AND e.calls > 0 AND e.outcome = 1", CALL)
    add_cube_conditions(alike, which, "e")
    for column, value in (
        ("error_type", error_type),
        ("status_code", status_code),
        ("provider", provider),
        ("model", model),
    ):
        alike.add(f"e.{column} IS ?", value)
    walk = Walk("spans s INDEXED BY ix_spans_series", Where())
    walk.where.add("s.series = e.id")
    walk.within(which.from_us, which.to_us)
    add_row_conditions(walk.where, which, (await match(reader, which)).tags)
    latest = f"SELECT s.id FROM {walk.source} WHERE {walk.where} ORDER BY s.started_at DESC LIMIT 1"  # noqa: S608  # fragments of where.py
    row = await reader.first(
        f"SELECT o.started_at, d.error_message FROM series e CROSS JOIN spans o ON o.id = ({latest}) "  # noqa: S608  # as above
        f"CROSS JOIN span_details d ON d.span = o.id WHERE {alike} ORDER BY o.started_at DESC LIMIT 1",
        [*walk.where.parameters, *alike.parameters],
    )
    last_at, message = row or (0, None)
    return Failure(failure_of(error_type, status_code), status_code, provider, model, count, last_at, message)
