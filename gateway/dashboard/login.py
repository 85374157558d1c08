"""Signing in and out, the first account, and what a browser may choose for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.api.access import reader
from gateway.control.principal import SignInRefused, small_form
from gateway.control.state import AppState
from gateway.dashboard import urls
from gateway.dashboard.period import zone_of
from gateway.dashboard.render import respond
from gateway.dashboard.view import ZONE_COOKIE, Shell, bare_shell
from gateway.errors import ControlError


@dataclass(frozen=True)
class Login:
    template: ClassVar[str] = "login.html"
    shell: Shell
    with_password: bool
    """Whether anybody could sign in with one; else only the key is asked for."""
    single_sign_on: str
    """What its button says; empty without one."""
    then: str = urls.OVERVIEW
    email: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Setup:
    template: ClassVar[str] = "setup.html"
    shell: Shell
    email: str = ""
    name: str = ""
    problem: str = ""


def state_of(request: Request) -> AppState:
    state: AppState = request.app.state.callgate
    return state


def login_page(request: Request, *, then: str = urls.OVERVIEW, refusal: SignInRefused | None = None) -> Response:
    state = state_of(request)
    settings = state.settings.sign_in
    page = Login(
        bare_shell("Sign in"),
        with_password=settings.passwords and bool(state.identity.directory.users),
        single_sign_on=settings.oidc.label if settings.oidc else "",
        then=then if urls.is_local(then) else urls.OVERVIEW,
        problem=str(refusal or ""),
    )
    if refusal is None:
        return respond(page)
    headers = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
    return respond(page, refusal.status, headers)


async def login(request: Request) -> Response:
    """The form, its answer, and the link that is printed at start (`?token=…`)."""
    sessions = state_of(request).sessions
    token = request.query_params.get("token")
    try:
        if request.method == "POST":
            return await sessions.sign_in(request)
        if token:
            return await sessions.redeem(request, token)
    except SignInRefused as refusal:
        return login_page(request, refusal=refusal)
    return login_page(request, then=request.query_params.get("next", urls.OVERVIEW))


async def single_sign_on(request: Request) -> Response:
    """`start` leaves for the provider, `back` comes from it."""
    flow = state_of(request).identity.single_sign_on
    steps = {"start": flow.begin, "back": flow.finish}
    step = steps.get(request.path_params["step"])
    if step is None:
        raise HTTPException(404)
    try:
        return await step(request)
    except SignInRefused as refusal:
        return login_page(request, refusal=refusal)


async def setup(request: Request) -> Response:
    """Who started the gateway makes themselves an account, so that the next sign-in needs no terminal."""
    state = state_of(request)
    if not state.sessions.is_new:
        return RedirectResponse(urls.OVERVIEW, 303)
    if request.method != "POST":
        return respond(Setup(bare_shell("Set up")))
    form = await small_form(request)
    email, name, password = form.get("email", ""), form.get("name", ""), form.get("password", "")
    try:
        if password != form.get("again", ""):
            raise ControlError("The two passwords are not the same.")
        user = await state.identity.people.create(
            email, role="admin", name=name, password=password, actor=reader(request).actor
        )
    except ControlError as problem:
        return respond(Setup(bare_shell("Set up"), email, name, str(problem)), 400)
    return await state.sessions.sign_in_user(request, user, urls.OVERVIEW)


async def logout(request: Request) -> Response:
    return await state_of(request).sessions.sign_out(request)


async def preferences(request: Request) -> Response:
    """Remembers the zone that times are shown in."""
    then = request.query_params.get("next", urls.OVERVIEW)
    response = RedirectResponse(then if urls.is_local(then) else urls.OVERVIEW, 303)
    zone = zone_of(request.query_params.get("zone"))
    response.set_cookie(ZONE_COOKIE, zone.key, max_age=365 * 86400, httponly=True, samesite="lax")
    return response
