"""Signing in and out, and what a browser may choose for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.control.sessions import Sessions, SignInRefused
from gateway.dashboard import urls
from gateway.dashboard.period import zone_of
from gateway.dashboard.render import respond
from gateway.dashboard.view import ZONE_COOKIE, Shell, bare_shell


@dataclass(frozen=True)
class Login:
    template: ClassVar[str] = "login.html"
    shell: Shell
    then: str = urls.OVERVIEW
    problem: str = ""


async def login(request: Request) -> Response:
    """The form, its answer, and the link that is printed at start (`?token=…`)."""
    sessions: Sessions = request.app.state.callgate.sessions
    token = request.query_params.get("token")
    try:
        if request.method == "POST":
            return await sessions.sign_in(request)
        if token:
            return sessions.redeem(request, token)
    except SignInRefused as refusal:
        headers = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
        return respond(Login(bare_shell("Sign in"), problem=str(refusal)), refusal.status, headers)
    then = request.query_params.get("next", urls.OVERVIEW)
    return respond(Login(bare_shell("Sign in"), then=then if urls.is_local(then) else urls.OVERVIEW))


async def logout(request: Request) -> Response:
    sessions: Sessions = request.app.state.callgate.sessions
    return sessions.sign_out(request)


async def preferences(request: Request) -> Response:
    """Remembers the zone that times are shown in."""
    then = request.query_params.get("next", urls.OVERVIEW)
    response = RedirectResponse(then if urls.is_local(then) else urls.OVERVIEW, 303)
    zone = zone_of(request.query_params.get("zone"))
    response.set_cookie(ZONE_COOKIE, zone.key, max_age=365 * 86400, httponly=True, samesite="lax")
    return response
