"""`/api/users` for admins; `/api/me` for everybody about themselves."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.identity_record import key_record, user_record
from gateway.api.keys import answer, expiry, shown
from gateway.api.reading import Body, read_json
from gateway.api.scope import state_of
from gateway.control.directory import User
from gateway.control.people import UNSET


class NewUser(Body):
    email: str
    role: str = "viewer"
    name: str = ""
    tenant: str | None = None
    password: str | None = None
    """Without one they can only come in by single sign-on, until they are given one."""


class UserChange(Body):
    role: str | None = None
    name: str | None = None
    tenant: str | msgspec.UnsetType | None = msgspec.UNSET
    disabled: bool | None = None


class NewPassword(Body):
    password: str


class NewToken(Body):
    name: str
    expires_at: str | None = None


async def list_users(request: Request) -> Response:
    users = state_of(request).identity.directory.users.values()
    seen = [user_record(user) for user in sorted(users, key=lambda user: user.email)]
    return answer({"items": seen, "next_cursor": None})


async def one_user(request: Request) -> Response:
    return answer(user_record(_named(request)))


async def create_user(request: Request) -> Response:
    new = await read_json(request, NewUser)
    user = await state_of(request).identity.people.create(
        new.email,
        role=new.role,
        name=new.name,
        tenant=new.tenant,
        password=new.password,
        actor=reader(request).actor,
    )
    return answer(user_record(user), 201)


async def change_user(request: Request) -> Response:
    change = await read_json(request, UserChange)
    user = await state_of(request).identity.people.change(
        request.path_params["user_id"],
        name=change.name,
        role=change.role,
        tenant=UNSET if isinstance(change.tenant, msgspec.UnsetType) else change.tenant,
        disabled=change.disabled,
        actor=reader(request).actor,
    )
    return answer(user_record(user))


async def set_password(request: Request) -> Response:
    new = await read_json(request, NewPassword)
    people = state_of(request).identity.people
    user = await people.set_password(request.path_params["user_id"], new.password, actor=reader(request).actor)
    return answer(user_record(user))


async def delete_user(request: Request) -> Response:
    people = state_of(request).identity.people
    return answer(user_record(await people.delete(request.path_params["user_id"], actor=reader(request).actor)))


async def list_tokens_of_user(request: Request) -> Response:
    return await _tokens(request, _named(request))


async def revoke_token_of_user(request: Request) -> Response:
    return await _revoke(request, _named(request))


def _named(request: Request) -> User:
    return state_of(request).identity.people.get(request.path_params["user_id"])


# ------------------------------------------------------------------------------------------------ oneself


async def me(request: Request) -> Response:
    principal = reader(request)
    return answer(
        {
            "name": principal.name,
            "role": principal.role,
            "tenant": principal.tenant,
            "environment": principal.environment,
            "via": principal.via,
            "key_id": principal.key_id,
            "user_id": principal.user_id,
        }
    )


async def list_tokens(request: Request) -> Response:
    return await _tokens(request, oneself(request))


async def create_token(request: Request) -> Response:
    new, user = await read_json(request, NewToken), oneself(request)
    until = None if new.expires_at is None else expiry(new.expires_at)
    people = state_of(request).identity.people
    token, key = await people.create_token(user, new.name, expires_at=until, actor=reader(request).actor)
    return shown(token, key)


async def revoke_token(request: Request) -> Response:
    return await _revoke(request, oneself(request))


async def _tokens(request: Request, user: User) -> Response:
    identity, used = state_of(request).identity, await state_of(request).identity.last_used.all()
    return answer({"items": [key_record(each, used) for each in identity.people.tokens(user)], "next_cursor": None})


async def _revoke(request: Request, user: User) -> Response:
    people, key_id = state_of(request).identity.people, request.path_params["key_id"]
    return answer(key_record(await people.revoke_token(user, key_id, actor=reader(request).actor), {}))


def oneself(request: Request) -> User:
    return state_of(request).identity.people.get(reader(request).user_id or "")
