"""Which headers pass, which stay. RFC 9110 7.6.1 for the hop-by-hop ones; the rest is what a gateway must not leak."""

from __future__ import annotations

Headers = list[tuple[bytes, bytes]]
"""(name in lower case, value) pairs in the order they came."""

METHODS = frozenset((b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"))
"""What is passed on to a provider."""

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)

CREDENTIALS = frozenset(
    (
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"x-amz-security-token",
        b"sec-websocket-protocol",  # browsers put a key there
        b"cookie",
        b"set-cookie",
    )
)
"""Never logged. The client's never reach a provider, the provider's never reach a client."""

NOT_FORWARDED = (
    HOP_BY_HOP
    | CREDENTIALS
    | frozenset(
        (
            b"host",
            b"content-length",
            b"content-encoding",  # a body that is held is forwarded decoded
            b"accept-encoding",  # see accept_encoding
            b"expect",
            b"sec-websocket-extensions",  # a message that is compressed could not be metered
            b"x-amz-date",  # of a signature made for the gateway; it signs anew
            b"x-amz-content-sha256",
            b"x-request-id",
            b"forwarded",
            b"x-forwarded-for",
            b"x-forwarded-host",
            b"x-forwarded-port",
            b"x-forwarded-proto",
            b"x-real-ip",
            b"via",
        )
    )
)

NOT_RELAYED = HOP_BY_HOP | frozenset((b"set-cookie", b"content-length", b"alt-svc", b"strict-transport-security"))
"""`alt-svc` and `strict-transport-security` speak about the provider's host; the client talks to another."""

UPSTREAM_IDS = (b"x-request-id", b"request-id", b"apim-request-id", b"x-amzn-requestid", b"x-goog-request-id")

_READABLE = (b"gzip", b"deflate", b"zstd")
"""Content codings the gateway can decode to meter an answer; it asks for no others."""


_NAMES_NONE = frozenset((b"keep-alive", b"close", b"Keep-Alive", b"Close"))


def named_in_connection(headers: Headers) -> frozenset[bytes]:
    """Headers that the `Connection` header declares hop-by-hop."""
    named: set[bytes] = set()
    for name, value in headers:
        if name == b"connection" and value not in _NAMES_NONE:
            named.update(token.strip().lower() for token in value.split(b","))
    return frozenset(named)


IDENTITY = b"accept-encoding: identity\r\n"


def accept_encoding(value: bytes | None) -> bytes:
    """The client's `accept-encoding` as a header line, without the codings that could not be metered.

    Weights stay as they are. A client that sends no header gets no compression asked for in its name.
    """
    if value is None:
        return b""
    kept = [part.strip() for part in value.split(b",") if part.split(b";")[0].strip().lower() in _READABLE]
    return b"accept-encoding: %b\r\n" % b", ".join(kept) if kept else IDENTITY


def forwarded(headers: Headers) -> bytes:
    """The header lines of the upstream request that stem from the client, ready to be written."""
    lines = []
    dropped = named_in_connection(headers)
    for name, value in headers:
        if name in NOT_FORWARDED or name in dropped or name.startswith(b"x-callgate-"):
            continue
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


def relayed(headers: Headers, lookup: dict[bytes, bytes]) -> bytes:
    """The provider's headers as lines for the client: without hop-by-hop ones, cookies and framing."""
    is_plain = len(lookup) == len(headers) and lookup.get(b"connection", b"close") in _NAMES_NONE  # none comes twice
    if not is_plain and (dropped := named_in_connection(headers)):
        headers = [pair for pair in headers if pair[0] not in dropped]
    if b"x-request-id" in lookup:
        headers = [
            (b"x-upstream-request-id", value) if name == b"x-request-id" else (name, value) for name, value in headers
        ]
    return b"".join([b"%b: %b\r\n" % pair for pair in headers if pair[0] not in NOT_RELAYED])


def without_credentials(headers: Headers) -> Headers:
    return [pair for pair in headers if pair[0] not in CREDENTIALS]
