"""One client's connection: its life and its limits in time, and what is written to it.

It is the door of one exchange after another. What comes in is `protocol`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.dialects import OPAQUE
from gateway.errors import CallError
from gateway.proxy import halfclose
from gateway.proxy.exchange import Exchange
from gateway.proxy.gateway import Gateway
from gateway.proxy.head import Head
from gateway.proxy.pipeline import Recorded
from gateway.proxy.tunnel import Tunnel

LINGER_S = 5.0
"""How long the rest of a refused request is read and thrown away, so that the refusal is not lost to a reset."""
SMALL_REST_BYTES = 1024 * 1024
"""A declared body up to this size is read to its end, and the connection kept."""


class ClientConnection(HttpToolsProtocol):
    """`_exchange` is the call being answered, None between calls and while the app answers."""

    def __init__(self, gateway: Gateway, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gateway = gateway
        self._outbox = gateway.outbox
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        """Of a websocket whose handshake has been read."""
        self._url = b""
        self._length: int | None = None
        self._found: tuple[bytes, Head | None, int, int] | None = None
        """What `KnownHeads.find` said of the read that began the request now being parsed."""
        self._waiting: deque[Recorded] = deque()
        self._recording: Recorded | None = None
        self._playing = False
        self._in_body = False
        self._app_takes = False
        """Whether the request being read is the app's."""
        self._discarding = False
        """The request being read has been answered; the rest of it is thrown away."""
        self._keep_alive = True
        self._http10 = False
        self._chunked = False
        self._head_bytes = 0
        self._since = time.monotonic()
        """When the connection began to wait for a request's head."""
        self._linger_until = 0.0
        self._unreadable: str | None = None

    # ------------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._gateway.counters.client_connections += 1

    @property
    def address(self) -> str:
        return self.client[0] if self.client else ""

    def connection_lost(self, exc: Exception | None) -> None:
        self._gateway.counters.client_connections -= 1
        self._recording = None
        self._waiting.clear()
        self._gone()
        super().connection_lost(exc)

    def _gone(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more. It may still read its answer, or be gone: see `halfclose`."""
        self._outbox.flush()
        exchange = self._exchange
        if exchange is None or not exchange.is_waiting or self.scheme == "https":
            return None
        self._keep_alive = False
        if not exchange.is_answering:
            self.transport.write(halfclose.PROBE)
        elif self._chunked:
            self.transport.write(halfclose.PROBE_IN_CHUNKS)
        halfclose.watch(self.transport, lambda: self._exchange is exchange, self._peer_closed)
        return True

    def _peer_closed(self) -> None:
        self._gone()
        self.transport.abort()

    # ------------------------------------------------------------------ one call after another

    @property
    def _app_is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _is_answering(self) -> bool:
        """Whether a request has been taken and its answer is not complete."""
        return self._exchange is not None or self._app_is_answering

    def _next(self) -> None:
        """Goes on with what came in while a call was answered."""
        raise NotImplementedError

    def _answered(self) -> None:
        """The exchange has answered."""
        self._exchange = None
        self._since = time.monotonic()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._in_body and not self._waiting:
            self._discarding = True
            self.flow.resume_reading()
            if not self._keep_alive:
                self._linger()
        elif not self._keep_alive:
            self._outbox.flush()
            self.transport.close()
        elif self._waiting or self._unreadable is not None:
            self._next()
        else:
            self.flow.resume_reading()

    # ------------------------------------------------------------------ what cannot be read, or takes too long

    def _cut_off(self, message: str, status: int) -> None:
        """Input that cannot be understood: an answer where one can still be given, then the end."""
        if self.transport.is_closing() or self._linger_until:
            return
        if self._recording is not None or (not self._in_body and self._is_answering):
            self._unreadable = message  # a request in the line behind: its turn comes
            return
        if self._in_body and self._discarding:
            self._linger()
            return
        if self._in_body:
            exchange, app_answers = self._exchange, self._app_is_answering
            if (exchange is not None and exchange.is_answering) or (app_answers and self.cycle.response_started):
                self._outbox.flush()
                self.transport.abort()
                return
            self._gone()
            if app_answers:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
        self._refuse(CallError(status, "invalid_request_error", message))

    def _refuse(self, error: CallError) -> None:
        body = OPAQUE.error_body(error)
        self._keep_alive = False
        self._write(error.status, b"content-type: application/json\r\n", len(body), body)
        self._linger()

    def _linger(self) -> None:
        """Reads and throws away until the client has closed, or `LINGER_S` are over."""
        self._linger_until = time.monotonic() + LINGER_S
        self._outbox.flush()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def check(self, now: float) -> None:
        """Called by the sweep over all connections: closes what waits for a head, or lingers, for too long."""
        if self._linger_until:
            if now > self._linger_until:
                self.transport.abort()
            return
        server = self._gateway.table.settings.server
        if self._is_answering:
            body_is_due = self._exchange is None and self._in_body and not self._waiting and not self.flow.read_paused
            if body_is_due and now - self._since > server.body_timeout_s:
                self.transport.abort()  # the app waits for it; an exchange has its own limit
            return
        if self._head_bytes:
            if now - self._since > server.head_timeout_s:
                self._cut_off(f"The request's head was not complete within {server.head_timeout_s:g} s.", 408)
        elif self._discarding and self._in_body:
            if now - self._since > server.body_timeout_s:
                self.transport.abort()
        elif not self._in_body and now - self._since > server.keep_alive_s:
            self.transport.close()

    def shutdown(self) -> None:
        self._outbox.flush()
        if self._exchange is None:
            super().shutdown()
        else:
            self._keep_alive = False

    # ------------------------------------------------------------------ the door

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        exchange = self._exchange
        head_only = exchange is not None and exchange.head.method == b"HEAD"
        if self._in_body:
            self._decide_keep_alive()
        bodiless = head_only or status in (204, 304)
        self._write(status, head, None if bodiless else len(body), b"" if bodiless else body)
        self._answered()

    def start(self, status: int, head: bytes, length: int | None) -> None:
        if self._in_body:
            self._decide_keep_alive()
        self._chunked = length is None and not self._http10
        if length is None and self._http10:
            self._keep_alive = False
        if self._chunked:
            head += b"transfer-encoding: chunked\r\n"
        self._write(status, head, length, b"")

    def relay(self, data: bytes) -> None:
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._outbox.write_now(self.transport, data)

    def finish(self, data: bytes) -> None:
        if self._chunked:
            last = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
            self._outbox.write(self.transport, last)
        elif data:
            self._outbox.write(self.transport, data)
        self._answered()

    def abort(self) -> None:
        self._exchange = None
        self._outbox.flush()
        self.transport.abort()

    def pause_body(self) -> None:
        self.flow.pause_reading()

    def resume_body(self) -> None:
        if not self._waiting:
            self.flow.resume_reading()

    def _decide_keep_alive(self) -> None:
        """A request answered before it is complete: a small rest is read and thrown away, a large one ends it."""
        if self._exchange is None or self._waiting:
            return  # the body being read is that of one in the line behind
        if self._exchange.head.chunked or (self._exchange.length or 0) > SMALL_REST_BYTES:
            self._keep_alive = False

    def _write(self, status: int, head: bytes, length: int | None, body: bytes) -> None:
        self._outbox.write(
            self.transport,
            b"%b%b%b%b\r\n%b"
            % (
                STATUS_LINE.get(status) or b"HTTP/1.1 %d \r\n" % status,
                head,
                b"" if length is None else b"content-length: %d\r\n" % length,
                b"" if self._keep_alive else b"connection: close\r\n",
                body,
            ),
        )

    # ------------------------------------------------------------------ flow control

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._exchange is not None:
            self._exchange.resume()


class ConnectionSweep:
    """Enforces the time limits of all client connections; one entry in the gateway's sweep."""

    EVERY_S = 0.25

    def __init__(self, connections: set[Any]) -> None:
        self._connections = connections
        self._next = 0.0

    def check(self, now: float) -> None:
        if now < self._next:
            return
        self._next = now + self.EVERY_S
        for connection in list(self._connections):
            if isinstance(connection, ClientConnection):
                connection.check(now)
