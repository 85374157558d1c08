"""Who is calling, and what about: the key, the tags, the trace, from a request's head."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from gateway.core.key import Key
from gateway.errors import CallError
from gateway.proxy.gateway import Keys
from gateway.proxy.headers import Headers

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

Lookup = dict[bytes, bytes]
"""Headers by name, the last of a name."""


def token_of(headers: Lookup, query: bytes) -> bytes | None:
    """The gateway key, from where the client's SDK puts a key: `Authorization: Bearer`, `x-api-key`,
    `x-goog-api-key`, `api-key`, `?key=`."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() == b"bearer" and token:
            return token.strip()
    for name in (b"x-api-key", b"x-goog-api-key", b"api-key"):
        if presented := headers.get(name):
            return presented
    if query.startswith(b"key=") or b"&key=" in query:
        for pair in query.split(b"&"):
            if pair.startswith(b"key="):
                return unquote_to_bytes(pair[4:])
    return None


def without_key(query: bytes) -> bytes:
    """The query as it is forwarded and logged: a key in it is the gateway's, not the provider's."""
    if b"key=" not in query:
        return query
    return b"&".join(pair for pair in query.split(b"&") if not pair.startswith(b"key="))


def authenticated(keys: Keys, headers: Lookup, query: bytes) -> Key:
    """The caller's key; CallError 401 that says what is wrong with it."""
    token = token_of(headers, query)
    if token is None:
        raise CallError(
            401,
            "missing_api_key",
            "No gateway key was sent. Send one as `Authorization: Bearer cg-…`; `callgate keys create` makes one.",
        )
    key = keys.authenticate(token)
    if key is not None:
        return key
    former = keys.lookup(token)
    if former is None:
        raise CallError(
            401, "invalid_api_key", "This gateway key is not known; `callgate keys list` shows those that are."
        )
    what = "was revoked" if former.revoked_at is not None else "has expired"
    raise CallError(401, "invalid_api_key", f"The gateway key {former.name!r} {what}. Ask for a new one.")


def trace_of(headers: Lookup) -> tuple[str | None, str | None]:
    """(trace id, parent span id) of a W3C `traceparent`; None for one that is absent or malformed."""
    found = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
    return (found[1].decode(), found[2].decode()) if found else (None, None)


def client_request_id(headers: Lookup) -> str | None:
    value = headers.get(b"x-request-id")
    return value[:200].decode("latin-1") if value else None


def content_length(headers: Headers) -> int | None:
    """The declared length of the body; None where it is chunked. The parser has refused conflicting ones."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return None


def provider_in(path: bytes) -> tuple[str | None, bytes]:
    """(provider, the rest) of `/p/{provider}/{rest}`; (None, the path) for any other. The rest starts with a slash."""
    if not path.startswith(b"/p/"):
        return None, path
    name, _, rest = path[3:].partition(b"/")
    return name.decode("latin-1"), b"/" + rest


def is_json(method: bytes, headers: Lookup) -> bool:
    """Whether the body is JSON that may say which model is meant."""
    return method == b"POST" and headers.get(b"content-type", b"").lower().startswith(b"application/json")
