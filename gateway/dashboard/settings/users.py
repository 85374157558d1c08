"""People: added, given a role and a tenant, signed out, disabled, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.directory import User
from gateway.control.people import PERSON_ROLES
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, desk, done, form_of
from gateway.dashboard.settings.people import SessionRow, TokenRow, UserRow, session_rows, token_rows, user_row
from gateway.dashboard.view import Shell
from gateway.errors import ControlError, Missing


@dataclass(frozen=True)
class UsersPage:
    template: ClassVar[str] = "settings_users.html"
    shell: Shell
    frame: Frame
    rows: list[UserRow]
    tenants: list[str]
    single_sign_on: str
    """What it is called; empty without one."""
    roles: tuple[str, ...] = PERSON_ROLES


@dataclass(frozen=True)
class UserPage:
    template: ClassVar[str] = "settings_user.html"
    shell: Shell
    frame: Frame
    row: UserRow
    tenants: list[str]
    tokens: list[TokenRow]
    revoke: str
    """Where the form goes that ends one of them."""
    sessions: list[SessionRow]
    everywhere: str
    """Where the form goes that signs them out everywhere."""
    why_not: str
    """Why it cannot be changed here; empty if it can."""
    roles: tuple[str, ...] = PERSON_ROLES
    back: str = urls.USERS


async def users_page(request: Request) -> Response:
    here = await desk(request, "Users", urls.USERS)
    if request.method != "POST":
        return _list(here)
    try:
        form = await form_of(request)
        await here.identity.people.create(
            form.get("email", ""),
            role=form.get("role", "viewer"),
            name=form.get("name", ""),
            tenant=form.get("tenant") or None,
            password=form.get("password") or None,
            actor=here.principal.actor,
        )
    except ControlError as problem:
        return _list(here, problem=str(problem), form={**form, "password": ""})
    return done(urls.USERS)


async def user_page(request: Request) -> Response:
    here = await desk(request, "User", urls.USERS)
    return await _one(here, _seen(here, request.path_params["user_id"]))


async def user_action(request: Request) -> Response:
    here, form = await desk(request, "User", urls.USERS), await form_of(request)
    user, action = _seen(here, request.path_params["user_id"]), request.path_params["action"]
    people, actor = here.identity.people, here.principal.actor
    try:
        if action == "change":
            await people.change(
                user.user_id,
                name=form.get("name"),
                role=form.get("role"),
                tenant=form.get("tenant") or None,
                actor=actor,
            )
        elif action in ("disable", "enable"):
            await people.change(user.user_id, disabled=action == "disable", actor=actor)
        elif action == "password":
            await people.set_password(user.user_id, form.get("password", ""), actor=actor)
        elif action == "sign-out":
            await here.state.sessions.book.end(user, form.get("session_id", ""), actor=actor)
        elif action == "revoke":
            await people.revoke_token(user, form.get("key_id", ""), actor=actor)
        elif action == "everywhere":
            await people.end_sessions(user.user_id, actor=actor)
        elif action == "delete":
            await people.delete(user.user_id, actor=actor)
            return done(urls.USERS)
        else:
            raise HTTPException(404)
    except ControlError as problem:
        return await _one(here, user, problem=str(problem))
    return done(urls.user(user.user_id))


def _seen(here: Desk, user_id: str) -> User:
    try:
        return here.identity.people.get(user_id)
    except Missing as exc:
        raise HTTPException(404, str(exc)) from exc


def _list(here: Desk, *, problem: str = "", form: dict[str, str] | None = None) -> Response:
    directory, oidc = here.identity.directory, here.state.settings.sign_in.oidc
    page = UsersPage(
        here.shell,
        here.frame(problem, form=form),
        [user_row(here, user) for user in sorted(directory.users.values(), key=lambda user: user.email)],
        sorted(directory.tenants),
        oidc.label if oidc else "",
    )
    return respond(page, 400 if problem else 200)


async def _one(here: Desk, user: User, *, problem: str = "") -> Response:
    declared = "This person is declared in the configuration: change them there; a running gateway reloads it."
    page = UserPage(
        here.shell,
        here.frame(problem),
        user_row(here, user),
        sorted(here.identity.directory.tenants),
        await token_rows(here, user),
        urls.user(user.user_id, "revoke"),
        await session_rows(here, user, urls.user(user.user_id, "sign-out")),
        urls.user(user.user_id, "everywhere"),
        declared if user.declared else "",
    )
    return respond(page, 400 if problem else 200)
