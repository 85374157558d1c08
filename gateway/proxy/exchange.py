"""One call, start to end. This is the straight line: admit, plan, forward; `relay` brings the answer back and settles.

An exchange is driven by callbacks from two sides. Its door (the client) calls `begin`, `body`, `body_end`, `pause`,
`resume`, `client_gone`; its upstream connection `connected`, `answer_started`, `answer_data`, `answer_lost`. Nothing
here awaits.
"""

from __future__ import annotations

import ssl
import time

from gateway.core.ids import uuid7
from gateway.core.key import Key
from gateway.dialects import OPAQUE, Dialect, dialect_for
from gateway.errors import CallError, JournalError
from gateway.proxy import admit, booking
from gateway.proxy.costing import Cost
from gateway.proxy.door import CLOSED, Door
from gateway.proxy.gateway import Gateway
from gateway.proxy.headers import Headers, accept_encoding, forwarded
from gateway.proxy.incoming import HeldBody
from gateway.proxy.limits import Limits
from gateway.proxy.plan import Plan, plan_read, plan_unread
from gateway.proxy.relay import Relay
from gateway.proxy.table import Upstream
from gateway.proxy.tap import Tap
from gateway.proxy.upstream import UpstreamConnection


class Exchange:
    """A call in flight. `request_id` is its id everywhere; `…_ns` are `perf_counter_ns`, `…_at` µs UTC."""

    __slots__ = (
        "_body_ended",
        "_connection",
        "_done",
        "_held",
        "_limits",
        "_query",
        "_relay",
        "_retried",
        "attempt_at",
        "attempt_ns",
        "began_ns",
        "booked",
        "dialect",
        "dispatched",
        "dispatched_ns",
        "door",
        "gateway",
        "headers",
        "key",
        "lookup",
        "method",
        "path",
        "plan",
        "ready_ns",
        "request_id",
        "request_tap",
        "started_at",
    )

    def __init__(self, gateway: Gateway, door: Door, method: bytes, url: bytes, headers: Headers) -> None:
        self.gateway = gateway
        self.door: Door = door
        self.method = method
        self.path, _, self._query = url.partition(b"?")
        self.headers = headers
        self.lookup = dict(headers)
        self.request_id = uuid7()
        self.started_at = self.attempt_at = gateway.now_us()
        self.began_ns = self.ready_ns = self.dispatched_ns = self.attempt_ns = time.perf_counter_ns()
        self.dialect: Dialect = OPAQUE
        self.key: Key | None = None
        self.plan: Plan | None = None
        self.request_tap = Tap(gateway.table.settings.log.max_payload_kb * 1024)
        self._held: HeldBody | None = None
        self._connection: UpstreamConnection | None = None
        self._relay: Relay | None = None
        self._limits = Limits()
        self._body_ended = False
        self.dispatched = False
        self.booked: Cost | None = None
        self._retried = False
        self._done = False

    # ------------------------------------------------------------------ admit

    def begin(self) -> None:
        """The request's head has been read."""
        self.gateway.counters.calls += 1
        try:
            self._admit()
        except CallError as error:
            self._refuse(error)

    def _admit(self) -> None:
        gateway = self.gateway
        if gateway.draining:
            again = ((b"retry-after", b"1"),)
            raise CallError(503, "shutting_down", "The gateway is shutting down; send this again.", headers=again)
        self.key = admit.authenticated(gateway.keys, self.lookup, self._query)
        self._query = admit.without_key(self._query)
        provider, self.path = admit.provider_in(self.path)
        self.dialect = dialect_for(self.method, self.path) if provider is None else OPAQUE
        if self.dialect.reads_body or (provider is None and admit.is_json(self.method, self.lookup)):
            server = gateway.table.settings.server
            limit = int(server.max_body_mb * 1024 * 1024)
            encoding = self.lookup.get(b"content-encoding")
            self._held = HeldBody(limit, encoding, admit.content_length(self.headers))
            self._limits.set("body", server.body_timeout_s)
            gateway.timed.add(self)
        else:
            self.plan = plan_unread(gateway.table, self.key, provider, self.lookup.get(b"x-callgate-tags"))
            self._forward(self.plan)

    # ------------------------------------------------------------------ the request's body

    def body(self, data: bytes) -> None:
        """The next bytes of the request's body, unframed."""
        if self._done:
            return
        self.gateway.counters.bytes_in += len(data)
        if self._held is not None:
            self._limits.set("body", self.gateway.table.settings.server.body_timeout_s)
            try:
                self._held.feed(data)
            except CallError as error:
                self._refuse(error)
            return
        self.request_tap.add(data)
        if self._connection is not None:
            self._connection.send_more(self._framed(data), complete=False)
        elif self.plan is not None:
            self.plan.body += data  # at most what was under way when the door was told to pause
            self.door.pause_body()

    def body_end(self) -> None:
        """The request is complete."""
        if self._done:
            return
        self._body_ended = True
        self.ready_ns = time.perf_counter_ns()
        if self._held is None:
            if self._connection is not None:
                self._connection.send_more(b"0\r\n\r\n" if self._is_chunked else b"", complete=True)
                self._limits.set("first byte", self._upstream.timeout.first_byte_s)
            return
        assert self.key is not None
        try:
            raw = self._held.finish()
            self.request_tap.add(raw)
            header_tags = self.lookup.get(b"x-callgate-tags")
            self.plan = plan_read(self.gateway.table, self.key, self.dialect, raw, header_tags)
            self._forward(self.plan)
        except CallError as error:
            self._refuse(error)

    @property
    def _is_chunked(self) -> bool:
        """Whether a body that streams through is sent on chunked, as the client sends it."""
        return b"transfer-encoding" in self.lookup

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data

    # ------------------------------------------------------------------ forward

    def _forward(self, plan: Plan) -> None:
        """Writes down that the call is dispatched, then hands it to a connection: at once where one is idle."""
        try:
            self.gateway.journal.open(booking.opened(self, plan))
        except JournalError as exc:
            message = f"The gateway takes no call that it could not account for: {exc}. See /readyz."
            again = ((b"retry-after", b"5"),)
            raise CallError(503, "journal_unavailable", message, headers=again) from exc
        self.dispatched = True
        self.gateway.counters.in_flight += 1
        self.gateway.timed.add(self)
        self._limits.begin(plan.target.upstream.timeout)
        self.dispatched_ns = time.perf_counter_ns()
        self._attempt()

    def _attempt(self) -> None:
        self.attempt_at = self.gateway.now_us()
        self.attempt_ns = time.perf_counter_ns()
        pool = self._upstream.pool
        connection = None if self._retried else pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            self._limits.set("connect", self._upstream.timeout.connect_s)
            pool.wait(self)

    def connected(self, connection: UpstreamConnection) -> None:
        plan = self.plan
        assert plan is not None
        self._connection = connection
        if self._body_ended:
            self._limits.set("first byte", self._upstream.timeout.first_byte_s)
        else:
            self._limits.suspend()
        connection.send(self, self._request(plan), complete=self._body_ended, head_only=self.method == b"HEAD")
        if not plan.held:
            plan.body = b""
            self.door.resume_body()

    def _request(self, plan: Plan) -> bytes:
        """The upstream request: its head, and as much of the body as there is."""
        upstream = plan.target.upstream
        body = plan.body
        if plan.held:
            framing = b"content-length: %d\r\n" % len(body)
        elif self._is_chunked:
            framing = b"transfer-encoding: chunked\r\n"
            body = (self._framed(body) if body else b"") + (b"0\r\n\r\n" if self._body_ended else b"")
        else:
            framing = b"content-length: %b\r\n" % self.lookup[b"content-length"] if self._has_length else b""
        if not plan.held and b"content-encoding" in self.lookup:
            framing += b"content-encoding: %b\r\n" % self.lookup[b"content-encoding"]
        encoding = b"identity" if plan.stream else accept_encoding(self.lookup.get(b"accept-encoding"))
        return b"%b %b HTTP/1.1\r\n%b%b%b%b\r\n%b" % (
            self.method,
            upstream.target(self.path, self._query),
            upstream.head,
            next(upstream.credentials),
            forwarded(self.headers, encoding),
            framing,
            body,
        )

    @property
    def _has_length(self) -> bool:
        return b"content-length" in self.lookup

    @property
    def _upstream(self) -> Upstream:
        assert self.plan is not None
        return self.plan.target.upstream

    # ------------------------------------------------------------------ the answer

    def answer_started(self, status: int, headers: Headers) -> None:
        assert self.plan is not None
        self._limits.set("idle", self._upstream.timeout.idle_s)
        self._relay = Relay(self, self.plan, status, headers)
        self._relay.begin()

    def answer_data(self, data: bytes, complete: bool) -> None:
        relay = self._relay
        if relay is None or self._done:
            return
        if complete:
            self._connection = None
            self._end()
        else:
            self._limits.set("idle", self._upstream.timeout.idle_s)
        relay.data(data, complete)

    def answer_lost(self, reason: str, malformed: bool) -> None:
        connection, self._connection = self._connection, None
        if self._done or connection is None:
            return
        if connection.served and not connection.answering and self._can_repeat:
            # It had been closed while it lay idle, and nothing was answered: once more, on a fresh one.
            self.gateway.counters.retried_stale += 1
            self._retried = True
            self._attempt()
        elif malformed:
            message = f"The answer of {self._upstream.name} cannot be read: {reason}."
            self._fail(CallError(502, "upstream_malformed", message, error_type="parse_error"))
        else:
            message = f"The connection to {self._upstream.name} broke before the answer was complete: {reason}."
            self._fail(CallError(502, "upstream_reset", message, error_type="network"))

    @property
    def _can_repeat(self) -> bool:
        """Whether all that was sent is still at hand."""
        assert self.plan is not None
        return not self._retried and self._body_ended and (self.plan.held or not self.request_tap.size)

    def connect_failed(self, error: Exception) -> None:
        name = self._upstream.name
        if isinstance(error, ssl.SSLError):
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            message, code = f"There is no secure connection to {name}: {reason}.", "upstream_tls"
        else:
            message, code = f"{name} cannot be reached: {error or type(error).__name__}.", "upstream_unreachable"
        self._fail(CallError(502, code, message, error_type="network"))

    # ------------------------------------------------------------------ endings

    def _refuse(self, error: CallError) -> None:
        """An error of the gateway's own, before anything was dispatched."""
        self.gateway.counters.rejected += 1
        self._end()
        if self.key is not None and error.error_type is not None:
            booking.book_refusal(self, error)
        self.reply_error(error)

    def _fail(self, error: CallError) -> None:
        """The call was dispatched and cannot be completed: an error where nothing was sent yet, else a clear break."""
        self.gateway.counters.upstream_errors += 1
        self._let_go()
        self._end()
        if self._relay is not None:
            self._relay.broken(error)
        else:
            booking.book(self, error.status, error)
            self.reply_error(error)

    def interrupt(self, error: CallError) -> None:
        """The gateway stops before the answer is complete."""
        if self.dispatched and not self._done:
            self._fail(error)

    def client_gone(self) -> None:
        """The client closed its connection before its answer was complete."""
        if self._done:
            return
        self.gateway.counters.client_gone += 1
        self.door = CLOSED
        if not self.dispatched:
            self._end()
        elif self._upstream.drains and self._body_ended:
            if self._relay is not None:
                self._relay.client_is_gone = True
            if self._connection is not None:
                self._connection.resume()
        else:
            self._let_go()
            self._end()
            gone = CallError(499, "client_closed", "the client closed the connection", error_type="cancelled")
            booking.book(self, 499, gone, self._relay)

    def _let_go(self) -> None:
        """Closes the upstream connection, or leaves the line for one."""
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
        else:
            self._upstream.pool.forget(self)

    def _end(self) -> None:
        if self._done:
            return
        self._done = True
        self.gateway.timed.discard(self)
        if self.dispatched:
            self.gateway.counters.in_flight -= 1

    def reply_error(self, error: CallError) -> None:
        headers = [(b"content-type", b"application/json"), *self.own_headers(), *error.headers]
        self.door.reply(error.status, headers, self.dialect.error_body(error))

    def own_headers(self) -> Headers:
        """What the gateway adds to every answer."""
        headers = [(b"x-request-id", self.request_id.encode())]
        if self.plan is not None:
            target = self.plan.target
            headers.append((b"x-callgate-provider", target.upstream.name.encode()))
            if target.model is not None:
                headers.append((b"x-callgate-model", target.model.encode()))
            headers.append((b"x-callgate-attempts", b"1"))
            headers.append((b"x-callgate-cache", b"bypass"))
        return headers

    @property
    def is_waiting(self) -> bool:
        """Whether the request is complete and its answer is not."""
        return self._body_ended and not self._done

    @property
    def is_answering(self) -> bool:
        """Whether the client has been sent any of its answer."""
        return self._relay is not None and self._relay.started

    # ------------------------------------------------------------------ flow control and time

    def pause(self) -> None:
        """The client takes no more for now, so the provider is held up; waiting for the client is not its fault."""
        if self._connection is not None:
            self._connection.pause()
            self._limits.suspend()

    def resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()
            self._limits.set("idle", self._upstream.timeout.idle_s)

    def pause_sending(self) -> None:
        self.door.pause_body()

    def resume_sending(self) -> None:
        self.door.resume_body()

    def check(self, now: float) -> None:
        """Called by the gateway's sweep: ends the call when one of its time limits has passed."""
        error = self._limits.passed(now, self._upstream.name if self.dispatched else None)
        if error is not None and self.dispatched:
            self._fail(error)
        elif error is not None:
            self._refuse(error)
