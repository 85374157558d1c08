"""Which series a span counts in, and what it adds to them: pure, and the one definition of every total."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from gateway.core import histogram
from gateway.core.span import Span
from gateway.store.sqlite.rows import CANCELLED, FAILED, is_unpriced, outcome_of, used_by

HOUR = 3_600_000_000
DAY = 24 * HOUR

CUBE = [
    "tenant",
    "environment",
    "key_id",
    "provider",
    "model_requested",
    "model",
    "config",
    "variant",
    "kind",
    "prompt",
    "stream",
    "status_code",
    "error_type",
    "outcome",
    "prompt_version",
    "config_version",
    "feature",
]
"""The columns of a series of scope `call`; filters on these are answered from rollups."""

COUNTERS = [
    "requests",
    "errors",
    "cancelled",
    "interrupted",
    "unpriced",
    "cost_nanousd",
    "input_cost_nanousd",
    "output_cost_nanousd",
    "charge_nanousd",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "generation_us",
    "generation_tokens",
    "saved_nanousd",
]
"""The fields of `Totals`, in order; each a column of the rollups."""
DURATIONS = ("latency", "ttft", "overhead")
SPREADS = (*DURATIONS, "output")
"""What has a histogram: durations in µs, and the tokens of an answer, of calls that generated any."""

ONE_DIMENSION = {
    "tenant": "tenant",
    "environment": "environment",
    "provider": "provider",
    "model": "model",
    "key": "key_id",
    "config": "config",
    "variant": "variant",
    "kind": "kind",
    "prompt": "prompt",
}
"""Scopes with few values → the column they are by."""
TOTAL = "total"
CALL = "call"
FAILURE = "failure"
"""Scope of what failed, by error type, or by status where there is none."""
USER = "user"
TAG = "tag:"
COST_SOURCE = "cost_source"
"""Who said what a call costs, see `cost_source_of`. Known by place only; its spreads are not kept."""
UNPRICED = "none"
"""The cost source of what was used and has no price: exactly the calls that `unpriced` counts."""
PLACED = "placed:"
"""Prefix of scopes whose series are of one tenant and one environment each: of `user`, of `cost_source`, and of tags
but those of TOLD."""
PLACE = CUBE[:2]
TOLD = {"userId": "user", "tenantSlug": "tenant", "environment": "environment", "feature": "feature"}
"""Tags → the column that says the same, of every span there is unless the store knows better (see `Cells.odd`)."""
UNCOUNTED = frozenset({"tag:sessionId"})
"""Tags that name a single conversation: found by `span_tags`, not worth a rollup."""
SUMMED_AS_USER = "tag:userId"
"""Has no sums of its own, for those of the users are the same; where they are not, its rows are read."""
OPEN_ENDED_LIMIT = 10_000
"""An open-ended scope (`user`, `tag:KEY`) with more values than this is not rolled up: its values are ids."""


class Series(NamedTuple):
    """The identity of a series. `cube` has a value for each of CUBE where `scope` is `call`, for each of PLACE where it
    is PLACED, and is empty otherwise."""

    scope: str
    value: str | None
    cube: tuple[Any, ...] = ()

    @property
    def labels(self) -> str:
        return msgspec.json.encode(self).decode()

    @property
    def open_ended(self) -> bool:
        return self.scope == USER or self.scope.startswith(TAG)

    @property
    def columns(self) -> tuple[Any, ...]:
        """The values of CUBE, as far as they are known."""
        return (*self.cube, *(None,) * (len(CUBE) - len(self.cube)))

    def placed(self, place: tuple[Any, ...]) -> Series:
        return Series(PLACED + self.scope, self.value, place)


def failure_of(error_type: str | None, status_code: int | None) -> str:
    return error_type or str(status_code)


def cube_of(span: Span) -> tuple[Any, ...]:
    """The values of CUBE."""
    return (
        span.tenant,
        span.environment,
        span.key_id,
        span.provider,
        span.model_requested,
        span.model,
        span.config,
        span.variant,
        span.kind,
        span.prompt,
        int(span.stream),
        span.status_code,
        span.error_type,
        outcome_of(span),
        span.prompt_version,
        span.config_version,
        span.feature,
    )


_AT = {name: place for place, name in enumerate(CUBE)}


def series_of_cube(cube: tuple[Any, ...]) -> Iterator[Series]:
    """Every series that follows from the combination."""
    yield Series(TOTAL, None)
    yield Series(CALL, None, cube)
    for scope, column in ONE_DIMENSION.items():
        yield Series(scope, cube[_AT[column]])
    if cube[_AT["outcome"]] == FAILED:
        yield Series(FAILURE, failure_of(cube[_AT["error_type"]], cube[_AT["status_code"]]))


def open_ended_series_of(span: Span) -> Iterator[Series]:
    yield Series(USER, span.user)
    for key, value in span.tags.items():
        yield Series(TAG + key, value)


def placed_series_of(span: Span) -> Iterator[Series]:
    place = (span.tenant, span.environment)
    for series in open_ended_series_of(span):
        if series.scope not in UNCOUNTED and series.scope.removeprefix(TAG) not in TOLD:
            yield series.placed(place)


def cost_source_of(span: Span) -> str | None:
    """`provider`, `catalog`, `override` or `cache`; `estimate` where a price was applied to usage that is a guess;
    `none` where something was used that has no price. None where nothing was used."""
    if span.cost_nanousd is None:
        return UNPRICED if is_unpriced(span, None) else None
    if span.cost_source == "none":
        return None
    guessed = span.usage_source == "estimated" and span.cost_source in ("catalog", "override")
    return "estimate" if guessed else span.cost_source


def series_of_cost_source(span: Span) -> Series:
    return Series(COST_SOURCE, cost_source_of(span)).placed((span.tenant, span.environment))


def odd_tags_of(span: Span) -> set[str]:
    """Tags of TOLD that do not say what their column says."""
    return {tag for tag, column in TOLD.items() if span.tags.get(tag) != getattr(span, column)}


Measure = tuple[Any, ...]
"""What one span adds: COUNTERS, then for each of the SPREADS the value, then for each its bucket; None where there
is none. Bucketed once, for it counts in a dozen series."""

_COUNTERS = len(COUNTERS)
_VALUES_END = _COUNTERS + len(SPREADS)
_NO_SPREADS = (None,) * (2 * len(SPREADS))


def measure(span: Span) -> Measure:
    usage = used_by(span)
    outcome = outcome_of(span)
    generated = usage.output_tokens if usage is not None else None
    timed = bool(span.stream and generated and span.latency_us is not None and span.ttft_us is not None)
    values = (span.latency_us, span.ttft_us, span.overhead_us, generated or None)
    return (
        1,
        int(outcome == FAILED),
        int(outcome == CANCELLED),
        int(span.error_type == "interrupted"),
        int(is_unpriced(span, span.cost_nanousd)),
        span.cost_nanousd or 0,
        span.input_cost_nanousd or 0,
        span.output_cost_nanousd or 0,
        span.charge_nanousd or 0,
        (usage.input_tokens or 0) if usage else 0,
        generated or 0,
        (usage.cached_input_tokens or 0) if usage else 0,
        (usage.cache_write_tokens or 0) if usage else 0,
        (usage.reasoning_tokens or 0) if usage else 0,
        max(0, (span.latency_us or 0) - (span.ttft_us or 0)) if timed else 0,
        (generated or 0) if timed else 0,
        span.saved_nanousd or 0,
        *values,
        *(None if value is None else histogram.bucket_of(value) for value in values),
    )


def difference(new: Measure, old: Measure) -> Measure:
    """What to add where `old` was counted, so that it is as if `new` had been; of equal spreads."""
    return (*(a - b for a, b in zip(new[:_COUNTERS], old[:_COUNTERS], strict=True)), *_NO_SPREADS)


def without_spreads(measured: Measure) -> Measure:
    return (*measured[:_COUNTERS], *_NO_SPREADS)


_NOTHING = (0,) * _COUNTERS + _NO_SPREADS

Cell = tuple[Any, ...]
"""COUNTERS, then sum, min, max and histogram of each of the SPREADS: a row of a rollup without its key."""


def fold(measures: list[Measure]) -> Cell:
    if len(measures) == 1:
        return _alone(measures[0])
    columns = list(zip(*measures, strict=True))
    cell: list[Any] = [sum(column) for column in columns[:_COUNTERS]]
    values, buckets = columns[_COUNTERS:_VALUES_END], columns[_VALUES_END:]
    for column, placed in zip(values, buckets, strict=True):
        known = [value for value in column if value is not None]
        if known:
            blob = histogram.encode_buckets(bucket for bucket in placed if bucket is not None)
            cell += (sum(known), min(known), max(known), blob)
        else:
            cell += (0, None, None, None)
    return tuple(cell)


def _alone(measured: Measure) -> Cell:
    """`fold` of a single span: half of the cells of a batch, for most users and tag values come once."""
    cell = list(measured[:_COUNTERS])
    for value, bucket in zip(measured[_COUNTERS:_VALUES_END], measured[_VALUES_END:], strict=True):
        cell += (0, None, None, None) if value is None else (value, value, value, histogram.encode_buckets((bucket,)))
    return tuple(cell)


class Cells:
    """What a set of spans adds to the rollups: measures by series and hour, folded at the end.

    A batch has far fewer combinations than spans, so what follows from the combination is done once for each.
    """

    def __init__(self) -> None:
        self._cubes: dict[tuple[Any, ...], dict[int, list[Measure]]] = {}
        self._measures: dict[Series, dict[int, list[Measure]]] = {}
        self.odd: set[str] = set()
        """Tags of TOLD that are not told by their column in one of the spans: questions about them need their rows."""

    def add(self, span: Span, cube: tuple[Any, ...], measured: Measure) -> None:
        """`cube`: the span's `cube_of`, which the caller has at hand."""
        self._cubes.setdefault(cube, {}).setdefault(span.started_at // HOUR * HOUR, []).append(measured)
        for series in open_ended_series_of(span):
            self._enter(series, span, measured)
        self.add_placed(span, measured)

    def add_placed(self, span: Span, measured: Measure) -> None:
        """What is known by place, and nothing else."""
        for series in placed_series_of(span):
            self._enter(series, span, measured)
        self._enter(series_of_cost_source(span), span, without_spreads(measured))
        self.odd |= odd_tags_of(span)

    def add_repriced(self, old: Span, new: Span, *, placed: bool) -> None:
        """The same call at another price. Neither its cube nor who made it depend on that; its cost source does.
        `placed`: it is counted by place."""
        was, now = measure(old), measure(new)
        change = difference(now, was)
        self._cubes.setdefault(cube_of(old), {}).setdefault(old.started_at // HOUR * HOUR, []).append(change)
        for series in (*open_ended_series_of(old), *(placed_series_of(old) if placed else ())):
            self._enter(series, old, change)
        if not placed:
            return
        self._enter(series_of_cost_source(old), old, difference(_NOTHING, was))
        self._enter(series_of_cost_source(new), new, without_spreads(now))

    def _enter(self, series: Series, span: Span, measured: Measure) -> None:
        self._measures.setdefault(series, {}).setdefault(span.started_at // HOUR * HOUR, []).append(measured)

    def close(self) -> None:
        """After the last span, before the cells are asked for."""
        for cube, hours in self._cubes.items():
            for series in series_of_cube(cube):
                mine = self._measures.setdefault(series, {})
                for hour, measures in hours.items():
                    mine.setdefault(hour, []).extend(measures)
        self._cubes.clear()

    def calls(self) -> dict[Series, int]:
        return {
            series: sum(measured[0] for measures in hours.values() for measured in measures)
            for series, hours in self._measures.items()
        }

    def folded(self, counted: Callable[[Series], bool]) -> tuple[list[Place], list[Place]]:
        """By hour and by day, the series that are `counted`. Most batches lie within one hour: folded once then."""
        hourly: list[Place] = []
        daily: list[Place] = []
        for series, hours in self._measures.items():
            if not counted(series):
                continue
            days: dict[int, list[int]] = {}
            for hour in hours:
                days.setdefault(hour // DAY * DAY, []).append(hour)
            for day, within in days.items():
                cells = [fold(hours[hour]) for hour in within]
                hourly += [(series, hour, cell) for hour, cell in zip(within, cells, strict=True)]
                whole = cells[0] if len(cells) == 1 else fold([each for hour in within for each in hours[hour]])
                daily.append((series, day, whole))
        return hourly, daily


Place = tuple[Series, int, Cell]
"""A cell, and the series and the start of the period it belongs to."""
