"""What the pages about people share: a person as a row, and where they are signed in."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.control.directory import User
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk


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
class SessionRow:
    session_id: str
    browser: str
    """Empty where it says nothing of itself."""
    address: str
    since: str
    is_current: bool
    end: str
    """Where the form goes that signs it out."""


@dataclass(frozen=True)
class TokenRow:
    key_id: str
    name: str
    hint: str
    last_used: str
    expires: str


async def token_rows(here: Desk, user: User) -> list[TokenRow]:
    used = await here.identity.last_used.all()
    return [
        TokenRow(
            key.key_id,
            key.name.partition(": ")[2],
            key.hint,
            here.when(used.get(key.key_id)),
            here.day(key.expires_at),
        )
        for key in here.identity.people.tokens(user)
    ]


def user_row(here: Desk, user: User) -> UserRow:
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


async def session_rows(here: Desk, user: User, end: str) -> list[SessionRow]:
    current = here.state.sessions.session(here.view.request)
    return [
        SessionRow(
            each.session_id,
            each.browser,
            each.address,
            here.when(each.began_at),
            current is not None and current.session_id == each.session_id,
            end,
        )
        for each in await here.state.sessions.book.of(user)
    ]
