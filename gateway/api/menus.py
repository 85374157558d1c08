"""`/api/tags`, `/api/tags/{key}`, `/api/values/{field}`: what there is to filter by.

Unfiltered, from the store's dictionaries. As soon as a filter or the key's scope leaves something out, a dictionary
would tell what must not be seen or does not apply: then values come from the breakdown, and tag keys and kinds, for
which there is none, from the newest thousand calls (`sample`).
"""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.errors import invalid
from gateway.api.filters import MAX_LIMIT, parse_limit, single
from gateway.api.requests import json_response
from gateway.api.scope import Question, asked, state_of
from gateway.store.base import SpanReader, TagKey, TagValue

VALUE_FIELDS = ("model", "provider", "tenant", "environment", "config", "variant", "key", "kind", "prompt")


Entry = TypeVar("Entry", TagKey, TagValue)


class Menu(msgspec.Struct, Generic[Entry]):
    items: list[Entry]
    sample: int | None = None
    """How many of the newest calls were looked at; null where it was all."""
    next_cursor: None = None
    """Always null: a menu is one page."""


async def tag_keys(request: Request) -> Response:
    question = asked(request, "prefix", "limit")
    limit = parse_limit(question.values, default=200)
    prefix = single(question.values, "prefix") or ""
    store = state_of(request).store
    if not question.narrowed:
        keys = [key for key in await store.tag_keys() if key.key.startswith(prefix)]
        return json_response(Menu(keys[:limit]))
    values: dict[str, set[str]] = {}
    calls: Counter[str] = Counter()
    newest = (await store.spans(question.which, limit=MAX_LIMIT)).items
    for span in newest:
        for key, value in span.tags.items():
            values.setdefault(key, set()).add(value)
            calls[key] += 1
    found = [TagKey(key, len(values[key]), count) for key, count in calls.most_common() if key.startswith(prefix)]
    return json_response(Menu(found[:limit], sample=len(newest)))


async def tag_values(request: Request) -> Response:
    question = asked(request, "prefix", "limit")
    key = request.path_params["key"]
    store = state_of(request).store
    if not question.narrowed:
        limit = parse_limit(question.values, default=200)
        prefix = single(question.values, "prefix") or ""
        return json_response(Menu(await store.tag_values(key, prefix=prefix, limit=limit)))
    return json_response(await _grouped(store, question, f"tag:{key}"))


async def field_values(request: Request) -> Response:
    field = request.path_params["field"]
    if field not in VALUE_FIELDS:
        raise invalid("field", f"There are no values of {field[:100]!r}. There are those of {', '.join(VALUE_FIELDS)}.")
    question = asked(request, "prefix", "limit")
    store = state_of(request).store
    limit = parse_limit(question.values, default=200)
    prefix = single(question.values, "prefix") or ""
    if not question.narrowed:
        return json_response(Menu(await store.field_values(field, prefix=prefix, limit=limit)))
    if field != "kind":
        return json_response(await _grouped(store, question, field))
    newest = (await store.spans(question.which, limit=MAX_LIMIT)).items
    kinds = Counter(span.kind for span in newest if span.kind.startswith(prefix))
    return json_response(Menu([TagValue(*pair) for pair in kinds.most_common(limit)], sample=len(newest)))


async def _grouped(store: SpanReader, question: Question, by: str) -> Menu[TagValue]:
    limit = parse_limit(question.values, default=200)
    prefix = single(question.values, "prefix") or ""
    groups = await store.groups(question.which, by, limit=MAX_LIMIT)
    values = [TagValue(group.key, group.totals.requests) for group in groups if group.key is not None]
    found = [value for value in values if value.value.startswith(prefix)]
    return Menu(sorted(found, key=lambda value: -value.calls)[:limit])
