"""The list of requests: filters, paging by key, live, and one of them read beside it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.dashboard import urls
from gateway.dashboard.charts import Chart
from gateway.dashboard.columns import (
    BY_COLUMN,
    ORDERS,
    USUAL,
    ColumnChoice,
    Head,
    column_choices,
    head_of,
    shown_columns,
    time_head,
    with_parameter,
)
from gateway.dashboard.detail import Detail, load_detail
from gateway.dashboard.filter_menu import KEPT
from gateway.dashboard.filters import FIELDS, RANGES, STATUSES, Field, Filters, Range, read_search
from gateway.dashboard.flight import Flight, flight_of
from gateway.dashboard.format import day
from gateway.dashboard.patience import in_time
from gateway.dashboard.render import respond
from gateway.dashboard.requests_empty import Drop, drops, is_first_time, looked, nothing, wider
from gateway.dashboard.requests_head import COUNTED_TO, NOT_ADDED_UP, counted, heading, summary, volume
from gateway.dashboard.rows import Row, rows_of
from gateway.dashboard.view import Choice, Shell, View, make_shell, open_view
from gateway.dashboard.views import ViewChoice, saved_views
from gateway.errors import StoreError
from gateway.store.base import Page as SpanPage
from gateway.store.base import TagKey

PAGE_SIZES = (25, 50, 100, 200)
PAGE = 50


@dataclass(frozen=True)
class Requests:
    template: ClassVar[str] = "requests.html"
    shell: Shell
    filters: Filters
    problems: list[str] = field(default_factory=list)
    fields: tuple[Field, ...] = FIELDS
    ranges: tuple[Range, ...] = RANGES
    statuses: tuple[tuple[str, str], ...] = STATUSES
    tag_keys: list[TagKey] = field(default_factory=list)
    trouble: str = ""
    is_first_time: bool = False
    base_url: str = ""
    heading: str = ""
    summary: str = ""
    chart: Chart | None = None
    heads: list[Head] = field(default_factory=list)
    shown: tuple[str, ...] = USUAL
    columns: list[ColumnChoice] = field(default_factory=list)
    usual_columns: str = ""
    time_head: Head | None = None
    rows: list[Row] = field(default_factory=list)
    newer: str = ""
    older: str = ""
    drops: list[Drop] = field(default_factory=list)
    nothing: str = ""
    wider: str = ""
    live: str = ""
    """Where new rows are announced; empty where the list is not the newest."""
    exports: list[tuple[str, str]] = field(default_factory=list)
    rows_url: str = ""
    """Where the live list asks for its rows and nothing else."""
    in_flight_url: str = ""
    flight: Flight | None = None
    views: list[ViewChoice] = field(default_factory=list)
    here: str = ""
    """The list's own URL, for a view to be saved."""
    sizes: list[Choice] = field(default_factory=list)
    total: int | None = None
    """How many the filters find; None for more than are counted."""
    counted: str = ""
    """The same in words."""
    not_added_up: str = ""
    """Why there are no totals or no chart."""
    looked: str = ""
    """How far it looked, where not as far as the period goes."""
    peek: Detail | None = None


@dataclass(frozen=True)
class Rows:
    """The table alone, for the live list."""

    template: ClassVar[str] = "_rows.html"
    heads: list[Head]
    time_head: Head
    rows: list[Row]
    shown: tuple[str, ...]
    flight: Flight | None
    in_flight_url: str
    peek: Detail | None = None


async def requests(request: Request) -> Response:
    view = open_view(request)
    moved = _canonical(request, view)
    if moved:
        return RedirectResponse(moved, 303)
    kept = tuple((name, request.query_params[name]) for name in KEPT if request.query_params.get(name))
    view.filters = Filters(view.filters.pairs, (*view.filters.extra, *kept))
    if request.headers.get("hx-target") == "rows":
        return respond(await _only_rows(view))
    shell = await make_shell(view, "Requests", urls.REQUESTS)
    try:
        return respond(await _page(view, shell))
    except StoreError as exc:
        return respond(Requests(shell, view.filters, trouble=str(exc)), 503)


def _canonical(request: Request, view: View) -> str:
    """Where a search that names filters belongs: `q=model:gpt-5` is `model=gpt-5`. Empty if it is there already."""
    found = read_search(view.filters.q)
    if all(name == "q" for name, _ in found):
        return ""
    rest = [pair for pair in request.query_params.multi_items() if pair[0] not in ("q", "cursor", "peek")]
    return urls.requests((*rest, *(pair for pair in found if pair not in rest)))


async def _page(view: View, shell: Shell) -> Requests:
    query = view.request.query_params
    order, which, store = _order(view), view.which(), view.state.store
    found = await _found(view)
    views = await saved_views(view)
    if not found.items and not query.get("cursor"):
        return await _empty(view, shell, views, found)
    number, outline, tags = await asyncio.gather(
        in_time(store.count(which, at_most=COUNTED_TO)),
        in_time(store.outline(which, width_us=view.period.width_us, time_zone=view.period.zone.key)),
        store.tag_keys(),
    )
    if number is None and outline is not None:
        number = outline.totals.requests
    shown = shown_columns(view.request)
    peek = await load_detail(view, query["peek"], "conversation") if query.get("peek") else None
    can_live = order == "newest" and view.period.is_sliding and not query.get("cursor")
    return Requests(
        shell=shell,
        filters=view.filters,
        problems=view.problems,
        tag_keys=tags,
        heading=heading(number),
        summary=summary(outline) if outline else "",
        chart=volume(outline.parts, view.period, now_us=view.now_us) if outline else None,
        not_added_up="" if outline else NOT_ADDED_UP,
        looked=looked(found.looked_to, order, view.period.zone),
        heads=[head_of(view, BY_COLUMN[name], order) for name in shown],
        time_head=time_head(view, order),
        shown=shown,
        columns=column_choices(view, shown),
        usual_columns=with_parameter(view, "cols", ",".join(USUAL)),
        rows=_rows(view, found, shown),
        newer=with_parameter(view, "cursor", found.prev_cursor or "") if found.prev_cursor else "",
        older=with_parameter(view, "cursor", found.next_cursor or "") if found.next_cursor else "",
        live=urls.live(view.filters.pairs) if can_live else "",
        exports=_exports(view),
        rows_url=view.filters.url(),
        in_flight_url=_in_flight(view) if can_live else "",
        flight=await flight_of(view, shown) if can_live else None,
        views=views,
        here=view.filters.url(),
        sizes=_sizes(view),
        total=None if number is None or number > COUNTED_TO else number,
        counted=counted(number),
        peek=peek,
    )


async def _only_rows(view: View) -> Rows:
    order, shown = _order(view), shown_columns(view.request)
    return Rows(
        heads=[head_of(view, BY_COLUMN[name], order) for name in shown],
        time_head=time_head(view, order),
        rows=_rows(view, await _found(view), shown),
        shown=shown,
        flight=await flight_of(view, shown),
        in_flight_url=_in_flight(view),
    )


def _in_flight(view: View) -> str:
    return urls.in_flight((*view.filters.pairs, *(pair for pair in view.filters.extra if pair[0] == "cols")))


def _order(view: View) -> str:
    order = view.request.query_params.get("order", "newest")
    return order if order in ORDERS else "newest"


def _limit(view: View) -> int:
    text = view.request.query_params.get("limit", "")
    return int(text) if text in map(str, PAGE_SIZES) else PAGE


def _sizes(view: View) -> list[Choice]:
    now = _limit(view)
    return [
        Choice(f"{size} rows", with_parameter(view, "limit", "" if size == PAGE else str(size)), size == now)
        for size in PAGE_SIZES
    ]


async def _found(view: View) -> SpanPage:
    cursor = view.request.query_params.get("cursor")
    try:
        return await view.state.store.spans(view.which(), limit=_limit(view), cursor=cursor, order=_order(view))
    except ValueError as exc:
        raise HTTPException(404, "This page of the list does not exist; the link is not one of ours.") from exc


FORMATS = ("csv", "jsonl", "parquet")


def _exports(view: View) -> list[tuple[str, str]]:
    """(format, URL) of all that the filters find, not only this page."""
    ends = tuple(view.period.query.items()) or (("period", view.period.key),)
    return [(kind, urls.export((*view.filters.query(), *ends, ("format", kind)))) for kind in FORMATS]


def _rows(view: View, found: SpanPage, shown: tuple[str, ...]) -> list[Row]:
    query = (*view.filters.query(), *view.period.query.items())
    zone = view.period.zone
    today = day(view.now_us, zone)
    return rows_of(
        found.items, query=query, zone=zone, today=today, with_ms="tags" in shown, key_names=view.key_names()
    )


async def _empty(view: View, shell: Shell, views: list[ViewChoice], found: SpanPage) -> Requests:
    """Nothing was found: because nothing ever was recorded, or because of which filter, or not so far."""
    if await is_first_time(view):
        base = f"{view.request.url.scheme}://{view.request.url.netloc}"
        return Requests(shell, view.filters, is_first_time=True, base_url=base, problems=view.problems, views=views)
    return Requests(
        shell,
        view.filters,
        drops=await drops(view),
        nothing=nothing(view) if found.looked_to is None else "",
        looked=looked(found.looked_to, _order(view), view.period.zone),
        older=with_parameter(view, "cursor", found.next_cursor) if found.next_cursor else "",
        wider=wider(view) if found.looked_to is None else "",
        tag_keys=await view.state.store.tag_keys(),
        problems=view.problems,
        views=views,
        here=view.filters.url(),
    )


async def peek(request: Request) -> Response:
    """One request, to be read beside the list."""
    view = open_view(request)
    detail = await load_detail(view, request.path_params["request_id"], request.query_params.get("tab", "conversation"))
    if detail is None:
        raise HTTPException(404, "This request is not in the log (any more).")
    return respond(Peek(detail))


@dataclass(frozen=True)
class Peek:
    template: ClassVar[str] = "_peek.html"
    peek: Detail
