"""What the palette (⌘K) offers for a few letters: a request or trace by its id, saved views, values to filter by."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.dashboard import urls
from gateway.dashboard.filters import BY_NAME, Pairs
from gateway.dashboard.render import respond
from gateway.dashboard.view import View, open_view
from gateway.dashboard.views import saved_views
from gateway.errors import StoreError
from gateway.store.base import SpanFilter

LISTED = ("model", "tenant", "provider", "key", "environment", "prompt", "config", "variant")
PER_FIELD = 3
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
TRACE_ID = re.compile(r"[0-9a-f]{32}\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Jump:
    label: str
    href: str
    icon: str
    note: str = ""


@dataclass(frozen=True)
class Jumps:
    template: ClassVar[str] = "_jump.html"
    groups: list[tuple[str, list[Jump]]] = field(default_factory=list)


async def jump(request: Request) -> Response:
    view = open_view(request)
    text = request.query_params.get("q", "").strip()[:200]
    ids, views, values = await asyncio.gather(_by_id(view, text), _views(view, text), _values(view, text))
    groups = [("Open", ids), ("Views", views), ("Filter by", values)]
    return respond(Jumps([(title, jumps) for title, jumps in groups if jumps]))


async def _by_id(view: View, text: str) -> list[Jump]:
    if UUID.match(text):
        return [Jump(f"Request {text}", urls.request(text.lower()), "list")]
    if TRACE_ID.match(text):
        return [Jump(f"Trace {text}", urls.trace(text.lower()), "trace")]
    if len(text) < 8 or " " in text or not any(character.isdigit() for character in text):
        return []
    try:  # an id of the provider or the client
        found = await view.state.store.spans(view.own(SpanFilter(q=text)), limit=3)
    except StoreError:
        return []
    return [
        Jump(f"Request {span.request_id}", urls.request(span.request_id), "list", text)
        for span in found.items
        if text in (span.response_id, span.upstream_request_id, span.client_request_id)
    ]


async def _views(view: View, text: str) -> list[Jump]:
    wanted = text.casefold()
    return [
        Jump(each.name, each.href, "save", "shared" if each.is_shared else "")
        for each in await saved_views(view)
        if wanted in each.name.casefold()
    ][:8]


async def _values(view: View, text: str) -> list[Jump]:
    """Of every field that has a dictionary; and the tag keys that begin so."""
    if not text:
        return []
    store = view.state.store
    try:
        found = await asyncio.gather(*(store.field_values(name, prefix=text, limit=PER_FIELD) for name in LISTED))
        tags = await store.tag_keys()
    except StoreError:
        return []
    names = view.key_names()
    scope: Pairs = view.scope
    jumps = []
    for name, values in zip(LISTED, found, strict=True):
        for each in values:
            label = names.get(each.value, each.value) if name == "key" else each.value
            href = urls.requests((*scope, (name, each.value)))
            jumps.append(Jump(f"{BY_NAME[name].label} is {label}", href, "filter", f"{each.calls:,} calls"))
    if text.startswith("tag."):
        text = text.removeprefix("tag.")
    for tag in tags:
        if tag.key.casefold().startswith(text.casefold()):
            values = await store.tag_values(tag.key, limit=PER_FIELD)
            jumps += [
                Jump(f"{tag.key} is {each.value}", urls.requests((*scope, (f"tag.{tag.key}", each.value))), "filter")
                for each in values
            ]
    return jumps[:12]
