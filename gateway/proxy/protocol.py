"""One client connection: uvicorn's httptools protocol, which keeps what is the app's and gives the model paths to an
`Exchange`. Life cycle, TLS, websockets and shutdown stay uvicorn's; see docs/decisions/0007.
"""

from __future__ import annotations

import logging
import time

import httptools

from gateway.errors import CallError
from gateway.proxy import halfclose
from gateway.proxy.client_connection import ClientConnection
from gateway.proxy.exchange import Exchange
from gateway.proxy.head import Head
from gateway.proxy.paths import is_model_traffic, origin_form
from gateway.proxy.pipeline import Recorded
from gateway.proxy.tunnel import Tunnel

log = logging.getLogger("callgate.proxy")

NO_TARGET = "The request's target is no path and no URL."


class GatewayProtocol(ClientConnection):
    """Reads requests and says whose they are: an exchange's, a tunnel's or the app's."""

    # ------------------------------------------------------------------ reading

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
                self._cut_off(NO_TARGET, 400)
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
        super().on_url(origin_form(url))  # uvicorn takes an absolute target without a path for a failure
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

    def on_response_complete(self) -> None:
        """The app has answered."""
        super().on_response_complete()
        self._next()

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
        except httptools.HttpParserInvalidURLError:
            self._refuse(CallError(400, "invalid_request_error", NO_TARGET))
            return
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
