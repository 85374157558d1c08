"""Error pages: what failed, what still works, what to do. Never a traceback, never an apology."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from gateway.dashboard import urls
from gateway.dashboard.render import HEADERS, respond
from gateway.dashboard.routes import RULES
from gateway.dashboard.view import Shell, bare_shell
from gateway.errors import CallError, StoreError

log = logging.getLogger(__name__)

WORDS = {
    403: ("This needs another key", "The key you signed in with may not see this. Sign in with one that has the role."),
    404: ("Nothing here", "This page or request does not exist, or its record has been deleted by retention."),
    405: ("Not possible here", "This address cannot be used in this way."),
    500: ("This page failed", "Calls go on and are recorded: only this page failed. The gateway’s log says why."),
    503: ("The store does not answer", "Calls go on and are kept in the journal; only reading them back must wait."),
}


@dataclass(frozen=True)
class ErrorPage:
    template: ClassVar[str] = "error.html"
    shell: Shell
    status: int
    title: str
    text: str
    detail: str
    retry: str
    """Where to try again; empty where that changes nothing."""
    home: str = urls.OVERVIEW


def error_page(request: Request, status: int, detail: str = "", words: tuple[str, str] | None = None) -> Response:
    """As a page for people; as JSON for who does not read HTML. `words` are title and text, where those of the status
    say something else."""
    title, text = words or WORDS.get(status, (_phrase(status), "The gateway could not do this."))
    if "text/html" not in request.headers.get("accept", "text/html") and "hx-request" not in request.headers:
        message = detail or text
        error = {"message": message, "type": "api_error", "param": None, "code": None}
        return JSONResponse({"error": error}, status, HEADERS)
    here = urls.with_query(request.url.path, request.query_params.multi_items())
    retry = here if status >= 500 and request.method == "GET" else ""
    return respond(ErrorPage(bare_shell(title), status, title, text, detail, retry), status)


def cut_off_page(request: Request, exc: CallError) -> Response:
    """Who made the page ended over it."""
    response = error_page(request, exc.status, words=("This page was cut off", exc.message))
    for name, value in exc.headers:
        response.headers[name.decode()] = value.decode()
    return response


def not_found(request: Request) -> Response:
    """For a browser at an address that is nobody's."""
    return error_page(request, 404)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


Handler = Callable[[Request, Any], Awaitable[Response]]


def exception_handlers() -> Mapping[Any, Handler]:
    """For Starlette: pages for everything a handler of the dashboard raises."""
    return {HTTPException: _http, StoreError: _store, CallError: _call, 500: _unexpected}


def is_page(request: Request) -> bool:
    """Whether this is the dashboard's: everything else answers errors in its own words."""
    return any(pattern.match(request.url.path) for pattern in _pages())


@lru_cache(maxsize=1)
def _pages() -> tuple[re.Pattern[str], ...]:
    return tuple(compile_path(rule.path)[0] for rule in RULES)


async def _http(request: Request, exc: HTTPException) -> Response:
    detail = "" if exc.detail == _phrase(exc.status_code) else exc.detail
    response = error_page(request, exc.status_code, detail)
    for name, value in (exc.headers or {}).items():
        response.headers[name] = value
    return response


async def _store(request: Request, exc: StoreError) -> Response:
    if not is_page(request):
        raise exc  # the access middleware around this answers for the API
    log.warning("the store failed: %s", exc)
    return error_page(request, 503, str(exc))


async def _call(request: Request, exc: CallError) -> Response:
    if not is_page(request):
        raise exc
    return error_page(request, exc.status, exc.message)


async def _unexpected(request: Request, exc: Exception) -> Response:
    log.exception("unexpected error in %s %r", request.method, request.url.path, exc_info=exc)
    return error_page(request, 500)
