"""Who may use which path: a table of rules, and the middleware that enforces it on everything but model traffic.

A path without a rule does not exist: it is answered 404 before any handler sees it, so a route that nobody thought
about is closed, not open. `uncovered` names such routes; a test (and the start of the gateway) asks it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.errors import error_response, from_control
from gateway.control.keys import key_state, now_us
from gateway.control.principal import Principal, address_of, presented_key, same_origin
from gateway.control.state import AppState
from gateway.core.key import Key, within
from gateway.errors import CallError, ControlError, StoreError

log = logging.getLogger(__name__)

EVERYONE = ("app", "viewer", "member", "admin")
READERS = ("viewer", "member", "admin")
MEMBERS = ("member", "admin")
"""Who makes keys for applications; within the tenant they are bound to."""
ADMINS = ("admin",)
READ = ("GET", "HEAD")


class Rule(msgspec.Struct, frozen=True):
    """`roles` may use `path` (written as Starlette's routes write it) with `methods`; no roles: it is open to all."""

    path: str
    roles: tuple[str, ...]
    methods: tuple[str, ...] = READ
    page: bool = False
    """A page for people: who is not signed in is sent to the sign-in form, and errors are the dashboard's to show."""
    delegated: bool = False
    """Model traffic, which checks its own keys and answers in its own dialect."""
    unbound: bool = False
    """Not for who is bound to a tenant or environment: it is about what all share."""
    people: bool = False
    """Only for people, signed in or with an API token of theirs: it is about themselves."""


RULES = (
    Rule("/healthz", ()),
    Rule("/readyz", ()),
    Rule("/metrics", READERS),  # open with metrics.open
    Rule("/api/requests", EVERYONE),
    Rule("/api/requests/export", EVERYONE, methods=("GET",)),
    Rule("/api/requests/export/{token}", EVERYONE),
    Rule("/api/requests/stream", EVERYONE, methods=("GET",)),
    Rule("/api/requests/inflight", EVERYONE),
    Rule("/api/requests/{request_id}", EVERYONE),
    Rule("/api/requests/{request_id}/replay", ADMINS, methods=("POST",)),  # it costs money
    Rule("/api/requests/{request_id}/stop", ("app", "admin"), methods=("POST",)),
    Rule("/api/traces/{trace_id}", EVERYONE),
    Rule("/api/stats", EVERYONE),
    Rule("/api/costs", EVERYONE),
    Rule("/api/costs/summary", EVERYONE),
    Rule("/api/whatif", EVERYONE),
    Rule("/api/statement", EVERYONE),
    Rule("/api/models/usage", EVERYONE),
    Rule("/api/operations", READERS, unbound=True),
    Rule("/api/dead-letters", READERS, unbound=True),
    Rule("/api/dead-letters/retry", ADMINS, methods=("POST",), unbound=True),
    Rule("/api/configuration", READERS, unbound=True),
    Rule("/api/tags", EVERYONE),
    Rule("/api/tags/{key:path}", EVERYONE),
    Rule("/api/values/{field}", EVERYONE),
    Rule("/api/keys", READERS),
    Rule("/api/keys", MEMBERS, methods=("POST",)),
    Rule("/api/keys/{key_id}", READERS),
    Rule("/api/keys/{key_id}", MEMBERS, methods=("PATCH", "DELETE")),
    Rule("/api/keys/{key_id}/rotate", MEMBERS, methods=("POST",)),
    Rule("/api/tenants", READERS),
    Rule("/api/tenants", ADMINS, methods=("POST",), unbound=True),
    Rule("/api/tenants/{slug}", READERS),
    Rule("/api/tenants/{slug}", ADMINS, methods=("PATCH", "DELETE"), unbound=True),
    Rule("/api/environments", READERS),
    Rule("/api/environments", MEMBERS, methods=("POST",)),
    Rule("/api/environments/{name}", MEMBERS, methods=("DELETE",)),
    Rule("/api/environments/{name}/rotate", MEMBERS, methods=("POST",)),
    Rule("/api/users", ADMINS, methods=(*READ, "POST"), unbound=True),
    Rule("/api/users/{user_id}", ADMINS, methods=(*READ, "PATCH", "DELETE"), unbound=True),
    Rule("/api/users/{user_id}/password", ADMINS, methods=("POST",), unbound=True),
    Rule("/api/users/{user_id}/sessions", ADMINS, methods=(*READ, "DELETE"), unbound=True),
    Rule("/api/users/{user_id}/sessions/{session_id}", ADMINS, methods=("DELETE",), unbound=True),
    Rule("/api/users/{user_id}/tokens", ADMINS, unbound=True),
    Rule("/api/users/{user_id}/tokens/{key_id}", ADMINS, methods=("DELETE",), unbound=True),
    Rule("/api/me", EVERYONE),
    Rule("/api/me/sessions", READERS, methods=(*READ, "DELETE"), people=True),
    Rule("/api/me/sessions/{session_id}", READERS, methods=("DELETE",), people=True),
    Rule("/api/me/tokens", READERS, methods=(*READ, "POST"), people=True),
    Rule("/api/me/tokens/{key_id}", READERS, methods=("DELETE",), people=True),
    Rule("/api/privacy/policies", ADMINS, methods=(*READ, "POST"), unbound=True),
    Rule("/api/privacy/policies/{scope}/{match}", ADMINS, methods=("DELETE",), unbound=True),
    Rule("/api/privacy/redaction", READERS, methods=("POST",)),
    Rule("/api/privacy/erasures", ADMINS, methods=(*READ, "POST"), unbound=True),
    Rule("/api/audit", ADMINS, unbound=True),
    Rule("/api/audit/export", ADMINS, methods=("GET",), unbound=True),
    Rule("/api/alerts/rules", READERS, unbound=True),
    Rule("/api/alerts/rules", ADMINS, methods=("POST",), unbound=True),
    Rule("/api/alerts/rules/{name}", READERS, unbound=True),
    Rule("/api/alerts/rules/{name}", ADMINS, methods=("PUT", "DELETE"), unbound=True),
    Rule("/api/alerts/silences", READERS, unbound=True),
    Rule("/api/alerts/silences", ADMINS, methods=("POST",), unbound=True),
    Rule("/api/alerts/silences/{silence_id}", ADMINS, methods=("DELETE",), unbound=True),
    Rule("/api/alerts/history", READERS, unbound=True),
    Rule("/api/notifications", READERS, unbound=True),
    Rule("/api/notifications/{name}/test", ADMINS, methods=("POST",), unbound=True),
    Rule("/api/limits", EVERYONE),
    Rule("/api/budgets", EVERYONE),
    Rule("/api/runaway", READERS, unbound=True),
    Rule("/api/runaway/{tenant}/override", ADMINS, methods=("POST", "DELETE"), unbound=True),
    Rule("/api/playground/models", MEMBERS),
    Rule("/api/playground/chat", MEMBERS, methods=("POST",)),  # it costs money
    Rule("/api/playground/conversations", MEMBERS, methods=(*READ, "POST")),
    Rule("/api/playground/conversations/{conversation_id}", MEMBERS, methods=(*READ, "PATCH", "DELETE")),
    Rule("/api/routes", READERS),
    Rule("/api/routes/explain", READERS),
    Rule("/api/openapi.json", EVERYONE),
)
"""Of the API. The dashboard has a table of its own; the middleware gets both."""

DELEGATED = (
    Rule("/v1/{path:path}", (), methods=("*",), delegated=True),
    Rule("/v1beta/{path:path}", (), methods=("*",), delegated=True),
    Rule("/v1beta1/{path:path}", (), methods=("*",), delegated=True),
    Rule("/v2/{path:path}", (), methods=("*",), delegated=True),
    Rule("/p/{path:path}", (), methods=("*",), delegated=True),
)

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; style-src-attr 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
"""On every answer that does not set them itself."""


class AccessMiddleware:
    """Inside Starlette (so that `scope["app"]` is there), around all routes. Puts `request.state.principal`.

    Also the place where errors of the API become JSON: `CallError` and `StoreError` raised by a handler, and, logged,
    whatever nobody expected.
    """

    def __init__(
        self, app: ASGIApp, rules: Iterable[Rule], not_found: Callable[[Request], Response] | None = None
    ) -> None:
        """`not_found` answers browsers that ask for a path without a rule; it must say nothing but that."""
        self._app = app
        self._not_found = not_found
        self._rules = [(compile_path(rule.path)[0], rule) for rule in rules]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        found = _rules_of(scope["path"], self._rules)
        if found and found[0].delegated:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._guarded(found, scope, receive, _Guard(send))

    async def _guarded(self, found: Sequence[Rule], scope: Scope, receive: Receive, send: _Guard) -> None:
        page = bool(found) and found[0].page
        try:
            request = Request(scope)
            if not found and self._not_found is not None and "text/html" in request.headers.get("accept", ""):
                await self._not_found(request)(scope, receive, send)
                return
            refusal = admit(found, request)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            await self._app(scope, receive, send)
        except (CallError, StoreError, ControlError) as exc:
            if page or send.started:
                raise
            await error_response(_as_call_error(exc))(scope, receive, send)
        except Exception:
            if page or send.started:
                raise
            log.exception("unexpected error in %s %r", scope["method"], scope["path"])
            await error_response(CallError(500, "internal_error", "The gateway failed; its log says why."))(
                scope, receive, send
            )


def _rules_of(path: str, rules: Sequence[tuple[re.Pattern[str], Rule]]) -> list[Rule]:
    """Those of the most particular path: what is written out wins over a parameter."""
    matching = [rule for pattern, rule in rules if pattern.match(path)]
    least = min((rule.path.count("{") for rule in matching), default=0)
    return [rule for rule in matching if rule.path.count("{") == least]


def admit(found: Sequence[Rule], request: Request) -> Response | None:
    """None if the request may go on, with `request.state.principal` set; else what to answer."""
    if not found:
        return error_response(CallError(404, "not_found", f"There is nothing at {request.scope['path']}."))
    rule = next((rule for rule in found if request.method in rule.methods), None)
    if rule is None:
        allowed = ", ".join(sorted({method for rule in found for method in rule.methods}))
        message = f"{request.method} is not possible here; {allowed} is."
        return error_response(CallError(405, "method_not_allowed", message, headers=((b"allow", allowed.encode()),)))
    state: AppState = request.app.state.callgate
    principal = state.sessions.principal(request)
    request.state.principal = principal
    if request.method not in READ and presented_key(request) is None and not same_origin(request):
        return error_response(
            CallError(403, "cross_site", "This was sent from another site. Send it from the dashboard, or with a key.")
        )
    if not rule.roles or (rule.path == "/metrics" and state.settings.metrics.open):
        return None
    if principal is None:
        return _sign_in_first(rule, request, state)
    refusal = denied(rule, principal)
    return None if refusal is None else error_response(refusal)


def denied(rule: Rule, principal: Principal) -> CallError | None:
    """What the rule has against somebody who is known."""
    if principal.role not in rule.roles:
        needed = " or ".join(rule.roles)
        message = f"{principal.words} has the role {principal.role}; this needs {needed}."
        return CallError(403, "role_not_allowed", message)
    if rule.unbound and principal.is_bound:
        own = principal.tenant or principal.environment
        return CallError(403, "out_of_scope", f"{principal.words} is bound to {own}; this is about all there is.")
    if rule.people and principal.user_id is None:
        return CallError(403, "people_only", "This is for people who signed in as themselves, or with their API token.")
    return None


def _sign_in_first(rule: Rule, request: Request, state: AppState) -> Response:
    key = state.sessions.presented(request)
    if rule.page and key is None and presented_key(request) is None:
        return _to_sign_in(request)
    if key is not None:
        error = _refused_key(key, request, state)
    elif presented_key(request) is not None:
        error = CallError(401, "invalid_key", "This key is not known here. `callgate keys list` shows those that are.")
    else:
        message = "A key is missing. Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`."
        error = CallError(401, "missing_key", message)
    response = error_response(error)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _refused_key(key: Key, request: Request, state: AppState) -> CallError:
    ended = key_state(key, now_us())
    if ended != "active":
        return CallError(401, f"key_{ended}", f"The key {key.name!r} is {ended}. Ask for a new one.")
    if key.tenant in state.keyring.suspended:
        return CallError(
            403, "tenant_suspended", f"The tenant {key.tenant!r} is suspended. Ask whoever runs this gateway."
        )
    if key.networks and not within(key.networks, address_of(request, tuple(state.settings.server.trusted_proxies))):
        return CallError(403, "address_not_allowed", f"The key {key.name!r} may not be used from this address.")
    return CallError(401, "owner_disabled", f"Whose API token {key.name!r} is may no longer sign in.")


def _to_sign_in(request: Request) -> Response:
    """A page moves to the form; a part of a page (htmx) tells the page around it to move."""
    if request.method not in READ:
        return RedirectResponse("/login", 303)
    back = request.scope["path"]
    if request.scope["query_string"]:
        back += "?" + request.scope["query_string"].decode("latin-1")
    target = "/login?next=" + quote(back, safe="/")
    if request.headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"hx-redirect": "/login"})
    return RedirectResponse("/login" if back == "/" else target, 303)


def reader(request: HTTPConnection) -> Principal:
    """Who asks, in a handler of a path that is not open."""
    principal: Principal = request.state.principal
    return principal


def uncovered(routes: Iterable[BaseRoute], rules: Iterable[Rule]) -> list[str]:
    """`METHOD path` of every route that no rule covers, which is to say that is closed to everyone."""
    rules = list(rules)
    own = {(rule.path, method) for rule in rules for method in rule.methods}
    delegated = [compile_path(rule.path)[0] for rule in rules if rule.delegated]
    missing = []
    for route in routes:
        path = getattr(route, "path", repr(route))
        if any(pattern.match(path) for pattern in delegated):
            continue
        methods = set(route.methods or READ) if isinstance(route, Route) else {"*"}
        if (path, "GET") in own:
            methods.discard("HEAD")  # which Starlette adds by itself
        missing += [f"{method} {path}" for method in sorted(methods) if (path, method) not in own]
    return missing


def _as_call_error(error: CallError | StoreError | ControlError) -> CallError:
    if isinstance(error, CallError):
        return error
    if isinstance(error, ControlError):
        return from_control(error)
    log.warning("the store failed: %s", error)
    message = "The log cannot be read now; calls go on and are kept. /readyz says more."
    return CallError(503, "store_unavailable", message, headers=((b"retry-after", b"5"),))


class _Guard:
    """Adds the security headers to the answer, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            is_page = headers.get("content-type", "").startswith("text/html")
            headers.setdefault("content-security-policy", PAGE_POLICY if is_page else API_POLICY)
        await self._send(message)
