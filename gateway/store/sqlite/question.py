"""A question for sums, and where its answer is: which series know it, or that only rows do.

Three kinds of series answer: those of one dimension, where nothing else is filtered; those by place (one tenant, one
environment) for users, tags and cost sources; and the *cube*, every combination that occurred, for any filter on its
columns. Rows know everything else: several tags, a user's models, free text, ranges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from gateway.store.base import SpanFilter
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.places import UNPLACED_TO
from gateway.store.sqlite.rollups import ODD
from gateway.store.sqlite.series import (
    CALL,
    COST_SOURCE,
    FAILURE,
    ONE_DIMENSION,
    PLACE,
    PLACED,
    SUMMED_AS_USER,
    TAG,
    TOLD,
    TOTAL,
    USER,
)
from gateway.store.sqlite.tally import Shape
from gateway.store.sqlite.where import CUBE_FILTERS, VERSION, has_cube_filters, has_row_filters

PROVIDER_MODEL = "provider_model"
FAILURE_KIND = "failure_kind"
"""Key: JSON of error_type, status_code, provider and model."""
OF_THE_CUBE = (FAILURE_KIND, PROVIDER_MODEL, VERSION, "feature")
"""Dimensions that have no scope of their own."""

ROLLED_UP = "SELECT rolled_up FROM scopes WHERE scope = ?"
ODD_TAGS = f"SELECT substr(name, {len(ODD) + 1}) FROM facts WHERE name GLOB '{ODD}*'"  # noqa: S608  # our own word


@dataclass(frozen=True)
class Question:
    which: SpanFilter
    shape: Shape
    by: str | None = None
    """A dimension of ONE_DIMENSION or OF_THE_CUBE, `user`, `tag:KEY`, `cost_source` or `failure`."""
    unit_us: int | None = None
    """Sums by time: at most this much lies between the times that answers are given for."""
    cuts: tuple[int, ...] = ()
    """Times that no answer may lie across."""
    failed: bool = False
    """Only calls that failed."""
    only: tuple[str | None, ...] | None = None
    """Keys that are wanted, where others need not be summed up; they may be in the answer all the same."""


async def told(reader: Reader, which: SpanFilter) -> SpanFilter:
    """With columns in the place of tags that say the same of every span: columns are in more sums."""
    named = {key for key, _ in which.tags} | {name.removeprefix(TAG) for name, _ in which.exclude}
    if named.isdisjoint(TOLD):
        return which
    columns = await _told_columns(reader)
    tags = []
    filled: dict[str, tuple[str, ...]] = {}
    for key, values in which.tags:
        column = columns.get(key)
        if column is None or column in filled or getattr(which, column):
            tags.append((key, values))
        else:
            filled[column] = values
    told_by = {TAG + key: column for key, column in columns.items()}
    exclude = tuple((told_by.get(name, name), values) for name, values in which.exclude)
    return msgspec.structs.replace(which, tags=tuple(tags), exclude=exclude, **filled)


async def asked_of_columns(reader: Reader, question: Question) -> Question:
    """As `told`, for the dimension as well."""
    by = question.by
    if by is not None and by.startswith(TAG) and by.removeprefix(TAG) in TOLD:
        by = (await _told_columns(reader)).get(by.removeprefix(TAG), by)
    return replace(question, which=await told(reader, question.which), by=by)


async def _told_columns(reader: Reader) -> dict[str, str]:
    if not await all_placed(reader):
        return {}  # nobody has looked at the tags of all spans yet
    odd = {tag for (tag,) in await reader.all(ODD_TAGS)}
    return {tag: column for tag, column in TOLD.items() if tag not in odd}


async def all_placed(reader: Reader) -> bool:
    """Whether every span is counted by place: not before spans of an older version have been."""
    return await reader.first(UNPLACED_TO) is None


async def scope_of(reader: Reader, question: Question) -> str | None:
    """The scope of series that answers; `call` is the cube; None: only rows do."""
    which, by = question.which, question.by
    unpriced = which.unpriced and not question.shape.spreads
    if has_row_filters(msgspec.structs.replace(which, user=(), unpriced=which.unpriced and not unpriced)):
        return None
    open_ended = {TAG + key for key, _ in which.tags} | ({COST_SOURCE} if unpriced else set())
    open_ended |= {USER} if which.user else set()
    open_ended |= {by} if by is not None and (by in (USER, COST_SOURCE) or by.startswith(TAG)) else set()
    if not open_ended:
        return _closed(question)
    scope = open_ended.pop()
    if open_ended or len(which.tags) > 1 or question.failed or by not in (None, scope, *PLACE):
        return None
    if scope == SUMMED_AS_USER or not await _rolled_up(reader, scope):
        return None
    rest = msgspec.structs.replace(which, user=(), tags=(), unpriced=False, from_us=None, to_us=None)
    if scope != COST_SOURCE and rest == SpanFilter() and by in (None, scope):
        return scope
    placed = scope.removeprefix(TAG) not in TOLD and _names_places(rest) and await all_placed(reader)
    return PLACED + scope if placed else None


def _closed(question: Question) -> str:
    which, by = question.which, question.by
    if not has_cube_filters(which) and not (question.failed and by != FAILURE):
        scope = by or TOTAL
        return CALL if scope in OF_THE_CUBE else scope
    filtered = [name for name in CUBE_FILTERS if getattr(which, name)]
    simple = (which.model, which.status, which.prompt_version, which.exclude, which.stream) == ((), (), (), (), None)
    simple = simple and not question.failed
    if simple and len(filtered) == 1 and filtered[0] in ONE_DIMENSION and by in (None, filtered[0]):
        return filtered[0]
    return CALL


def _names_places(rest: SpanFilter) -> bool:
    """Whether nothing is filtered but tenants and environments."""
    others = msgspec.structs.replace(rest, tenant=(), environment=(), exclude=())
    return others == SpanFilter() and all(name in PLACE for name, _ in rest.exclude)


async def _rolled_up(reader: Reader, scope: str) -> bool:
    row = await reader.first(ROLLED_UP, (scope,))
    return row is None or bool(row[0])
