"""What the annex answers: everything that reads the log and makes something large of it. Changes, signing in, and what
is small and about one worker alone stay with the workers."""

from __future__ import annotations

from starlette.routing import compile_path

from gateway.dashboard import urls

PLACES = (
    urls.OVERVIEW,
    urls.REQUESTS,
    urls.FILTER_MENU,
    urls.JUMP,
    urls.REQUEST,
    urls.PEEK,
    urls.BODY,
    urls.NODE,
    urls.FIND,
    urls.MEDIA,
    urls.DIFF,
    urls.TRACE,
    urls.COSTS,
    urls.STATEMENT,
    urls.MODELS,
    urls.TAGS,
    urls.TENANTS,
    urls.TENANT,
    urls.API_DOCS,
    urls.COMPONENTS,
    urls.OPERATIONS,
    urls.CONFIGURATION,
    "/api/requests",
    "/api/requests/export",
    "/api/requests/export/{token}",
    "/api/requests/stream",
    "/api/requests/{request_id}",
    "/api/traces/{trace_id}",
    "/api/stats",
    "/api/costs",
    "/api/costs/summary",
    "/api/whatif",
    "/api/statement",
    "/api/models/usage",
    "/api/tags",
    "/api/tags/{key:path}",
    "/api/values/{field}",
    "/api/audit/export",
    "/api/operations",
    "/api/dead-letters",
    "/api/configuration",
    "/api/openapi.json",
)
"""As in the routes. GET and HEAD only."""

WITH_STANDINGS = (urls.TENANTS, urls.TENANT)
"""Show what limits and budgets are at, which the worker knows."""

WITH_OWN = (urls.OPERATIONS, "/api/operations")
"""Say how the worker is that was asked."""

LONG = ("/api/requests/export", "/api/requests/stream", "/api/audit/export")
"""Go on for as long as there is something, and nobody waits for their end."""

ELSEWHERE = (urls.IN_FLIGHT, "/api/requests/inflight")
"""Written like a place, and about what a worker has in its hands."""

_places = [compile_path(path)[0] for path in PLACES]
_with_standings = [compile_path(path)[0] for path in WITH_STANDINGS]


def is_place(path: str) -> bool:
    return path not in ELSEWHERE and any(place.match(path) for place in _places)


def shows_standings(path: str) -> bool:
    return any(place.match(path) for place in _with_standings)


def shows_own(path: str) -> bool:
    return path in WITH_OWN


def takes_long(path: str) -> bool:
    return path in LONG
