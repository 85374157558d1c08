"""Bodies as they are kept: whole as plain text, the part of one that a page did not show, where a word is in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.record import detail_of, encode
from gateway.api.scope import sees
from gateway.core.span import Payload
from gateway.dashboard import urls
from gateway.dashboard.bodies import EventView, Hit, Node, events_from, hits_in, more_of
from gateway.dashboard.render import HEADERS, respond
from gateway.dashboard.view import open_view
from gateway.store.base import SpanDetail

BODIES = ("request", "response")
LONGEST_SEARCH = 200


@dataclass(frozen=True)
class NodePart:
    """The rest of a value: `node` for containers, `text` for a string, `events` for a stream."""

    template: ClassVar[str] = "_node.html"
    url: str
    """Where nodes of this body are asked for."""
    node: Node | None = None
    text: str = ""
    events: tuple[EventView, ...] = ()
    next_event: int = 0
    """Number of events before the next ones; 0 where there are no more."""


@dataclass(frozen=True)
class Found:
    template: ClassVar[str] = "_found.html"
    hits: list[Hit]
    total: int
    wanted: str


async def body(request: Request) -> Response:
    """A body as it is kept, as plain text: nothing in it is ever interpreted."""
    found = await _seen(request)
    which = request.path_params["which"]
    payload = found.payload or Payload()
    if which == "record":
        data: bytes | str | None = encode(detail_of(found))
    else:
        parts = {"request": payload.request_body, "response": payload.response_body, "text": payload.response_text}
        data = parts.get(which)
    if data is None:
        raise HTTPException(404, "This body is not kept.")
    name = f"{found.span.request_id}-{which}.txt"
    headers = {**HEADERS, "content-disposition": f'inline; filename="{name}"', "content-security-policy": "sandbox"}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)


async def node(request: Request) -> Response:
    """`at` is a JSON pointer, `from` how many children (or events, without `at`) are shown already."""
    data, content_type, which = await _body(request)
    query = request.query_params
    start = int(query.get("from", "0")) if query.get("from", "0").isdecimal() and len(query.get("from", "0")) < 9 else 0
    url = urls.node(request.path_params["request_id"], which)
    if "event-stream" in content_type:
        views = events_from(data, start)
        following = start + len(views) if events_from(data, start + len(views)) else 0
        return respond(NodePart(url, events=tuple(views), next_event=following))
    more = await asyncio.to_thread(more_of, data, query.get("at", ""), start)
    if more is None:
        raise HTTPException(404, "There is nothing at this place of the body.")
    if isinstance(more, str):
        return respond(NodePart(url, text=more))
    return respond(NodePart(url, node=more))


async def find(request: Request) -> Response:
    """Looks through the whole body, shown or not."""
    data, content_type, _ = await _body(request)
    wanted = request.query_params.get("find", "").strip()[:LONGEST_SEARCH]
    hits, total = await asyncio.to_thread(hits_in, data, content_type, wanted) if wanted else ([], 0)
    return respond(Found(hits, total, wanted))


async def _body(request: Request) -> tuple[bytes, str, str]:
    """(body, content type, which of them)"""
    found = await _seen(request)
    which = request.path_params["which"]
    payload = found.payload
    if payload is None or which not in BODIES:
        raise HTTPException(404, "This body is not kept.")
    data = payload.request_body if which == "request" else payload.response_body
    kind = payload.request_content_type if which == "request" else payload.response_content_type
    if data is None:
        raise HTTPException(404, "This body is not kept.")
    return data, kind or "", which


async def _seen(request: Request) -> SpanDetail:
    view = open_view(request)
    found = await view.state.store.span(request.path_params["request_id"])
    if found is None or not sees(view.principal, found.span):
        raise HTTPException(404, "This request is not in the log: it never was, or its retention is over.")
    return found
