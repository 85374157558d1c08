"""Saved views: a list's URL under a name, for everybody or for the one who made it. Documents of the kind `view`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.core.ids import uuid7
from gateway.dashboard import urls
from gateway.dashboard.view import View, open_view
from gateway.errors import StoreError
from gateway.store.documents import AuditEntry, Document

KIND = "view"
MOST = 200
LONGEST_NAME = 80
FORM_MAX_BYTES = 20_000
LEFT_OUT = ("cursor", "peek")
"""Parameters of a list that say where somebody is in it, not what it shows."""


class SavedView(msgspec.Struct, frozen=True):
    name: str
    query: str
    """Of the list's URL."""
    owner: str
    """Of a person the user_id, of a key its key_id."""
    is_shared: bool


@dataclass(frozen=True)
class ViewChoice:
    """A row of the menu. `delete` is empty for a view of somebody else."""

    name: str
    href: str
    is_shared: bool
    is_current: bool
    delete: str


async def saved_views(view: View) -> list[ViewChoice]:
    """One's own and, for who is bound to no tenant, the shared ones; by name. None while the store is down: a menu
    must not take the page with it."""
    try:
        documents = await view.state.store.documents(KIND, limit=MOST)
    except StoreError:
        return []
    here = _essence(view.request.url.query)
    found = []
    for document in documents:
        saved = msgspec.json.decode(document.body, type=SavedView)
        if saved.owner == _owner(view) or (saved.is_shared and not view.principal.is_bound):
            href = urls.requests(parse_qsl(saved.query))
            delete = urls.view(document.id) if _may_delete(view, saved) else ""
            is_current = bool(here) and _essence(saved.query) == here
            found.append(ViewChoice(saved.name, href, saved.is_shared, is_current, delete))
    return sorted(found, key=lambda each: each.name.casefold())


async def save(request: Request) -> Response:
    """A form: `name`, `url` (of the list), `shared`. A view of the same name and owner is replaced."""
    view = open_view(request)
    fields = await _form(request)
    name = " ".join(fields.get("name", "").split())[:LONGEST_NAME]
    if not name:
        raise HTTPException(400, "A view needs a name.")
    pairs = [pair for pair in parse_qsl(urlsplit(fields.get("url", "")).query) if pair[0] not in LEFT_OUT]
    query = urls.with_query("", pairs).removeprefix("?")
    saved = SavedView(name, query, _owner(view), fields.get("shared") == "on" and not view.principal.is_bound)
    documents = await view.state.store.documents(KIND, limit=MOST)
    before = next((document for document in documents if _is_same(document, saved)), None)
    if before is None and len(documents) >= MOST:
        raise HTTPException(409, f"There are {MOST} views already. Delete one that nobody uses.")
    view_id = before.id if before else uuid7()
    body = msgspec.json.encode(saved)
    audit = _audit(view, "changed" if before else "created", view_id, before.body if before else None, body)
    await view.state.store.put_document(KIND, view_id, body, audit=audit)
    return RedirectResponse(urls.requests(pairs), 303)


async def delete(request: Request) -> Response:
    view = open_view(request)
    document = await view.state.store.document(KIND, request.path_params["view_id"])
    if document is None:
        raise HTTPException(404, "This view is gone already.")
    if not _may_delete(view, msgspec.json.decode(document.body, type=SavedView)):
        raise HTTPException(403, "This view is somebody else’s. Who made it, or an admin, can delete it.")
    audit = _audit(view, "deleted", document.id, document.body, None)
    await view.state.store.delete_document(KIND, document.id, audit=audit)
    return RedirectResponse(urls.requests(), 303)


def _owner(view: View) -> str:
    principal = view.principal
    return principal.user_id or principal.key_id or principal.name


def _may_delete(view: View, saved: SavedView) -> bool:
    return saved.owner == _owner(view) or (saved.is_shared and view.principal.role == "admin")


def _is_same(document: Document, saved: SavedView) -> bool:
    found = msgspec.json.decode(document.body, type=SavedView)
    return (found.name, found.owner) == (saved.name, saved.owner)


def _essence(query: str) -> frozenset[tuple[str, str]]:
    return frozenset(pair for pair in parse_qsl(query) if pair[0] not in LEFT_OUT)


def _audit(view: View, action: str, view_id: str, before: bytes | None, after: bytes | None) -> AuditEntry:
    return AuditEntry(time.time_ns() // 1000, view.principal.actor, action, KIND, view_id, before, after)


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MAX_BYTES:
            raise HTTPException(413, "This form is larger than a view.")
    try:
        return {name: values[-1] for name, values in parse_qs(body.decode(), max_num_fields=20).items()}
    except ValueError as exc:
        raise HTTPException(400, "This form cannot be read.") from exc
