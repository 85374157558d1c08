"""Who asks, and what a request says about it: the key in its headers, the page it comes from."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import msgspec
from starlette.requests import HTTPConnection, Request

from gateway.core.key import within
from gateway.proxy.admit import client_address

FORM_MAX_BYTES = 16_384
OPERATOR = "operator"
"""The name of who signed in with the link printed at start, who holds the data folder anyway."""


class Principal(msgspec.Struct, frozen=True):
    """Who asks. `tenant` and `environment` bound what is seen; `app` sees the calls of its own key only."""

    key_id: str | None
    name: str
    role: str
    tenant: str | None = None
    environment: str | None = None
    via: str = "key"
    """`key` or `session`."""
    user_id: str | None = None
    """The person, by session or by their API token; None for a gateway key and for the operator."""

    @property
    def actor(self) -> str:
        """As the audit log names them: people by their id, which says nothing once they are erased."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return OPERATOR if self.key_id is None else f"key:{self.name}"

    @property
    def is_bound(self) -> bool:
        """To a part of what there is: such a one manages nothing that others share."""
        return self.tenant is not None or self.environment is not None

    @property
    def words(self) -> str:
        """For messages, at the beginning of a sentence."""
        return self.name if self.user_id is not None or self.key_id is None else f"The key {self.name!r}"


class SignInRefused(Exception):  # noqa: N818 - a refusal is an answer to show, not an error of the program
    """`str()` is for the person at the form; `status` is 400, 401, 403, 429 or 502, 429 with `retry_after_s`."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


def presented_key(request: HTTPConnection) -> bytes | None:
    """The key in `Authorization: Bearer` or `x-api-key`, as the bytes that came."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip().encode("latin-1")
    other = request.headers.get("x-api-key", "").strip()
    return other.encode("latin-1") if other else None


def address_of(request: HTTPConnection, proxies: tuple[str, ...] = ()) -> str:
    """Where the client is: the other end of the connection, or behind our own `proxies` what they say; empty where
    there is none."""
    address = request.client.host if request.client else ""
    said = request.headers.getlist("x-forwarded-for")
    return client_address(address, ",".join(said).encode("latin-1") if said else None, proxies)


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


def port_suffix(request: HTTPConnection) -> str:
    """For names of cookies, which all ports of a host share: two gateways on one machine are two sessions."""
    try:
        port = request.url.port
    except ValueError:
        port = None
    return f"_{port}" if port else ""


def is_https(request: HTTPConnection, proxies: tuple[str, ...] = ()) -> bool:
    """As the browser has it: one of our own `proxies` may be where TLS ends."""
    if request.scope.get("scheme") == "https":
        return True
    is_proxied = bool(proxies) and request.client is not None and within(proxies, request.client.host)
    return is_proxied and request.headers.get("x-forwarded-proto", "").strip().lower() == "https"


async def small_form(request: Request) -> dict[str, str]:
    """The last value of each field of a urlencoded form, which is small or refused. Raises SignInRefused."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MAX_BYTES:
            raise SignInRefused(400, "This form is larger than a key.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=40)
    except ValueError as exc:
        raise SignInRefused(400, "This form cannot be read.") from exc
    return {name: values[-1] for name, values in fields.items()}


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
