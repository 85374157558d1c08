"""A request's head, read once: SDKs send the same headers with every call, so what follows from them is remembered.

A head that differs in any way, but for `content-length`, is read anew; the key in it is looked up for every call.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from gateway.proxy.headers import Headers, accept_encoding, forwarded, without_credentials

MOST_REMEMBERED = 4096

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class Caller:
    """What the headers of a request say. Does not hold `content-length`, and does not show itself: it holds a key."""

    __slots__ = (
        "accept_encoding",
        "chunked",
        "client_request_id",
        "content_encoding",
        "content_type",
        "expects_continue",
        "forwarded",
        "is_json",
        "logged",
        "parent_span_id",
        "tags",
        "token",
        "trace_id",
        "trace_name",
    )

    def __init__(self, headers: Headers) -> None:
        """`headers` with names in lower case."""
        lookup = dict(headers)
        self.token = _token_in(lookup)
        self.tags = lookup.get(b"x-callgate-tags")
        """`x-callgate-tags`, unread."""
        self.forwarded = forwarded(headers)
        self.accept_encoding = accept_encoding(lookup.get(b"accept-encoding"))
        """The upstream request's `accept-encoding` line, empty for none."""
        self.content_encoding = lookup.get(b"content-encoding")
        content_type = lookup.get(b"content-type", b"")
        self.content_type = content_type.decode("latin-1") or None
        self.is_json = content_type.lower().startswith(b"application/json")
        self.chunked = b"transfer-encoding" in lookup
        self.expects_continue = lookup.get(b"expect", b"").lower() == b"100-continue"
        self.logged = without_credentials(headers)
        request_id = lookup.get(b"x-request-id")
        self.client_request_id = request_id[:200].decode("latin-1") if request_id else None
        trace = _TRACEPARENT.fullmatch(lookup.get(b"traceparent", b""))
        self.trace_id = trace[1].decode() if trace else None
        self.parent_span_id = trace[2].decode() if trace else None
        name = lookup.get(b"x-callgate-trace-name")
        self.trace_name = name[:200].decode("utf-8", "replace") if name else None


class Callers:
    """The callers of a worker, by their headers."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[bytes, bytes], ...], Caller] = {}

    def of(self, headers: Headers) -> Caller:
        """`headers` as they came, without `content-length`."""
        wire = tuple(headers)
        caller = self._known.get(wire)
        if caller is None:
            caller = Caller([(name.lower(), value) for name, value in headers])
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[wire] = caller
        return caller


def _token_in(lookup: dict[bytes, bytes]) -> bytes | None:
    """From where the client's SDK puts a key: `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, `api-key`."""
    scheme, _, token = lookup.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    for name in (b"x-api-key", b"x-goog-api-key", b"api-key"):
        if presented := lookup.get(name):
            return presented
    return None


def token_in_query(query: bytes) -> bytes | None:
    """`?key=`, where Gemini's clients put it."""
    for pair in query.split(b"&"):
        if pair.startswith(b"key="):
            return unquote_to_bytes(pair[4:])
    return None


def without_key(query: bytes) -> bytes:
    """The query as it is forwarded and logged: a key in it is the gateway's, not the provider's."""
    return b"&".join(pair for pair in query.split(b"&") if not pair.startswith(b"key="))
