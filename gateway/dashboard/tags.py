"""The Tags page: every key, and what the calls with each of its values cost and how they fared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.costs import summed
from gateway.control.recent import newest_part
from gateway.dashboard import urls
from gateway.dashboard.format import Figure, count, money_sum, plural, short, span_of_time
from gateway.dashboard.render import respond
from gateway.dashboard.usage_rows import UsedRow, used_rows
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Group, SpanFilter, TagKey, TagValue, Totals

MOST_VALUES = 1000
"""Of a key with more, those with most calls are summed up."""
VALUES_SHOWN = 100
LEADING = "feature"
"""The key of the overview, where calls have it."""
SAMPLE = 1000
"""Newest calls that tell which keys there are, for who must not see those of all calls."""


@dataclass(frozen=True)
class KeyRow:
    key: str
    values: Figure
    calls: Figure
    href: str
    is_current: bool


@dataclass(frozen=True)
class Id:
    """A value of a key whose values are not summed up."""

    value: str
    calls: Figure
    href: str


@dataclass(frozen=True)
class Values:
    """What is known of a key's values; `note` says of which calls and which values, where not of all."""

    rows: list[UsedRow] = field(default_factory=list)
    ids: list[Id] = field(default_factory=list)
    note: str = ""
    total: Totals = field(default_factory=Totals)


@dataclass(frozen=True)
class Tags:
    template: ClassVar[str] = "tags.html"
    shell: Shell
    trouble: str = ""
    keys: list[KeyRow] = field(default_factory=list)
    keys_note: str = ""
    key: str = ""
    find: str = ""
    hidden: tuple[tuple[str, str], ...] = ()
    chips: list[tuple[str, str, str]] = field(default_factory=list)
    values: Values = field(default_factory=Values)
    spend: Figure = field(default_factory=lambda: money_sum(None))
    calls: Figure = field(default_factory=lambda: count(None))
    costs: str = ""
    wider: str = ""
    export: str = ""


async def tags(request: Request) -> Response:
    view = open_view(request, path=urls.TAGS)
    wanted = request.query_params.get("of", "")
    view.kept = (("of", wanted),) if wanted else ()
    shell = await make_shell(view, "Tags", urls.TAGS)
    which = view.which()
    try:
        is_all = structs.replace(which, from_us=None, to_us=None) == SpanFilter()
        keys = await view.state.store.tag_keys() if is_all else await _sampled_keys(view, which)
        chosen = _chosen(keys, wanted)
        find = request.query_params.get("find", "").strip()
        values = await _values(view, which, chosen, find, is_all=is_all) if chosen else Values()
    except StoreError as exc:
        return respond(Tags(shell, trouble=str(exc)), 503)
    key = chosen.key if chosen else ""
    query = (*view.filters.pairs, *view.period.query.items())
    page = Tags(
        shell=shell,
        keys=[_key_row(each, query, key) for each in keys],
        keys_note="all time" if is_all else f"of the newest {plural(SAMPLE, 'call')} at most",
        key=key,
        find=find,
        hidden=(*query, ("of", key)),
        chips=[(f"{c.label} {c.op}", c.value, c.without) for c in view.filters.chips if c.name != "environment"],
        values=values,
        spend=money_sum(values.total.cost_nanousd),
        calls=count(values.total.requests),
        costs=urls.costs((*query, ("by", f"tag:{key}"))),
        wider=urls.tags((*view.filters.pairs, ("of", key), ("period", "30d"))),
        export=urls.with_query(
            "/api/costs", (*view.filters.pairs, *view.period.shifted(0).items(), ("group_by", f"tag:{key}"))
        ),
    )
    return respond(page)


async def leading(view: View, which: SpanFilter) -> tuple[str, Values]:
    """The key that the page shows first, and its values; an empty key where no call has a tag."""
    is_all = structs.replace(which, from_us=None, to_us=None) == SpanFilter()
    keys = await view.state.store.tag_keys() if is_all else await _sampled_keys(view, which)
    chosen = _chosen(keys, LEADING)
    return (chosen.key, await _values(view, which, chosen, "", is_all=is_all)) if chosen else ("", Values())


def _chosen(keys: Sequence[TagKey], wanted: str) -> TagKey | None:
    """The one asked for, else the first whose values are few enough to read."""
    found = next((key for key in keys if key.key == wanted), None)
    return found or next((key for key in keys if key.has_totals and key.values > 1), keys[0] if keys else None)


async def _sampled_keys(view: View, which: SpanFilter) -> list[TagKey]:
    values: dict[str, set[str]] = {}
    calls: Counter[str] = Counter()
    for span in (await view.state.store.spans(which, limit=SAMPLE)).items:
        for key, value in span.tags.items():
            values.setdefault(key, set()).add(value)
            calls[key] += 1
    return [TagKey(key, len(values[key]), number) for key, number in calls.most_common()]


async def _values(view: View, which: SpanFilter, tag: TagKey, find: str, *, is_all: bool) -> Values:
    if not is_all:
        return await _of_some_calls(view, which, tag.key, find)
    store, by = view.state.store, f"tag:{tag.key}"
    if not tag.has_totals:
        listed = await store.tag_values(tag.key, prefix=find, limit=VALUES_SHOWN)
        note = f"{short(tag.values)} values, which are ids: calls are of all time, and nothing is summed up by value"
        return Values(ids=[_id(view, tag.key, value) for value in listed], note=note)
    note = ""
    if tag.values > MOST_VALUES:
        listed = await store.tag_values(tag.key, prefix=find, limit=VALUES_SHOWN)
        if not listed:
            return Values()
        which = structs.replace(which, tags=((tag.key, tuple(value.value for value in listed)),))
        beginning = f" that begin with {find}" if find else ""
        note = f"the {plural(len(listed), 'value')}{beginning} with most calls of all time"
    groups = await _groups(view, which, by)
    return _summed(view, tag.key, groups, find, note)


async def _of_some_calls(view: View, which: SpanFilter, key: str, find: str) -> Values:
    """Of one tenant, one environment, …: from rollups where the tag is a column of theirs, else from the newest."""
    if key == "feature":
        return _summed(view, key, await _groups(view, which, "feature"), find, "")
    period = view.period
    part = await newest_part(view.state.store, which, width_us=period.width_us, time_zone=period.zone.key)
    note = ""
    if part.from_us != which.from_us and part.from_us is not None:
        note = f"of the newest calls only, {span_of_time(part.from_us, period.to_us, period.zone)}"
    return _summed(view, key, await _groups(view, part, f"tag:{key}"), find, note)


async def _groups(view: View, which: SpanFilter, by: str) -> list[Group]:
    period = view.period
    return await view.state.store.groups(
        which, by, limit=MOST_VALUES, spark_width_us=period.width_us, time_zone=period.zone.key
    )


def _summed(view: View, key: str, groups: Sequence[Group], find: str, note: str) -> Values:
    """Calls without the tag last, whatever they cost."""
    total = summed(group.totals for group in groups)
    found = [group for group in groups if group.key is not None and find.casefold() in group.key.casefold()]
    shown = found[:VALUES_SHOWN] + ([group for group in groups if group.key is None] if not find else [])
    if len(found) > VALUES_SHOWN:
        note = "; ".join(filter(None, (note, f"the {VALUES_SHOWN} costliest of {len(found):,}")))
    rows = used_rows(
        shown,
        total,
        name=lambda value: "untagged" if value is None else value,
        link=lambda value: "" if value is None else _list(view, key, value),
    )
    return Values(rows=rows, note=note, total=total)


def _id(view: View, key: str, value: TagValue) -> Id:
    return Id(value.value, count(value.calls), _list(view, key, value.value))


def _list(view: View, key: str, value: str) -> str:
    return urls.requests((*view.filters.narrowed([(f"tag.{key}", value)]), *view.period.query.items()))


def _key_row(tag: TagKey, query: tuple[tuple[str, str], ...], chosen: str) -> KeyRow:
    href = urls.tags((*query, ("of", tag.key)))
    return KeyRow(tag.key, short(tag.values), short(tag.calls), href, tag.key == chosen)
