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
from gateway.proxy.caller import Caller, token_in_query, without_key
from gateway.proxy.costing import Cost
from gateway.proxy.door import CLOSED, Door
from gateway.proxy.gateway import Gateway
from gateway.proxy.headers import IDENTITY, Headers
from gateway.proxy.incoming import HeldBody
from gateway.proxy.limits import Limits
from gateway.proxy.plan import Plan, plan_read, plan_unread
from gateway.proxy.relay import Relay
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
        "caller",
        "dialect",
        "dispatched",
        "dispatched_ns",
        "door",
        "gateway",
        "key",
        "length",
        "method",
        "path",
        "plan",
        "ready_ns",
        "request_id",
        "request_tap",
        "started_at",
    )

    def __init__(
        self, gateway: Gateway, door: Door, method: bytes, url: bytes, headers: Headers, length: int | None
    ) -> None:
        """`headers` as they came but for `content-length`, which is `length`, None where there is none."""
        self.gateway = gateway
        self.door: Door = door
        self.method = method
        self.path, _, self._query = url.partition(b"?")
        self.caller: Caller = gateway.callers.of(headers)
        self.length = length
        self.request_id = uuid7()
        self.started_at = self.attempt_at = gateway.now_us()
        self.began_ns = self.ready_ns = self.dispatched_ns = self.attempt_ns = time.perf_counter_ns()
        self.dialect: Dialect = OPAQUE
        self.key: Key | None = None
        self.plan: Plan | None = None
        self.request_tap = Tap(gateway.payload_bytes)
        self.booked: Cost | None = None
        self.dispatched = False
        self._held: HeldBody | None = None
        self._connection: UpstreamConnection | None = None
        self._relay: Relay | None = None
        self._limits = Limits()
        self._body_ended = False
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
        caller = self.caller
        token = caller.token
        if self._query:
            token = token or token_in_query(self._query)
            self._query = without_key(self._query)
        self.key = admit.authenticated(gateway.keys, token)
        provider = None
        if self.path.startswith(b"/p/"):
            provider, self.path = admit.provider_in(self.path)
        else:
            self.dialect = dialect_for(self.method, self.path)
        if self.dialect.reads_body or (caller.is_json and provider is None and self.method == b"POST"):
            self._held = HeldBody(gateway.body_bytes, caller.content_encoding, self.length)
        else:
            self.plan = plan_unread(gateway.table, self.key, provider, caller.tags)
            self._forward(self.plan)

    # ------------------------------------------------------------------ the request's body

    def body(self, data: bytes) -> None:
        """The next bytes of the request's body, unframed."""
        if self._done:
            return
        self.gateway.counters.bytes_in += len(data)
        if self._held is not None:
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

    def body_waits(self) -> None:
        """More of the body is to come: the client has so long for its next piece."""
        if not self._done and self._held is not None:
            self._limits.set("body", self.gateway.table.settings.server.body_timeout_s)
            self.gateway.timed.add(self)

    def body_end(self) -> None:
        """The request is complete."""
        if self._done:
            return
        self._body_ended = True
        self.ready_ns = time.perf_counter_ns()
        if self._held is None:
            if self._connection is not None:
                self._connection.send_more(b"0\r\n\r\n" if self.caller.chunked else b"", complete=True)
                self._limits.set("first byte", self._connection.first_byte_s)
            return
        assert self.key is not None
        try:
            raw = self._held.finish()
            self._held = None
            self.request_tap.add(raw)
            self.plan = plan_read(self.gateway.table, self.key, self.dialect, raw, self.caller.tags)
            self._forward(self.plan)
        except CallError as error:
            self._refuse(error)

    def _framed(self, data: bytes) -> bytes:
        """A piece of a body that streams through, chunked where the client sends it so."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self.caller.chunked else data

    # ------------------------------------------------------------------ forward

    def _forward(self, plan: Plan) -> None:
        """Writes down that the call is dispatched, then hands it to a connection: at once where one is idle."""
        gateway = self.gateway
        try:
            gateway.journal.open(booking.opened(self, plan))
        except JournalError as exc:
            message = f"The gateway takes no call that it could not account for: {exc}. See /readyz."
            again = ((b"retry-after", b"5"),)
            raise CallError(503, "journal_unavailable", message, headers=again) from exc
        self.dispatched = True
        gateway.counters.in_flight += 1
        gateway.timed.add(self)
        self._limits.begin(plan.target.upstream.timeout)
        self.dispatched_ns = time.perf_counter_ns()
        self._attempt(plan)

    def _attempt(self, plan: Plan) -> None:
        self.attempt_at = self.gateway.now_us()
        self.attempt_ns = time.perf_counter_ns()
        pool = plan.target.upstream.pool
        connection = None if self._retried else pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            self._limits.set("connect", plan.target.upstream.timeout.connect_s)
            pool.wait(self)

    def connected(self, connection: UpstreamConnection) -> None:
        plan = self.plan
        assert plan is not None
        self._connection = connection
        connection.first_byte_s = plan.target.upstream.timeout.first_byte_s
        if self._body_ended:
            self._limits.set("first byte", connection.first_byte_s)
        else:
            self._limits.suspend()
        connection.send(self, self._request(plan), complete=self._body_ended, head_only=self.method == b"HEAD")
        if not plan.held:
            plan.body = b""
            self.door.resume_body()

    def _request(self, plan: Plan) -> bytes:
        """The upstream request: its head, and as much of the body as there is."""
        upstream, caller = plan.target.upstream, self.caller
        body = plan.body
        if plan.held:
            framing = b"content-length: %d\r\n" % len(body)
        else:
            framing = b"" if self.length is None else b"content-length: %d\r\n" % self.length
            if caller.chunked:
                framing = b"transfer-encoding: chunked\r\n"
                body = (self._framed(body) if body else b"") + (b"0\r\n\r\n" if self._body_ended else b"")
            if caller.content_encoding is not None:
                framing += b"content-encoding: %b\r\n" % caller.content_encoding
        return b"%b %b HTTP/1.1\r\n%b%b%b%b%b\r\n%b" % (
            self.method,
            upstream.target(self.path, self._query),
            upstream.head,
            next(upstream.credentials),
            caller.forwarded,
            IDENTITY if plan.stream else caller.accept_encoding,
            framing,
            body,
        )

    # ------------------------------------------------------------------ the answer

    def answer_started(self, status: int, headers: Headers, complete: bool) -> None:
        assert self.plan is not None
        if not complete:
            self._limits.set("idle", self.plan.target.upstream.timeout.idle_s)
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
            assert self.plan is not None
            self._limits.set("idle", self.plan.target.upstream.timeout.idle_s)
        relay.data(data, complete)

    def answer_lost(self, reason: str, malformed: bool) -> None:
        connection, self._connection = self._connection, None
        plan = self.plan
        if self._done or connection is None or plan is None:
            return
        name = plan.target.upstream.name
        if connection.served and not connection.answering and self._can_repeat(plan):
            # It had been closed while it lay idle, and nothing was answered: once more, on a fresh one.
            self.gateway.counters.retried_stale += 1
            self._retried = True
            self._attempt(plan)
        elif malformed:
            message = f"The answer of {name} cannot be read: {reason}."
            self._fail(CallError(502, "upstream_malformed", message, error_type="parse_error"))
        else:
            message = f"The connection to {name} broke before the answer was complete: {reason}."
            self._fail(CallError(502, "upstream_reset", message, error_type="network"))

    def _can_repeat(self, plan: Plan) -> bool:
        """Whether all that was sent is still at hand."""
        return not self._retried and self._body_ended and (plan.held or not self.request_tap.size)

    def connect_failed(self, error: Exception) -> None:
        assert self.plan is not None
        name = self.plan.target.upstream.name
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
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.broken(error)
            return
        try:
            booking.book(self, error.status, error)
        except JournalError as exc:
            error = CallError(503, "journal_unavailable", f"{error.message} Nor can it be written down: {exc}.")
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
            return
        assert self.plan is not None
        if self.plan.target.upstream.drains and self._body_ended:
            if self._relay is not None:
                self._relay.client_is_gone = True
            if self._connection is not None:
                self._connection.resume()
            return
        self._let_go()
        self._end()
        relay, self._relay = self._relay, None
        gone = CallError(499, "client_closed", "the client closed the connection", error_type="cancelled")
        try:
            booking.book(self, 499, gone, relay)
        except JournalError:
            return  # its open frame is there: it will be booked as interrupted

    def _let_go(self) -> None:
        """Closes the upstream connection, or leaves the line for one."""
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
        elif self.plan is not None:
            self.plan.target.upstream.pool.forget(self)

    def _end(self) -> None:
        if self._done:
            return
        self._done = True
        self.gateway.timed.discard(self)
        if self.dispatched:
            self.gateway.counters.in_flight -= 1

    def finished(self) -> None:
        """Its relay is through: without this the two would hold each other until the garbage collector comes."""
        self._relay = None

    def reply_error(self, error: CallError) -> None:
        head = b"content-type: application/json\r\n" + self.own_head()
        for pair in error.headers:
            head += b"%b: %b\r\n" % pair
        self.door.reply(error.status, head, self.dialect.error_body(error))

    def own_head(self) -> bytes:
        """The header lines that the gateway adds to every answer."""
        return b"x-request-id: %b\r\n%b" % (
            self.request_id.encode(),
            self.plan.target.head if self.plan is not None else b"",
        )

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
        if self._connection is not None and self.plan is not None:
            self._connection.resume()
            self._limits.set("idle", self.plan.target.upstream.timeout.idle_s)

    def pause_sending(self) -> None:
        self.door.pause_body()

    def resume_sending(self) -> None:
        self.door.resume_body()

    def check(self, now: float) -> None:
        """Called by the gateway's sweep: ends the call when one of its time limits has passed."""
        name = self.plan.target.upstream.name if self.plan is not None else None
        error = self._limits.passed(now, name)
        if error is not None and self.dispatched:
            self._fail(error)
        elif error is not None:
            self._refuse(error)
