"""People: added, given a role and a tenant, disabled, deleted; and what everybody manages of their own account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.directory import User
from gateway.control.keys import moment_us
from gateway.control.people import PERSON_ROLES
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, Secret, desk, done, form_of
from gateway.dashboard.urls import LOGIN
from gateway.dashboard.view import Shell
from gateway.errors import ControlError, Missing


@dataclass(frozen=True)
class UserRow:
    email: str
    name: str
    href: str
    role: str
    tenant: str
    """Empty for who sees all."""
    signs_in: str
    """By password, single sign-on, both, or not yet."""
    is_disabled: bool
    tokens: int
    source: str


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
    why_not: str
    """Why it cannot be changed here; empty if it can."""
    roles: tuple[str, ...] = PERSON_ROLES
    back: str = urls.USERS


@dataclass(frozen=True)
class TokenRow:
    key_id: str
    name: str
    hint: str
    last_used: str
    expires: str


@dataclass(frozen=True)
class AccountPage:
    template: ClassVar[str] = "settings_account.html"
    shell: Shell
    frame: Frame
    row: UserRow
    tokens: list[TokenRow]
    has_password: bool


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
    return _one(here, _seen(here, request.path_params["user_id"]))


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
        elif action == "delete":
            await people.delete(user.user_id, actor=actor)
            return done(urls.USERS)
        else:
            raise HTTPException(404)
    except ControlError as problem:
        return _one(here, user, problem=str(problem))
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
        [_row(here, user) for user in sorted(directory.users.values(), key=lambda user: user.email)],
        sorted(directory.tenants),
        oidc.label if oidc else "",
    )
    return respond(page, 400 if problem else 200)


def _one(here: Desk, user: User, *, problem: str = "") -> Response:
    declared = "This person is declared in the configuration: change them there; a running gateway reloads it."
    page = UserPage(
        here.shell,
        here.frame(problem),
        _row(here, user),
        sorted(here.identity.directory.tenants),
        declared if user.declared else "",
    )
    return respond(page, 400 if problem else 200)


def _row(here: Desk, user: User) -> UserRow:
    ways = [way for way, has in (("password", user.password), ("single sign-on", user.subject)) if has]
    return UserRow(
        user.email,
        user.name,
        urls.user(user.user_id),
        user.role,
        user.tenant or "",
        " and ".join(ways) or "not yet",
        user.disabled_at is not None,
        len(here.identity.people.tokens(user)),
        "configuration" if user.declared else here.day(user.created_at),
    )


# ------------------------------------------------------------------------------------------------ oneself


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
            case "token":
                until = moment_us(form["expires"]) if form.get("expires") else None
                token, _ = await people.create_token(user, form.get("name", ""), expires_at=until, actor=actor)
                return await _account(here, secret=Secret("Your API token", token, "Shown this once."))
            case "revoke":
                if not any(each.key_id == form.get("key_id") for each in people.tokens(user)):
                    raise Missing("This token has ended already.")
                await here.identity.keyring.revoke(form["key_id"], actor=actor)
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
    user, used = _oneself(here), await here.identity.last_used.all()
    tokens = [
        TokenRow(
            key.key_id,
            key.name.partition(": ")[2],
            key.hint,
            here.when(used.get(key.key_id)),
            here.day(key.expires_at),
        )
        for key in here.identity.people.tokens(user)
    ]
    page = AccountPage(here.shell, here.frame(problem, secret), _row(here, user), tokens, user.password is not None)
    return respond(page, 400 if problem else 200)


def _oneself(here: Desk) -> User:
    return here.identity.people.get(here.principal.user_id or "")
