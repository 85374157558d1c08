"""A SpanFilter as SQL. Aliases: `s` spans, `d` span_details, `t` span_tags, `e` series, `r` a rollup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.store.base import SpanFilter
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.series import TAG, Series

CUBE_FILTERS = {
    "provider": "provider",
    "tenant": "tenant",
    "environment": "environment",
    "config": "config",
    "variant": "variant",
    "kind": "kind",
    "prompt": "prompt",
    "key": "key_id",
}
"""Fields of SpanFilter → columns that spans and series share. `model`, `status` and `stream` come on top."""

ROW_FILTERS = ("user", "session", "trace", "min_latency_us", "max_latency_us", "min_cost_nanousd", "max_cost_nanousd")
"""Fields that only rows have (with `unpriced`, `q` and `tags`)."""

FEW = 20_000
"""Spans with a tag up to which they are read through the tag's index and sorted; beyond, time order finds them soon."""

TEXT = (
    "contains_text(?, d.error_message, d.input_preview, d.output_preview, s.request_id, s.response_id, "
    "s.upstream_request_id, s.client_request_id, s.name)"
)
"""The condition of `q`; its parameter is the casefolded text."""

EARLIEST = -(1 << 62)

TAG_SERIES = "SELECT id, calls FROM series WHERE labels IN (SELECT value FROM json_each(?))"


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
            self.add(f"{column} IN (?{', ?' * (len(listed) - 1)})", *listed)

    def __str__(self) -> str:
        return " AND ".join(self.parts) or "1"


@dataclass(frozen=True)
class TagMatch:
    """The alternatives of one tag key: their series, and about how many spans carry one of them."""

    series: list[int]
    calls: int


async def tag_matches(reader: Reader, which: SpanFilter) -> list[TagMatch]:
    """Rarest first."""
    matches = []
    for key, values in which.tags:
        labels = msgspec.json.encode([Series(TAG + key, value).labels for value in values]).decode()
        found = await reader.all(TAG_SERIES, (labels,))
        matches.append(TagMatch([number for number, _ in found], sum(calls for _, calls in found)))
    return sorted(matches, key=lambda match: match.calls)


def has_cube_filters(which: SpanFilter) -> bool:
    return bool(
        which.model or which.status or which.stream is not None or any(getattr(which, name) for name in CUBE_FILTERS)
    )


def has_row_filters(which: SpanFilter) -> bool:
    """Whether rollups cannot answer; tags aside."""
    return which.unpriced or bool(which.q) or any(getattr(which, name) not in (None, ()) for name in ROW_FILTERS)


def add_cube_conditions(where: Where, which: SpanFilter, alias: str) -> None:
    """The filters that rows (`s`) and series (`e`) share."""
    for name, column in CUBE_FILTERS.items():
        where.any_of(f"{alias}.{column}", getattr(which, name))
    if which.model:
        marks = f"(?{', ?' * (len(which.model) - 1)})"
        where.add(f"({alias}.model IN {marks} OR {alias}.model_requested IN {marks})", *which.model, *which.model)
    if which.stream is not None:
        where.add(f"{alias}.stream = ?", int(which.stream))
    if which.status:
        _add_status(where, which.status, alias)


def _add_status(where: Where, statuses: Iterable[str], alias: str) -> None:
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
    where.add(f"({' OR '.join(either.parts)})", *either.parameters)


def only_failures(statuses: Iterable[str]) -> bool:
    """Whether every alternative implies `outcome > 0`, so that the small index of failures serves."""
    return all(status != "ok" and status[0] not in "123" for status in statuses if status)


def add_row_conditions(where: Where, which: SpanFilter, tags: Iterable[TagMatch]) -> None:
    """Everything but times and `q`."""
    add_cube_conditions(where, which, "s")
    where.any_of("s.user", which.user)
    where.any_of("s.session", which.session)
    where.any_of("s.trace_id", which.trace)
    if which.min_latency_us is not None:
        where.add("s.latency_us >= ?", which.min_latency_us)
    if which.max_latency_us is not None:
        where.add("s.latency_us <= ?", which.max_latency_us)
    if which.min_cost_nanousd is not None:
        where.add("s.cost_nanousd >= ?", which.min_cost_nanousd)
    if which.max_cost_nanousd is not None:
        where.add("s.cost_nanousd <= ?", which.max_cost_nanousd)
    if which.unpriced:
        where.add("s.unpriced = 1")
    for match in tags:
        if match.series:
            marks = f"?{', ?' * (len(match.series) - 1)}"
            where.add(
                f"EXISTS (SELECT 1 FROM span_tags x WHERE x.series IN ({marks}) "  # noqa: S608  # only marks are put in
                "AND x.started_at = s.started_at AND x.span = s.id)",
                *match.series,
            )
        else:
            where.add("0")


@dataclass
class RowPlan:
    """Which rows, and the way to them: `source` begins with what is walked, `at` is its time column."""

    source: str
    at: str
    where: Where


def plan_rows(which: SpanFilter, tags: list[TagMatch], walk: str | None = None) -> RowPlan:
    """Chooses the index (or takes `walk`), because SQLite without statistics guesses, and those of a growing log
    are stale."""
    where = Where()
    at = "s.started_at"
    if walk:
        source = f"spans s INDEXED BY {walk}"
    elif which.trace:
        source = "spans s INDEXED BY ix_spans_trace"
    elif which.session:
        source = "spans s INDEXED BY ix_spans_session"
    elif which.user:
        source = "spans s INDEXED BY ix_spans_user"
    elif tags and tags[0].series and (len(tags[0].series) == 1 or tags[0].calls <= FEW):
        source, at = "span_tags t CROSS JOIN spans s ON s.id = t.span", "t.started_at"
        where.any_of("t.series", tags[0].series)
        tags = tags[1:]
    elif which.status and only_failures(which.status):
        source = "spans s INDEXED BY ix_spans_failed"
        where.add("s.outcome > 0")
    elif len(which.tenant) == 1:
        source = "spans s INDEXED BY ix_spans_tenant"
    else:
        source = "spans s INDEXED BY ix_spans_started_at"
    # a bound below is always there: without any condition or order on its column a forced index is an error
    where.add(f"{at} >= ?", which.from_us if which.from_us is not None else EARLIEST)
    if which.to_us is not None:
        where.add(f"{at} < ?", which.to_us)
    add_row_conditions(where, which, tags)
    return RowPlan(source, at, where)


def selective(which: SpanFilter) -> bool:
    """Whether the filter names few calls, whatever the period."""
    return bool(which.trace or which.session or which.user)
