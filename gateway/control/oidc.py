"""Single sign-on with OpenID Connect: the code flow with PKCE, `state` and `nonce`.

What was begun is in a short-lived signed cookie, so any worker can finish it. The libraries that speak HTTP and check
signatures are in `oidc_client`, which is loaded when somebody first uses it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib
import logging
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.control.directory import User
from gateway.control.people import People
from gateway.control.principal import SignInRefused, is_https, local_path, port_suffix
from gateway.control.secret import derive
from gateway.control.sessions import Sessions
from gateway.errors import ControlError
from gateway.settings.identity import RoleRule, SingleSignOn

MAX_AGE_S = 600
BACK = "/login/back"
ACTOR = "system:single-sign-on"

log = logging.getLogger(__name__)


class Started(msgspec.Struct, frozen=True, array_like=True):
    """What the cookie remembers between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str
    then: str


class Identified(msgspec.Struct, frozen=True):
    """Who the provider says it is."""

    subject: str
    """`issuer|sub`"""
    email: str | None
    """In lower case; None unless the provider says that it is theirs."""
    name: str
    claims: Mapping[str, Any]


class Provider(Protocol):
    """Of `oidc_client`, or of a test. What goes wrong is a ControlError whose message is for the person."""

    async def sign_in_url(self, parameters: Mapping[str, str]) -> str: ...

    async def claims(self, *, code: str, verifier: str, nonce: str, redirect_uri: str) -> Mapping[str, Any]:
        """Of a checked ID token, with what the userinfo endpoint adds."""
        ...


class SingleSignOnFlow:
    def __init__(self, sessions: Sessions, people: People, secret: bytes) -> None:
        self._sessions = sessions
        self._people = people
        self._signer = URLSafeTimedSerializer(
            derive(secret, "single-sign-on"), salt="sso", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._provider: tuple[SingleSignOn, Provider] | None = None

    async def begin(self, request: Request) -> Response:
        """On the way to the provider. Raises SignInRefused where there is none, or it does not answer."""
        settings = self._settings()
        then = local_path(request.query_params.get("next", ""))
        started = Started(_random(), _random(), _random(), then)
        parameters = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": self._redirect_uri(request),
            "scope": " ".join(settings.scopes),
            "state": started.state,
            "nonce": started.nonce,
            "code_challenge": challenge(started.verifier),
            "code_challenge_method": "S256",
        }
        try:
            url = await (await self._client(settings)).sign_in_url(parameters)
        except ControlError as exc:
            raise SignInRefused(502, str(exc)) from exc
        response = RedirectResponse(url, 303)
        response.set_cookie(
            _cookie(request),
            str(self._signer.dumps(msgspec.to_builtins(started))),
            max_age=MAX_AGE_S,
            path="/login",
            httponly=True,
            samesite="lax",
            secure=is_https(request, self._sessions.proxies),
        )
        return response

    async def finish(self, request: Request) -> Response:
        """Back from the provider, signed in. Raises SignInRefused."""
        settings, given = self._settings(), request.query_params
        started = self._started(request)
        if started is None or not secrets.compare_digest(given.get("state", ""), started.state):
            raise SignInRefused(400, "This sign-in was begun too long ago, or in another browser. Try again.")
        if "error" in given or "code" not in given:
            said = given.get("error_description") or given.get("error") or "nothing"
            raise SignInRefused(401, f"{settings.label} refused: {said[:200]}")
        try:
            claims = await (await self._client(settings)).claims(
                code=given["code"],
                verifier=started.verifier,
                nonce=started.nonce,
                redirect_uri=self._redirect_uri(request),
            )
            user = await self._admitted(identified(claims), settings.rules)
        except ControlError as exc:
            raise SignInRefused(403, str(exc)) from exc
        response = await self._sessions.sign_in_user(request, user, started.then)
        response.delete_cookie(_cookie(request), path="/login")
        return response

    async def _admitted(self, who: Identified, rules: Iterable[RoleRule]) -> User:
        """The person it is, as the rules have them now. Raises ControlError for who may not come in."""
        directory = self._people.directory
        user = directory.user_by_subject(who.subject)
        if user is None and who.email is not None:
            known = directory.user_by_email(who.email)
            if known is not None and known.subject is not None:
                raise ControlError(f"{who.email} is somebody else at this provider. An admin can make that right.")
            user = None if known is None else await self._people.link(known, who.subject, actor=ACTOR)
        rule = fitting(rules, who)
        if user is None:
            if rule is None or who.email is None:
                raise ControlError("You may not come in here yet. Ask an admin to add your address.")
            return await self._people.create(
                who.email,
                role=rule.role,
                name=who.name,
                tenant=rule.tenant,
                subject=who.subject,
                by_rule=True,
                actor=ACTOR,
            )
        if user.disabled_at is not None:
            raise ControlError("Your account is disabled. Ask an admin.")
        return await self._as_ruled(user, rule)

    async def _as_ruled(self, user: User, rule: RoleRule | None) -> User:
        """Who came in by a rule is what the rules say today, or out; who an admin added is what the admin said."""
        if not user.by_rule:
            return user
        if rule is None:
            raise ControlError("No rule lets you in any more. Ask an admin.")
        if (user.role, user.tenant) == (rule.role, rule.tenant):
            return user
        return await self._people.change(user.user_id, role=rule.role, tenant=rule.tenant, actor=ACTOR)

    def _settings(self) -> SingleSignOn:
        found = self._sessions.settings.oidc
        if found is None:
            raise SignInRefused(404, "There is no single sign-on here (sign_in.oidc).")
        return found

    def _started(self, request: Request) -> Started | None:
        try:
            said = self._signer.loads(request.cookies.get(_cookie(request), ""), max_age=MAX_AGE_S)
            return msgspec.convert(said, Started)
        except (BadSignature, msgspec.ValidationError):
            return None

    def _redirect_uri(self, request: Request) -> str:
        """On the host that the browser asked; what it speaks there our own proxy says, where TLS ends at one."""
        scheme = "https" if is_https(request, self._sessions.proxies) else "http"
        base = self._sessions.settings.public_url or str(request.base_url.replace(scheme=scheme))
        return base.rstrip("/") + BACK

    async def _client(self, settings: SingleSignOn) -> Provider:
        """Made once for the settings there are; its libraries take a moment and some memory, so in a thread."""
        if self._provider is None or self._provider[0] != settings:
            module = await asyncio.to_thread(importlib.import_module, "gateway.control.oidc_client")
            self._provider = settings, cast(Provider, module.Client(settings))
        return self._provider[1]


def identified(claims: Mapping[str, Any]) -> Identified:
    email = claims.get("email")
    verified = claims.get("email_verified") in (True, "true")
    known = email.strip().lower() if isinstance(email, str) and verified else None
    name = claims.get("name") or claims.get("preferred_username") or ""
    return Identified(f"{claims['iss']}|{claims['sub']}", known, str(name)[:100], claims)


def fitting(rules: Iterable[RoleRule], who: Identified) -> RoleRule | None:
    """The first rule all of which holds."""
    return next((rule for rule in rules if _fits(rule, who)), None)


def _fits(rule: RoleRule, who: Identified) -> bool:
    if rule.domain is not None and (who.email is None or who.email.rpartition("@")[2] != rule.domain.lower()):
        return False
    if rule.claim is not None:
        said = who.claims.get(rule.claim)
        values = said if isinstance(said, list) else [said]
        return any(str(value) == rule.value for value in values if value is not None)
    return rule.domain is not None


def _random() -> str:
    return secrets.token_urlsafe(32)


def challenge(verifier: str) -> str:
    """RFC 7636, S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _cookie(request: Request) -> str:
    return f"callgate_sso{port_suffix(request)}"
