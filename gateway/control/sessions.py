"""Who reads: a key in a header, or the session of a browser that signed in with one.

A session is a signed cookie that names the key it came from; the key is looked up again on every request, so that
revoking it ends its sessions. `/login?token=…`, printed at start, signs in whoever started the gateway; it works once,
for fifteen minutes, in whichever worker it reaches.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from gateway.control.keys import Keyring, now_us, usable
from gateway.control.secret import derive
from gateway.core.key import Key

READERS = ("viewer", "admin")
SESSION_MAX_AGE_S = 7 * 24 * 3600
ONE_TIME_MAX_AGE_S = 15 * 60
FORM_MAX_BYTES = 16_384
OPERATOR = "operator"
"""The name of who signed in with the token printed at start, who holds the data folder anyway."""


class Principal(msgspec.Struct, frozen=True):
    """Who asks. `tenant` and `environment` bound what is seen; `app` sees the calls of its own key only."""

    key_id: str | None
    name: str
    role: str
    tenant: str | None = None
    environment: str | None = None
    via: str = "key"
    """`key` or `session`."""


class SignInRefused(Exception):  # noqa: N818 - a refusal is an answer to show, not an error of the program
    """`str()` is for the person at the form; `status` is 400, 401, 403 or 429, the last with `retry_after_s`."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class Throttle:
    """Counts failed tries by address. Bounded: the addresses longest without a failure are forgotten."""

    def __init__(self, *, tries: int = 10, window_s: float = 60, addresses: int = 10_000) -> None:
        self._tries = tries
        self._window_s = window_s
        self._addresses = addresses
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str, now: float) -> float:
        """How long this address must wait before it may try again; 0 if it may."""
        recent = self._recent(address, now)
        return recent[0] + self._window_s - now if len(recent) >= self._tries else 0

    def failed(self, address: str, now: float) -> None:
        self._failures[address] = [*self._recent(address, now), now][-self._tries :]
        self._failures.move_to_end(address)
        while len(self._failures) > self._addresses:
            self._failures.popitem(last=False)

    def _recent(self, address: str, now: float) -> list[float]:
        return [at for at in self._failures.get(address, ()) if now - at < self._window_s]


class Sessions:
    """Signs people in and says who is asking. `folder` is the data folder, shared by all workers of a machine."""

    def __init__(self, keyring: Keyring, secret: bytes, folder: Path, *, throttle: Throttle | None = None) -> None:
        self._keyring = keyring
        self._signer = URLSafeTimedSerializer(
            derive(secret, "session"), salt="session", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._one_time = folder / "sign-in"
        self._throttle = throttle or Throttle()

    # -------------------------------------------------------------------------------------------- who asks

    def principal(self, request: HTTPConnection) -> Principal | None:
        """By the key in the headers if there is one, else by the session; None if neither is valid."""
        presented = presented_key(request)
        if presented is not None:
            key = self._keyring.authenticate(presented)
            return None if key is None else _principal(key, "key")
        return self._of_cookie(request.cookies.get(cookie_name(request)))

    def presented(self, request: HTTPConnection) -> Key | None:
        """The key in the headers, revoked or expired as it may be, to say why it is refused."""
        presented = presented_key(request)
        return None if presented is None else self._keyring.lookup(presented)

    def _of_cookie(self, cookie: str | None) -> Principal | None:
        if not cookie:
            return None
        try:
            subject: Any = self._signer.loads(cookie, max_age=SESSION_MAX_AGE_S)
        except BadSignature:
            return None
        if subject == OPERATOR:
            return Principal(None, OPERATOR, "admin", via="session")
        key = self._keyring.by_id(subject[4:]) if isinstance(subject, str) and subject.startswith("key:") else None
        return _principal(key, "session") if key is not None and key.role in READERS else None

    # -------------------------------------------------------------------------------------------- signing in

    async def sign_in(self, request: Request) -> Response:
        """The answer to the form of `/login` (`key`, `next`): signed in and sent on. Raises SignInRefused."""
        if not same_origin(request):
            raise SignInRefused(403, "This form was sent from another site. Open the sign-in page here and try again.")
        form = await _small_form(request)
        address = request.client.host if request.client else ""
        self._check_throttle(address)
        key = self._keyring.lookup(form.get("key", "").strip())
        if key is None or not usable(key, now_us()):
            self._throttle.failed(address, time.monotonic())
            state = "is not known here" if key is None else "is no longer valid"
            raise SignInRefused(401, f"This key {state}. `callgate keys create --role viewer NAME` makes one.")
        if key.role not in READERS:
            raise SignInRefused(
                403, f"The key {key.name!r} is for calling models (role app). Signing in needs a viewer or admin key."
            )
        return self._signed_in(request, f"key:{key.key_id}", form.get("next", ""))

    def redeem(self, request: Request, token: str) -> Response:
        """The answer to `/login?token=…`. Raises SignInRefused."""
        address = request.client.host if request.client else ""
        self._check_throttle(address)
        if not self._take_one_time(token):
            self._throttle.failed(address, time.monotonic())
            raise SignInRefused(
                401, "This sign-in link was used already or is too old. Sign in with a key, or restart the gateway."
            )
        return self._signed_in(request, OPERATOR, request.query_params.get("next", ""))

    def sign_out(self, request: HTTPConnection, then: str = "/login") -> Response:
        response = RedirectResponse(then, 303)
        response.delete_cookie(cookie_name(request), httponly=True, samesite="lax", secure=_is_https(request))
        return response

    def _signed_in(self, request: Request, subject: str, then: str) -> Response:
        response = RedirectResponse(local_path(then), 303)
        response.set_cookie(
            cookie_name(request),
            str(self._signer.dumps(subject)),
            max_age=SESSION_MAX_AGE_S,
            httponly=True,
            samesite="lax",
            secure=_is_https(request),
        )
        return response

    def _check_throttle(self, address: str) -> None:
        wait_s = self._throttle.wait_s(address, time.monotonic())
        if wait_s > 0:
            seconds = int(wait_s) + 1
            raise SignInRefused(429, f"Too many failed tries. Try again in {seconds} s.", seconds)

    # -------------------------------------------------------------------------------------------- one-time tokens

    def one_time_token(self) -> str:
        """A new token for `/login?token=…`. Kept as a file named by its hash, which the first to use it deletes."""
        self._one_time.mkdir(mode=0o700, parents=True, exist_ok=True)
        at = now_us()
        for old in self._one_time.iterdir():
            if old.stat().st_mtime_ns // 1000 + ONE_TIME_MAX_AGE_S * 1_000_000 < at:
                old.unlink(missing_ok=True)
        token = secrets.token_urlsafe(32)
        path = self._one_time / self._keyring.digest(token)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(str(at + ONE_TIME_MAX_AGE_S * 1_000_000))
        return token

    def _take_one_time(self, token: str) -> bool:
        path = self._one_time / self._keyring.digest(token)
        try:
            valid_until = int(path.read_text())
            path.unlink()  # of two that come at once, one finds nothing to unlink
        except (FileNotFoundError, ValueError):
            return False
        return now_us() < valid_until


def principal(request: HTTPConnection) -> Principal | None:
    """Who asks, by header or session."""
    sessions: Sessions = request.app.state.callgate.sessions
    return sessions.principal(request)


def presented_key(request: HTTPConnection) -> bytes | None:
    """The key in `Authorization: Bearer` or `x-api-key`, as the bytes that came."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip().encode("latin-1")
    other = request.headers.get("x-api-key", "").strip()
    return other.encode("latin-1") if other else None


def same_origin(request: HTTPConnection) -> bool:
    """Whether a request with a cookie comes from a page of ours, not from a form or script of another site.

    By `Sec-Fetch-Site` where the browser says it (https and localhost), else by `Origin` against `Host`. A request
    with neither is not from a browser of this decade and must bring a key. (OWASP CSRF cheat sheet, fetch metadata.)
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and _netloc(origin) == request.headers.get("host", "")


def local_path(target: str) -> str:
    """Where to go after signing in: a path of ours, and nothing that a browser takes for another host."""
    if not target.startswith("/") or target.startswith("//") or "\\" in target or any(ord(c) <= 32 for c in target):
        return "/"
    return target


def cookie_name(request: HTTPConnection) -> str:
    """With the port: cookies are shared by all ports of a host, and two gateways on one machine are two sessions."""
    try:
        port = request.url.port
    except ValueError:
        port = None
    return f"callgate_session_{port}" if port else "callgate_session"


def _principal(key: Key, via: str) -> Principal:
    return Principal(key.key_id, key.name, key.role, key.tenant, key.environment, via)


def _is_https(request: HTTPConnection) -> bool:
    return str(request.scope.get("scheme")) == "https"


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


async def _small_form(request: Request) -> dict[str, str]:
    """The last value of each field of a urlencoded form, which is small or refused."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MAX_BYTES:
            raise SignInRefused(400, "This form is larger than a key.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as exc:
        raise SignInRefused(400, "This form cannot be read.") from exc
    return {name: values[-1] for name, values in fields.items()}
