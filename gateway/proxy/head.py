"""A request's head, read once: SDKs send the same head with every call, so what follows from it is remembered.

Known heads are found by their bytes, `content-length` left out; a head that differs in any other way is parsed anew.
Only what follows from the head alone is in here: the key is looked up for every call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from gateway.dialects import Dialect, dialect_for
from gateway.proxy.headers import Headers, accept_encoding, forwarded, without_credentials

MOST_REMEMBERED = 4096

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: (\d{1,15})\r\n", re.IGNORECASE)
INSECURE_KEY = b"openai-insecure-api-key."
_AWS_CREDENTIAL = re.compile(rb"(?:^|[ ,])Credential=([^/, ]+)/")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class Head:
    """What a request line and its headers say. Has no `repr` of its content: it holds a key."""

    __slots__ = (
        "accept_encoding",
        "cache_control",
        "chunked",
        "client_request_id",
        "content_encoding",
        "content_type",
        "dialect",
        "endpoint",
        "expects_continue",
        "forwarded",
        "forwarded_for",
        "is_held",
        "logged",
        "method",
        "no_store",
        "parent_span_id",
        "path",
        "provider",
        "query",
        "tags",
        "token",
        "trace_id",
        "trace_name",
    )

    def __init__(
        self,
        method: bytes,
        url: bytes,
        headers: Headers,
        spoken: Mapping[str, tuple[Dialect, Dialect]] = MappingProxyType({}),
    ) -> None:
        """`headers` as they came, without `content-length`; `spoken` are the dialects of providers that decide it
        themselves, whatever the path (`Table.spoken`)."""
        headers = [(name.lower(), value) for name, value in headers]
        lookup = dict(headers)
        self.method = method
        path, _, query = url.partition(b"?")
        self.token = _token_in(lookup) or _token_in_query(query)
        self.query = _without_key(query)
        """As it is forwarded and logged: a key in it is the gateway's, not the provider's."""
        self.provider, self.path = provider_in(path)
        """The provider that a path under /p/ names, and the path that is meant there."""
        own = spoken.get(self.provider) if self.provider is not None else None
        self.dialect = dialect_for(method, self.path) if own is None else own[method != b"POST"]
        content_type = lookup.get(b"content-type", b"")
        self.content_type = content_type.decode("latin-1") or None
        is_json = method == b"POST" and content_type.lower().startswith(b"application/json")
        self.is_held = self.dialect.reads_body or (is_json and self.provider is None)
        """Whether the body is read before it is forwarded: it says which model is meant."""
        self.endpoint = f"{method.decode('latin-1')} {path.decode('latin-1')}"
        self.tags = lookup.get(b"x-callgate-tags")
        """Unread."""
        self.cache_control = lookup.get(b"x-callgate-cache")
        """Unread."""
        self.forwarded = forwarded(headers)
        self.forwarded_for = lookup.get(b"x-forwarded-for")
        """Where the client is by the word of the proxies before the gateway; see `admit.client_address`."""
        self.accept_encoding = accept_encoding(lookup.get(b"accept-encoding"))
        """The upstream request's `accept-encoding` line, empty for none."""
        self.content_encoding = lookup.get(b"content-encoding", b"").strip().lower() or None
        self.chunked = b"transfer-encoding" in lookup
        self.expects_continue = lookup.get(b"expect", b"").lower() == b"100-continue"
        self.logged = without_credentials(headers)
        self.no_store = lookup.get(b"x-callgate-no-store", b"").strip().lower() in (b"true", b"1", b"yes")
        """Nothing of its content may be kept."""
        request_id = lookup.get(b"x-request-id")
        self.client_request_id = request_id[:200].decode("latin-1") if request_id else None
        trace = _TRACEPARENT.fullmatch(lookup.get(b"traceparent", b""))
        self.trace_id = trace[1].decode() if trace else None
        self.parent_span_id = trace[2].decode() if trace else None
        name = lookup.get(b"x-callgate-trace-name")
        self.trace_name = name[:200].decode("utf-8", "replace") if name else None


class KnownHeads:
    """The heads that a worker has seen, by their bytes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def forget(self) -> None:
        """The settings have changed, and with them what a path may speak."""
        self._known.clear()

    def find(self, data: bytes) -> tuple[bytes, Head | None, int, int] | None:
        """Of a read that begins a request: (the head's bytes without the length, the head if it is known, the body's
        declared length, where the body begins). None where `data` has no whole head with a `content-length`."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        declared = _CONTENT_LENGTH.search(data, 0, end + 2)
        if declared is None:
            return None
        key = data[: declared.start(1)] + data[declared.end(1) : end]
        return key, self._known.get(key), int(declared[1]), end + 4

    def remember(self, key: bytes, head: Head) -> None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = head


def provider_in(path: bytes) -> tuple[str | None, bytes]:
    """(provider, the rest) of `/p/{provider}/{rest}`; (None, the path) of any other. The rest starts with a slash."""
    if not path.startswith(b"/p/"):
        return None, path
    name, _, rest = path[3:].partition(b"/")
    return name.decode("latin-1"), b"/" + rest


def _token_in(lookup: dict[bytes, bytes]) -> bytes | None:
    """From where the client's SDK puts a key: `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, `api-key`; AWS's
    SDKs sign, and name the access key id as the credential: it is the gateway key then, and what it signs with is not
    looked at."""
    scheme, _, token = lookup.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    if scheme == b"AWS4-HMAC-SHA256" and (credential := _AWS_CREDENTIAL.search(token)):
        return credential[1]
    for name in (b"x-api-key", b"x-goog-api-key", b"api-key"):
        if presented := lookup.get(name):
            return presented
    return _token_in_protocols(lookup.get(b"sec-websocket-protocol", b""))


def _token_in_protocols(offered: bytes) -> bytes | None:
    """The subprotocol that carries a key for want of headers: how browsers open a realtime connection."""
    for name in offered.split(b","):
        if name.strip().startswith(INSECURE_KEY):
            return name.strip()[len(INSECURE_KEY) :]
    return None


def _token_in_query(query: bytes) -> bytes | None:
    """`?key=`, where Gemini's clients put it."""
    for pair in query.split(b"&"):
        if pair.startswith(b"key="):
            return unquote_to_bytes(pair[4:])
    return None


def _without_key(query: bytes) -> bytes:
    return b"&".join(pair for pair in query.split(b"&") if not pair.startswith(b"key="))
