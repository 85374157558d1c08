"""The values of one field, for its menu: from the store's dictionaries, never from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.dashboard import urls
from gateway.dashboard.filters import FIELDS, Filters
from gateway.dashboard.render import respond
from gateway.dashboard.view import open_view
from gateway.store.base import TagValue

KEPT = ("order", "cols", "limit")
"""Parameters of the page that its own links keep; the cursor and the open row they do not."""


@dataclass(frozen=True)
class FilterValues:
    """The values of one field, for its menu."""

    template: ClassVar[str] = "_filter_values.html"
    name: str
    filters: Filters
    values: list[TagValue]
    labels: Mapping[str, str]
    prefix: str
    find: str
    is_searchable: bool


async def filter_values(request: Request) -> Response:
    """A menu's values from the store's dictionaries, never from the rows."""
    view = open_view(request)
    name, prefix = request.query_params.get("field", ""), request.query_params.get("prefix", "")
    kept = tuple((key, request.query_params[key]) for key in KEPT if request.query_params.get(key))
    filters = Filters(view.filters.pairs, (*view.filters.extra, *kept))
    store = view.state.store
    if name.startswith("tag."):
        values = await store.tag_values(name.removeprefix("tag."), prefix=prefix, limit=50)
    elif any(each.name == name and each.listed for each in FIELDS):
        values = await store.field_values(name, prefix=prefix, limit=50)
    else:
        raise HTTPException(404)
    labels = view.key_names() if name == "key" else {}
    find = urls.filter_menu((*filters.pairs, *filters.extra, ("field", name)))
    searchable = bool(prefix) or len(values) > 12
    return respond(FilterValues(name, filters, values, labels, prefix, find, searchable))
