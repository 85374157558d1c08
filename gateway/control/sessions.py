"""Who reads: a key in a header, or the session of a browser.

A session is a signed cookie that names who signed in, looked up again on every request: a revoked key, a disabled
person, a changed password end it. Signing out ends it here too, in every worker within a second: its id goes among
the ended ones until its cookie would have run out.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from gateway.control.audit import entry
from gateway.control.directory import EndedSession, User
from gateway.control.fleet import Fleet
from gateway.control.keys import Keyring, now_us, usable
from gateway.control.one_time import OneTimeTokens
from gateway.control.people import People
from gateway.control.principal import (
    OPERATOR,
    Principal,
    SignInRefused,
    address_of,
    is_https,
    local_path,
    port_suffix,
    presented_key,
    same_origin,
    small_form,
)
from gateway.control.secret import derive
from gateway.control.signed_in import SignedIn, SignedInBook, browser_of
from gateway.control.throttle import FAILED, Failure, Throttle
from gateway.core.ids import uuid7
from gateway.core.key import Key, within
from gateway.errors import StoreError
from gateway.settings.identity import SignIn

READERS = ("viewer", "admin")
"""Roles of keys that can sign in."""
SETUP = "/setup"

log = logging.getLogger(__name__)


class Session(msgspec.Struct, frozen=True, array_like=True):
    """What the cookie says."""

    subject: str
    """`user:ID`, `key:ID` or `operator`"""
    session_id: str
    began_at: int


class Sessions:
    """Signs people in and says who is asking. `folder` is the data folder, shared by all workers of a machine."""

    def __init__(
        self,
        keyring: Keyring,
        people: People,
        secret: bytes,
        folder: Path,
        *,
        settings: SignIn | None = None,
        throttle: Throttle | None = None,
        proxies: Sequence[str] = (),
    ) -> None:
        """`proxies` are our own, whose `x-forwarded-for` is believed."""
        self.settings = settings or SignIn()
        self.proxies = tuple(proxies)
        self._keyring = keyring
        self._people = people
        self._directory = people.directory
        self.book = SignedInBook(people.directory)
        """Where people are signed in."""
        self._signer = URLSafeTimedSerializer(
            derive(secret, "session"), salt="session", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._one_time = OneTimeTokens(folder, keyring.digest)
        self._throttle = throttle or Throttle()
        self._accounts = Throttle(tries=20, window_s=600)

    @property
    def max_age_s(self) -> int:
        return round(self.settings.session_days * 86_400)

    # -------------------------------------------------------------------------------------------- who asks

    def principal(self, request: HTTPConnection) -> Principal | None:
        """By the key in the headers if there is one, else by the session; None if neither is valid."""
        presented = presented_key(request)
        if presented is None:
            session = self.session(request)
            return None if session is None else self._of_session(session)
        key = self._keyring.authenticate(presented)
        if key is None or (key.networks and not within(key.networks, address_of(request, self.proxies))):
            return None
        return self._of_key(key, "key")

    def presented(self, request: HTTPConnection) -> Key | None:
        """The key in the headers, revoked or expired as it may be, to say why it is refused."""
        presented = presented_key(request)
        return None if presented is None else self._keyring.lookup(presented)

    def session(self, request: HTTPConnection) -> Session | None:
        """The session of the cookie, if it has not ended; whose it is may still be gone."""
        cookie = request.cookies.get(cookie_name(request))
        if not cookie:
            return None
        try:
            said: Any = self._signer.loads(cookie, max_age=self.max_age_s)
            session = msgspec.convert(said, Session)
        except (BadSignature, msgspec.ValidationError):
            return None
        return None if session.session_id in self._directory.ended else session

    def _of_session(self, session: Session) -> Principal | None:
        kind, _, name = session.subject.partition(":")
        if session.subject == OPERATOR:
            return Principal(None, OPERATOR, "admin", via="session")
        if kind == "user":
            user = self._directory.users.get(name)
            if user is None or user.disabled_at is not None or session.began_at < user.sessions_from:
                return None
            return Principal(None, user.email, user.role, user.tenant, via="session", user_id=user.user_id)
        key = self._keyring.by_id(name) if kind == "key" else None
        if key is None or key.role not in READERS or key.tenant in self._keyring.suspended:
            return None
        return self._of_key(key, "session")

    def _of_key(self, key: Key, via: str) -> Principal | None:
        if key.owner is None:
            return Principal(key.key_id, key.name, key.role, key.tenant, key.environment, via)
        user = self._directory.users.get(key.owner)
        if user is None or user.disabled_at is not None:
            return None
        return Principal(key.key_id, user.email, user.role, user.tenant, key.environment, via, user.user_id)

    # -------------------------------------------------------------------------------------------- signing in

    async def sign_in(self, request: Request) -> Response:
        """The answer to the form of `/login` (`email` and `password`, or `key`; `next`): signed in and sent on.

        Raises SignInRefused.
        """
        if not same_origin(request):
            raise SignInRefused(403, "This form was sent from another site. Open the sign-in page here and try again.")
        form = await small_form(request)
        self._check_throttle(self._throttle, address_of(request, self.proxies))
        then = form.get("next", "")
        if form.get("key", "").strip() or "email" not in form:
            key = self._key_of(form.get("key", "").strip(), request)
            return await self._begin(request, f"key:{key.key_id}", f"key:{key.name}", then)
        user = await self._user_of(form["email"], form.get("password", ""), request)
        return await self.sign_in_user(request, user, then)

    async def sign_in_user(self, request: Request, user: User, then: str) -> Response:
        """For who proved who they are: by password, at their provider, by setting one up."""
        return await self._begin(request, f"user:{user.user_id}", f"user:{user.user_id}", then)

    async def redeem(self, request: Request, token: str) -> Response:
        """The answer to `/login?token=…`. Raises SignInRefused."""
        self._check_throttle(self._throttle, address_of(request, self.proxies))
        if not self._one_time.take(token):
            self._throttle.failed(address_of(request, self.proxies), time.monotonic())
            raise SignInRefused(
                401, "This sign-in link was used already or is too old. Sign in with a key, or restart the gateway."
            )
        then = request.query_params.get("next") or (SETUP if self.is_new else "/")
        return await self._begin(request, OPERATOR, OPERATOR, then)

    @property
    def is_new(self) -> bool:
        """Nobody has been made yet who could sign in as themselves."""
        return not self._directory.users

    def one_time_token(self) -> str:
        """A new token for `/login?token=…`."""
        return self._one_time.make()

    async def sign_out(self, request: HTTPConnection, then: str = "/login") -> Response:
        session = self.session(request)
        if session is not None:
            await self._end(session)
        response = RedirectResponse(then, 303)
        response.delete_cookie(
            cookie_name(request), httponly=True, samesite="lax", secure=is_https(request, self.proxies)
        )
        return response

    async def _end(self, session: Session) -> None:
        """Here at once, and elsewhere with the next look at the store. Those that ran out anyway are forgotten."""
        store, at = self._directory.store, now_us()
        ended = EndedSession(session.began_at + self.max_age_s * 1_000_000)
        self._directory.ended[session.session_id] = ended
        principal = self._of_session(session)
        audit = entry(principal.actor, "signed_out", "session", session.session_id) if principal else None
        await store.put_document("ended_session", session.session_id, msgspec.json.encode(ended), audit=audit)
        kind, _, name = session.subject.partition(":")
        if kind == "user":
            await self.book.forget(name, session.session_id)
        for session_id, old in list(self._directory.ended.items()):
            if old.until < at:
                await store.delete_document("ended_session", session_id)

    async def _begin(self, request: Request, subject: str, actor: str, then: str) -> Response:
        session = Session(subject, uuid7(), now_us())
        await self._record("signed_in", actor, session.session_id)
        if subject.startswith("user:"):
            await self._note(request, subject.removeprefix("user:"), session)
        response = RedirectResponse(local_path(then), 303)
        response.set_cookie(
            cookie_name(request),
            str(self._signer.dumps(msgspec.to_builtins(session))),
            max_age=self.max_age_s,
            httponly=True,
            samesite="lax",
            secure=is_https(request, self.proxies),
        )
        return response

    async def _note(self, request: Request, user_id: str, session: Session) -> None:
        until = session.began_at + self.max_age_s * 1_000_000
        browser = browser_of(request.headers.get("user-agent", ""))
        address = address_of(request, self.proxies)
        await self.book.note(user_id, SignedIn(session.session_id, session.began_at, until, address, browser))

    def _key_of(self, token: str, request: Request) -> Key:
        key = self._keyring.lookup(token)
        if key is None or not usable(key, now_us()):
            self._throttle.failed(address_of(request, self.proxies), time.monotonic())
            state = "is not known here" if key is None else "is no longer valid"
            raise SignInRefused(401, f"This key {state}. `callgate keys create --role viewer NAME` makes one.")
        if key.networks and not within(key.networks, address_of(request, self.proxies)):
            raise SignInRefused(403, f"The key {key.name!r} may not be used from this address.")
        if key.tenant in self._keyring.suspended:
            raise SignInRefused(403, f"The tenant {key.tenant} is suspended.")
        if key.owner is not None:
            raise SignInRefused(403, "This is an API token. Sign in with your password.")
        if key.role not in READERS:
            raise SignInRefused(
                403, f"The key {key.name!r} is for calling models (role app). Signing in needs a viewer or admin key."
            )
        return key

    async def _user_of(self, email: str, password: str, request: Request) -> User:
        email = email.strip().lower()
        if not self.settings.passwords:
            raise SignInRefused(403, "Passwords are turned off here (sign_in.passwords).")
        self._check_throttle(self._accounts, email)
        user = self._directory.user_by_email(email)
        good = await self._people.passwords.verify(user.password if user else None, password)
        if user is None or not good or user.disabled_at is not None:
            self._throttle.failed(address_of(request, self.proxies), time.monotonic())
            self._accounts.failed(email, time.monotonic())
            if user is not None:
                await self._record("sign_in_refused", f"user:{user.user_id}", user.user_id)
            raise SignInRefused(401, "This address and password do not go together, or may not sign in.")
        return user

    async def _record(self, action: str, actor: str, session_id: str) -> None:
        """A store that is down keeps nobody out: the dashboard is where one sees that it is."""
        try:
            await self._directory.store.record(entry(actor, action, "session", session_id))
        except StoreError as exc:
            log.warning("%s of %s is not in the audit log: %s", action, actor, exc)

    def share_failures(self, fleet: Fleet) -> None:
        """Failed tries count in all workers."""
        throttles = {"address": self._throttle, "account": self._accounts}

        def hear(failure: Failure) -> bool:
            throttles[failure.throttle].heard(failure.name, time.monotonic())
            return True

        fleet.answer(FAILED, hear)
        for label, throttle in throttles.items():
            throttle.tell = functools.partial(_tell, fleet, label)

    def _check_throttle(self, throttle: Throttle, name: str) -> None:
        wait_s = throttle.wait_s(name, time.monotonic())
        if wait_s > 0:
            seconds = int(wait_s) + 1
            raise SignInRefused(429, f"Too many failed tries. Try again in {seconds} s.", seconds)


def _tell(fleet: Fleet, throttle: str, name: str) -> None:
    fleet.tell(FAILED, Failure(throttle, name))


def principal(request: HTTPConnection) -> Principal | None:
    """Who asks, by header or session."""
    sessions: Sessions = request.app.state.callgate.sessions
    return sessions.principal(request)


def cookie_name(request: HTTPConnection) -> str:
    return f"callgate_session{port_suffix(request)}"
