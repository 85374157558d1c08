"""`/api/users/{user_id}/sessions` for admins, `/api/me/sessions` for everybody: where people are signed in, and out."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.identity_record import moment, user_record
from gateway.api.keys import answer
from gateway.api.scope import state_of
from gateway.api.users import oneself
from gateway.control.directory import User
from gateway.control.signed_in import SignedIn


class SessionRecord(msgspec.Struct):
    session_id: str
    began_at: str | None
    until: str | None
    address: str
    """Where they signed in from."""
    browser: str
    """As it says of itself, in words."""
    current: bool
    """Whether it is the one that asks."""


async def list_of_user(request: Request) -> Response:
    return await _list(request, _named(request))


async def end_of_user(request: Request) -> Response:
    return await _end(request, _named(request))


async def end_all_of_user(request: Request) -> Response:
    return await _end_all(request, _named(request))


async def list_own(request: Request) -> Response:
    return await _list(request, oneself(request))


async def end_own(request: Request) -> Response:
    return await _end(request, oneself(request))


async def end_all_own(request: Request) -> Response:
    return await _end_all(request, oneself(request))


async def _list(request: Request, user: User) -> Response:
    found = await state_of(request).sessions.book.of(user)
    return answer({"items": [_record(request, each) for each in found], "next_cursor": None})


async def _end(request: Request, user: User) -> Response:
    book, session_id = state_of(request).sessions.book, request.path_params["session_id"]
    return answer(_record(request, await book.end(user, session_id, actor=reader(request).actor)))


async def _end_all(request: Request, user: User) -> Response:
    people = state_of(request).identity.people
    return answer(user_record(await people.end_sessions(user.user_id, actor=reader(request).actor)))


def _named(request: Request) -> User:
    return state_of(request).identity.people.get(request.path_params["user_id"])


def _record(request: Request, each: SignedIn) -> SessionRecord:
    session = state_of(request).sessions.session(request)
    return SessionRecord(
        session_id=each.session_id,
        began_at=moment(each.began_at),
        until=moment(each.until),
        address=each.address,
        browser=each.browser,
        current=session is not None and session.session_id == each.session_id,
    )
