"""What everybody manages of their own account: their password, their API tokens, where they are signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.directory import User
from gateway.control.keys import moment_us
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, Secret, desk, done, form_of
from gateway.dashboard.settings.people import SessionRow, TokenRow, UserRow, session_rows, token_rows, user_row
from gateway.dashboard.urls import LOGIN
from gateway.dashboard.view import Shell
from gateway.errors import ControlError


@dataclass(frozen=True)
class AccountPage:
    template: ClassVar[str] = "settings_account.html"
    shell: Shell
    frame: Frame
    row: UserRow
    tokens: list[TokenRow]
    sessions: list[SessionRow]
    has_password: bool


async def account_page(request: Request) -> Response:
    return await _account(await desk(request, "Account", urls.ACCOUNT))


async def account_action(request: Request) -> Response:
    here, form = await desk(request, "Account", urls.ACCOUNT), await form_of(request)
    user, people, actor = _oneself(here), here.identity.people, here.principal.actor
    try:
        match request.path_params["action"]:
            case "password":
                await _change_password(here, user, form)
                return done(LOGIN)
            case "everywhere":
                await people.end_sessions(user.user_id, actor=actor)
                return done(LOGIN)
            case "sign-out":
                await here.state.sessions.book.end(user, form.get("session_id", ""), actor=actor)
                return done(urls.ACCOUNT)
            case "token":
                until = moment_us(form["expires"]) if form.get("expires") else None
                token, _ = await people.create_token(user, form.get("name", ""), expires_at=until, actor=actor)
                return await _account(here, secret=Secret("Your API token", token, "Shown this once."))
            case "revoke":
                await people.revoke_token(user, form.get("key_id", ""), actor=actor)
                return done(urls.ACCOUNT)
    except ValueError:
        return await _account(here, problem=f"{form['expires']!r} is no date. Write it as 2027-01-31.")
    except ControlError as problem:
        return await _account(here, problem=str(problem))
    raise HTTPException(404)


async def _change_password(here: Desk, user: User, form: dict[str, str]) -> None:
    people = here.identity.people
    if user.password is not None and not await people.passwords.verify(user.password, form.get("now", "")):
        raise ControlError("The password that you have now is another.")
    if form.get("password", "") != form.get("again", ""):
        raise ControlError("The two passwords are not the same.")
    await people.set_password(user.user_id, form.get("password", ""), actor=here.principal.actor)


async def _account(here: Desk, *, problem: str = "", secret: Secret | None = None) -> Response:
    user = _oneself(here)
    tokens = await token_rows(here, user)
    sessions = await session_rows(here, user, urls.account("sign-out"))
    frame = here.frame(problem, secret)
    page = AccountPage(here.shell, frame, user_row(here, user), tokens, sessions, user.password is not None)
    return respond(page, 400 if problem else 200)


def _oneself(here: Desk) -> User:
    return here.identity.people.get(here.principal.user_id or "")
