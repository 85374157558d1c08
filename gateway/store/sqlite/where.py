"""A SpanFilter as SQL. Aliases: `s` spans, `d` span_details, `t` span_tags, `e` series, `r` a rollup."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.store.base import SpanFilter
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.series import CALL, TAG, USER, Series

CUBE_FILTERS = {
    "provider": "provider",
    "tenant": "tenant",
    "environment": "environment",
    "config": "config",
    "variant": "variant",
    "kind": "kind",
    "prompt": "prompt",
    "key": "key_id",
    "feature": "feature",
}
"""Fields of SpanFilter → columns that spans and series share. `model`, `status` and `stream` come on top."""

VERSION = "prompt_version"
"""A dimension and a filter of its own: `NAME@3`, from two columns that rows and the cube share."""

AMOUNTS = {
    f"{end}_{column}": f"s.{column} {sign} ?"
    for column in ("latency_us", "cost_nanousd", "input_tokens", "output_tokens")
    for end, sign in (("min", ">="), ("max", "<="))
}
"""Fields that bound a figure → the condition. What has no figure is in no range."""

ROW_FILTERS = ("user", "session", "trace", *AMOUNTS)
"""Fields that only rows have (with `unpriced`, `q` and `tags`)."""

FEW = 20_000
"""Spans up to which all that match are read through their index and sorted; of more, windows of time are."""

EXCLUDED_BY_CUBE = frozenset({*CUBE_FILTERS, VERSION, "model", "status"})
EXCLUDED_BY_ROWS = {"user": "user", "session": "session", "trace": "trace_id"}
"""Names of `SpanFilter.exclude` that only rows know (with `tag:KEY`) → columns."""

TEXT = (
    "contains_text(?, d.error_message, d.input_preview, d.output_preview, s.request_id, s.response_id, "
    "s.upstream_request_id, s.client_request_id, s.name)"
)
"""The condition of `q`; its parameter is the casefolded text."""

LABELLED_SERIES = "SELECT id, calls FROM series WHERE labels IN (SELECT value FROM json_each(?))"


@dataclass
class Where:
    """Conditions that all must hold, and their parameters in order."""

    parts: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, part: str, *parameters: Any) -> None:
        self.parts.append(part)
        self.parameters += parameters

    def any_of(self, column: str, values: Iterable[Any]) -> None:
        listed = list(values)
        if listed:
            self.add(f"{column} IN ({_marks(listed)})", *listed)

    def in_series(self, column: str, found: Match) -> None:
        """Of one series it is an equation, so that the index behind it gives its rows in order."""
        if len(found.series) == 1:
            self.add(f"{column} = ?", found.series[0])
        else:
            self.add(f"{column} IN (SELECT value FROM json_each(?))", found.as_json)  # noqa: S608  # our own column

    def none_of(self, column: str, values: Iterable[Any]) -> None:
        """What has no value is none of them."""
        listed = list(values)
        self.add(f"({column} IS NULL OR {column} NOT IN ({_marks(listed)}))", *listed)

    def __str__(self) -> str:
        return " AND ".join(self.parts) or "1"


def _marks(values: Sized) -> str:
    return f"?{', ?' * (len(values) - 1)}"


@dataclass(frozen=True)
class Match:
    """Series that a filter names, and about how many spans belong to one of them."""

    series: list[int]
    calls: int

    @property
    def as_json(self) -> str:
        return msgspec.json.encode(self.series).decode()


@dataclass(frozen=True)
class Matches:
    """What the dictionary of series says about a filter, before any row is looked at."""

    cube: Match | None
    """None where nothing is filtered that the cube knows."""
    tags: list[Match]
    """Of each tag key, rarest first."""
    user: Match | None


async def match(reader: Reader, which: SpanFilter, *, failed: bool = False) -> Matches:
    """`failed`: only calls that did."""
    tags = [await _labelled(reader, TAG + key, values) for key, values in which.tags]
    return Matches(
        await _cube(reader, which, failed=failed) if failed or has_cube_filters(which) else None,
        sorted(tags, key=lambda each: each.calls),
        await _labelled(reader, USER, which.user) if which.user else None,
    )


async def _labelled(reader: Reader, scope: str, values: Iterable[str]) -> Match:
    labels = msgspec.json.encode([Series(scope, value).labels for value in values]).decode()
    return _match_of(await reader.all(LABELLED_SERIES, (labels,)))


async def _cube(reader: Reader, which: SpanFilter, *, failed: bool) -> Match:
    where = Where()
    where.add("e.scope = ? AND e.calls > 0", CALL)
    add_cube_conditions(where, which, "e")
    if failed:
        where.add("e.outcome = 1")
    sql = f"SELECT e.id, e.calls FROM series e WHERE {where}"  # noqa: S608  # our own names
    return _match_of(await reader.all(sql, where.parameters))


def _match_of(found: list[tuple[Any, ...]]) -> Match:
    return Match([number for number, _ in found], sum(calls for _, calls in found))


def has_cube_filters(which: SpanFilter) -> bool:
    return bool(
        which.model
        or which.status
        or which.stream is not None
        or which.prompt_version
        or any(getattr(which, name) for name in CUBE_FILTERS)
        or any(name in EXCLUDED_BY_CUBE for name, _ in which.exclude)
    )


def has_row_filters(which: SpanFilter) -> bool:
    """Whether rollups cannot answer; tags aside."""
    return (
        which.unpriced
        or bool(which.q)
        or any(getattr(which, name) not in (None, ()) for name in ROW_FILTERS)
        or any(name not in EXCLUDED_BY_CUBE for name, _ in which.exclude)
    )


def version_of(alias: str) -> str:
    """The value of VERSION; null without a prompt."""
    return f"({alias}.prompt || '@' || {alias}.prompt_version)"


def add_cube_conditions(where: Where, which: SpanFilter, alias: str) -> None:
    """The filters that rows (`s`) and series (`e`) share."""
    for name, column in CUBE_FILTERS.items():
        where.any_of(f"{alias}.{column}", getattr(which, name))
    where.any_of(version_of(alias), which.prompt_version)
    if which.model:
        marks = _marks(which.model)
        where.add(f"({alias}.model IN ({marks}) OR {alias}.model_requested IN ({marks}))", *which.model, *which.model)
    if which.stream is not None:
        where.add(f"{alias}.stream = ?", int(which.stream))
    if which.status:
        either = _statuses(which.status, alias)
        where.add(f"({' OR '.join(either.parts)})", *either.parameters)
    for name, values in which.exclude:
        _add_excluded(where, name, values, alias)


def _add_excluded(where: Where, name: str, values: tuple[str, ...], alias: str) -> None:
    if name in CUBE_FILTERS:
        where.none_of(f"{alias}.{CUBE_FILTERS[name]}", values)
    elif name == VERSION:
        where.none_of(version_of(alias), values)
    elif name == "model":
        where.none_of(f"{alias}.model", values)
        where.none_of(f"{alias}.model_requested", values)
    elif name == "status":
        either = _statuses(values, alias)
        where.add(f"NOT coalesce({' OR '.join(either.parts)}, 0)", *either.parameters)


def _statuses(statuses: Iterable[str], alias: str) -> Where:
    """One part for each."""
    either = Where()
    for status in statuses:
        if status == "ok":
            either.add(f"{alias}.outcome = 0")
        elif status == "error":
            either.add(f"{alias}.outcome = 1")
        elif len(status) == 3 and status[0].isdigit() and status[1:] == "xx":
            first = int(status[0]) * 100
            either.add(f"{alias}.status_code BETWEEN ? AND ?", first, first + 99)
        elif status.isdigit():
            either.add(f"{alias}.status_code = ?", int(status))
        else:
            either.add(f"{alias}.error_type = ?", status)
    return either


def add_row_conditions(where: Where, which: SpanFilter, tags: Iterable[Match]) -> None:
    """Everything but times, `q` and what the cube knows."""
    where.any_of("s.user", which.user)
    where.any_of("s.session", which.session)
    where.any_of("s.trace_id", which.trace)
    for name, condition in AMOUNTS.items():
        bound = getattr(which, name)
        if bound is not None:
            where.add(condition, bound)
    if which.unpriced:
        where.add("s.unpriced = 1")
    for each in tags:
        where.add(
            "EXISTS (SELECT 1 FROM span_tags x WHERE x.series IN (SELECT value FROM json_each(?)) "
            "AND x.started_at = s.started_at AND x.span = s.id)",
            each.as_json,
        )
    for name, values in which.exclude:
        if name.startswith(TAG):
            labels = [Series(name, value).labels for value in values]
            where.add(
                "NOT EXISTS (SELECT 1 FROM series y CROSS JOIN span_tags x ON x.series = y.id "
                "AND x.started_at = s.started_at AND x.span = s.id "
                "WHERE y.labels IN (SELECT value FROM json_each(?)))",
                msgspec.json.encode(labels).decode(),
            )
        elif name in EXCLUDED_BY_ROWS:
            where.none_of(f"s.{EXCLUDED_BY_ROWS[name]}", values)
