"""Every URL of the dashboard, made in one place; templates get this module as `urls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from gateway.dashboard import assets

OVERVIEW = "/"
REQUESTS = "/requests"
REQUEST = "/requests/{request_id}"
PEEK = "/requests/{request_id}/peek"
BODY = "/requests/{request_id}/body/{which}"
FILTER_MENU = "/requests/filter-values"
LOGIN = "/login"
LOGOUT = "/logout"
PREFERENCES = "/dashboard/preferences"
COMPONENTS = "/dashboard/components"
STATIC = "/static/{version}/{path:path}"
LIVE = "/api/requests/stream"
EXPORT = "/api/requests/export"

Query = Mapping[str, str] | Iterable[tuple[str, str]]


def with_query(path: str, query: Query = ()) -> str:
    pairs = list(query.items()) if isinstance(query, Mapping) else list(query)
    text = urlencode([(key, value) for key, value in pairs if value != ""], quote_via=quote, safe=":/,*")
    return f"{path}?{text}" if text else path


def overview(query: Query = ()) -> str:
    return with_query(OVERVIEW, query)


def requests(query: Query = ()) -> str:
    return with_query(REQUESTS, query)


def request(request_id: str, query: Query = ()) -> str:
    return with_query(REQUEST.format(request_id=quote(request_id, safe="")), query)


def peek(request_id: str, query: Query = ()) -> str:
    return with_query(PEEK.format(request_id=quote(request_id, safe="")), query)


def body(request_id: str, which: str) -> str:
    """`which` is `request`, `response` or `text`."""
    return BODY.format(request_id=quote(request_id, safe=""), which=which)


def filter_menu(query: Query = ()) -> str:
    return with_query(FILTER_MENU, query)


def login(then: str = "") -> str:
    return with_query(LOGIN, {"next": then})


def logout() -> str:
    return LOGOUT


def components() -> str:
    return COMPONENTS


def live(query: Query = ()) -> str:
    return with_query(LIVE, query)


def export(query: Query = ()) -> str:
    return with_query(EXPORT, query)


def static(path: str) -> str:
    return STATIC.replace("{version}", assets.version()).replace("{path:path}", path)


def icon(name: str) -> str:
    return f"{static('icons.svg')}#{name}"


def is_local(target: str) -> bool:
    """May be redirected to after a login: a path of ours, and nothing a browser takes for another host."""
    return target.startswith("/") and not target.startswith(("//", "/\\")) and not any(ord(c) < 32 for c in target)
