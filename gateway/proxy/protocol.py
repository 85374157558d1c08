"""One client connection: uvicorn's httptools protocol, which keeps what is the app's and gives the model paths to an
`Exchange`. Life cycle, TLS, websockets and shutdown stay uvicorn's; see docs/decisions/0007.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.dialects import OPAQUE
from gateway.errors import CallError
from gateway.proxy import halfclose
from gateway.proxy.exchange import Exchange
from gateway.proxy.gateway import Gateway
from gateway.proxy.head import Head
from gateway.proxy.paths import is_model_traffic, origin_form
from gateway.proxy.pipeline import Recorded
from gateway.proxy.tunnel import Tunnel

LINGER_S = 5.0
"""How long the rest of a refused request is read and thrown away, so that the refusal is not lost to a reset."""
SMALL_REST_BYTES = 1024 * 1024
"""A declared body up to this size is read to its end, and the connection kept."""

log = logging.getLogger("callgate.proxy")


class GatewayProtocol(HttpToolsProtocol):
    """A door for one exchange after another. `_exchange` is the call being answered, None between calls and while the
    app answers."""

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
        self._write_paused = False
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

    def data_received(self, data: bytes) -> None:
        if self._linger_until:
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if not self._in_body:
            if self._head_bytes:
                self._found = None
            else:
                if self._whole(data):
                    return
                self._since = time.monotonic()
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded(data, upgrade)
        except httptools.HttpParserCallbackError as exc:
            if isinstance(exc.__context__, httptools.HttpParserInvalidURLError):  # that uvicorn takes apart
                self._cut_off("The request's target is no path and no URL.", 400)
                return
            log.exception("a request could not be handled")
            self._gone()
            self._refuse(CallError(500, "internal_error", "The gateway failed on this request; its log says why."))
        except httptools.HttpParserError as exc:
            self._cut_off(f"This is not a valid HTTP/1.1 request: {exc}.", 400)
        if not self._in_body and self._head_bytes > self._gateway.table.settings.server.max_header_kb * 1024:
            self._cut_off("The request's headers are too large (server.max_header_kb).", 431)
        if self._in_body and self._exchange is not None:
            self._exchange.body_waits()
        if self._waiting:
            self.flow.pause_reading()

    def _whole(self, data: bytes) -> bool:
        """Takes a read that is one whole request with a head that is known; whether it was one."""
        if self._exchange is not None or self._waiting or (self.cycle is not None and not self.cycle.response_complete):
            self._found = None
            return False
        self._found = found = self._gateway.heads.find(data)
        if found is None:
            return False
        _, head, length, body_at = found
        if head is None or len(data) != body_at + length or not head.is_held or head.content_encoding:
            return False
        self._keep_alive, self._http10, self._app_takes = True, False, False
        exchange = self._exchange = Exchange(self._gateway, self, head, length)
        exchange.begin_whole(data[body_at:])
        return True

    def _upgraded(self, data: bytes, upgrade: httptools.HttpParserUpgrade) -> None:
        """A websocket to a model goes through a tunnel, any other to uvicorn; another upgrade (h2c) is not taken, and
        the connection goes on as it was."""
        if self._tunnel is not None:
            self._give_away(self._tunnel, data[upgrade.args[0] :])
            return
        if self._app_takes and self._should_upgrade():
            self.handle_websocket_upgrade()
            return
        self.parser = httptools.HttpRequestParser(self)
        if rest := data[upgrade.args[0] :]:
            self.data_received(rest)

    def _give_away(self, tunnel: Tunnel, early: bytes) -> None:
        """The connection is a tunnel's from here on."""
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        tunnel.client.join(self.connections)
        self._outbox.flush()
        self.transport.set_protocol(tunnel.client)
        self.transport.pause_reading()
        if early:
            tunnel.from_client(early)
        tunnel.begin(self)

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

    # ------------------------------------------------------------------ the parser's events

    def on_message_begin(self) -> None:
        self._head_bytes = self._head_bytes or 1  # also of a request that began within the read of the one before
        if self._linger_until or self.transport.is_closing():
            self._recording = Recorded()  # after the last answer; its turn never comes
            return
        if self._is_answering:
            self._recording = Recorded()
            self._waiting.append(self._recording)
            return
        self._url = b""
        self.headers = []
        self._length = None
        self._discarding = False

    def on_url(self, url: bytes) -> None:
        if self._recording is not None:
            self._recording.url += url
        else:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        recording = self._recording
        if len(name) == 14 and name.lower() == b"content-length":
            if recording is not None:
                recording.length = int(value)
            else:
                self._length = int(value)
        elif recording is not None:
            recording.headers.append((name, value))
        else:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._head_bytes = 0
        parser = self.parser
        if self._recording is not None:
            self._recording.end_head(parser.get_method(), parser.get_http_version(), parser.should_keep_alive())
        else:
            self._head_complete()

    def _head_complete(self) -> None:
        method = self.parser.get_method()
        url = origin_form(self._url)
        is_ours = is_model_traffic(method, url)
        if is_ours and self.parser.should_upgrade() and self._asks_for_websocket:
            self._app_takes = False
            self._tunnel = Tunnel(self._gateway, self._known_head(method, url), self.headers, self.transport)
            return
        self._app_takes = not is_ours or self.parser.should_upgrade()
        if self._app_takes:
            self._give_head_to_app()
            return
        self._http10 = self.parser.get_http_version() == "1.0"
        self._keep_alive = self.parser.should_keep_alive()
        head = self._known_head(method, url)
        exchange = self._exchange = Exchange(self._gateway, self, head, self._length)
        exchange.begin()
        if head.expects_continue and self._exchange is exchange and not self._http10:
            self._outbox.write(self.transport, halfclose.PROBE)

    @property
    def _asks_for_websocket(self) -> bool:
        return any(name.lower() == b"upgrade" and value.lower() == b"websocket" for name, value in self.headers)

    def _known_head(self, method: bytes, url: bytes) -> Head:
        """The head that was just parsed, from memory where it has been seen before."""
        found, self._found = self._found, None
        if found is not None and found[1] is not None:
            return found[1]
        head = Head(method, url, self.headers, self._gateway.table.spoken)
        if found is not None and self._keep_alive and not (self._http10 or head.expects_continue or head.chunked):
            self._gateway.heads.remember(found[0], head)
        return head

    def _give_head_to_app(self) -> None:
        """uvicorn's own handling, from where its parser callbacks would have come to."""
        url, headers = self._url, self.headers
        if self._length is not None:
            headers = [*headers, (b"content-length", b"%d" % self._length)]
        super().on_message_begin()
        super().on_url(url)
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._recording is not None:
            self._recording.body.append(body)
        elif self._exchange is not None:
            self._exchange.body(body)
        elif self._app_takes and not self._discarding:
            self._since = time.monotonic()
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._since = time.monotonic()
        if self._recording is not None:
            self._recording.complete = True
            self._recording = None
        elif self._exchange is not None:
            self._exchange.body_end()
        elif self._app_takes and not self._discarding:
            super().on_message_complete()

    # ------------------------------------------------------------------ one call after another

    @property
    def _app_is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _is_answering(self) -> bool:
        """Whether a request has been taken and its answer is not complete."""
        return self._exchange is not None or self._app_is_answering

    def on_response_complete(self) -> None:
        """The app has answered."""
        super().on_response_complete()
        self._next()

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

    def _next(self) -> None:
        """The requests that wait in line, until one of them takes its time."""
        if self._playing:
            return
        self._playing = True
        try:
            while self._waiting and not (self._is_answering or self.transport.is_closing() or self._linger_until):
                self._take(self._waiting.popleft())
        finally:
            self._playing = False
        if self._waiting or self.transport.is_closing() or self._linger_until:
            return
        if self._unreadable is not None and not self._is_answering:
            self._refuse(CallError(400, "invalid_request_error", self._unreadable))
        else:
            self.flow.resume_reading()

    def _take(self, recorded: Recorded) -> None:
        if self._recording is recorded:
            self._recording = None
            if self._unreadable is not None:
                self._refuse(CallError(400, "invalid_request_error", self._unreadable))
                return
        self._url, self.headers, self._length = recorded.url, recorded.headers, recorded.length
        self._discarding = False
        if recorded.head_complete:
            self._play(recorded)
            if not recorded.complete and self._exchange is not None:
                self._exchange.body_waits()

    def _play(self, recorded: Recorded) -> None:
        self._found = None
        parser, self.parser = self.parser, recorded  # type: ignore[assignment]  # answers what is asked of it here
        try:
            self._head_complete()
        finally:
            self.parser = parser
        was_recording, self._recording = self._recording, None
        in_body, self._in_body = self._in_body, True
        for piece in recorded.body:
            self.on_body(piece)
        if recorded.complete:
            self.on_message_complete()
        self._recording = was_recording
        self._in_body = in_body

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
            if isinstance(connection, GatewayProtocol):
                connection.check(now)
