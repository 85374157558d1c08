"""The request as it goes upstream: its head, put together from parts that were made before the call, and its body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy.headers import IDENTITY
from gateway.proxy.plan import Plan

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange

LAST_CHUNK = b"0\r\n\r\n"


def upstream_request(exchange: Exchange, plan: Plan, *, body_ended: bool) -> bytes:
    """The head, and as much of the body as there is: all of one that was held."""
    upstream, head = plan.target.upstream, exchange.head
    body = plan.body
    if plan.held:
        framing = b"content-length: %d\r\n" % len(body)
    else:
        framing = b"" if exchange.length is None else b"content-length: %d\r\n" % exchange.length
        if head.chunked:
            framing = b"transfer-encoding: chunked\r\n"
            body = (chunk(body) if body else b"") + (LAST_CHUNK if body_ended else b"")
        if head.content_encoding is not None:
            framing += b"content-encoding: %b\r\n" % head.content_encoding
    target = upstream.target(plan.path, head.query)
    return b"%b %b HTTP/1.1\r\n%b%b%b%b%b\r\n%b" % (
        head.method,
        target,
        upstream.head,
        plan.key_line if upstream.signer is None else upstream.signer(head.method, target, body),
        head.forwarded,
        IDENTITY if plan.stream or head.dialect.is_long else head.accept_encoding,
        framing,
        body,
    )


def chunk(data: bytes) -> bytes:
    """A piece of a body that streams through, framed as RFC 9112 7.1 has it."""
    return b"%x\r\n%b\r\n" % (len(data), data)
