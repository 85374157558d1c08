"""A call in flight: what is known of it, what it still holds, how long it may take, and how it ends.

`exchange` is the way there. A call ends once, however it ends: what it holds is let go of, it is booked, and the client
is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from gateway.core.ids import uuid7
from gateway.core.key import Key
from gateway.core.limits import Lease
from gateway.core.span import Attempt
from gateway.errors import CallError, JournalError
from gateway.proxy import booking, failures
from gateway.proxy.costing import Cost
from gateway.proxy.door import CLOSED, Door
from gateway.proxy.flight import Flight
from gateway.proxy.gateway import Gateway
from gateway.proxy.head import Head
from gateway.proxy.incoming import HeldBody
from gateway.proxy.listener import Listener
from gateway.proxy.plan import Plan
from gateway.proxy.relay import Relay
from gateway.proxy.tap import Tap
from gateway.proxy.upstream import UpstreamConnection

log = logging.getLogger("callgate.proxy")


class Call:
    """`request_id` is its id everywhere; `…_ns` are `perf_counter_ns`, `…_at` µs UTC."""

    __slots__ = (
        "_body_ended",
        "_connection",
        "_done",
        "_held",
        "_leave_line",
        "_limit_at",
        "_limit_name",
        "_relay",
        "_retried",
        "_seen_bytes",
        "_token_at",
        "_total_at",
        "attempt_ns",
        "began_ns",
        "booked",
        "cached",
        "dispatched",
        "dispatched_ns",
        "door",
        "gateway",
        "head",
        "key",
        "lease",
        "length",
        "lost_attempt",
        "plan",
        "raw",
        "ready_ns",
        "request_id",
        "request_tap",
        "started_at",
    )

    def __init__(self, gateway: Gateway, door: Door, head: Head, length: int | None) -> None:
        """`length` is the declared `content-length`, None where there is none."""
        self.gateway = gateway
        self.door: Door = door
        self.head = head
        self.length = length
        self.request_id = uuid7()
        self.started_at = time.time_ns() // 1000
        self.began_ns = self.ready_ns = self.attempt_ns = self.dispatched_ns = time.perf_counter_ns()
        self.key: Key | None = None
        self.plan: Plan | None = None
        self.raw = b""
        """A held body, decoded."""
        self.request_tap: Tap | None = None
        """Of a body that streams through."""
        self.booked: Cost | None = None
        self.lease: Lease | None = None
        """What it holds of limits and budgets."""
        self.lost_attempt: Attempt | None = None
        """Of a call without a journey: one before the last, on a connection that was found dead."""
        self.cached: Flight | Listener | None = None
        """Its part in the response cache: it makes an answer for it, or listens to one."""
        self.dispatched = False
        self._held: HeldBody | None = None
        self._connection: UpstreamConnection | None = None
        self._relay: Relay | None = None
        self._leave_line: Callable[[], None] | None = None
        """While it waits for a limit: what takes it out of the line."""
        self._limit_name = ""
        self._seen_bytes = 0
        self._limit_at = self._total_at = self._token_at = failures.FOREVER
        self._body_ended = self._retried = self._done = False

    # ------------------------------------------------------------------ endings

    def answered(self) -> None:
        """The call's answer comes from the cache, and is complete."""
        self._end()

    def refuse(self, error: CallError) -> None:
        """For a call that waited and was not dispatched."""
        if not self._done:
            self._refuse(error)

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
            booking.book(self, error.status, error, None)
        except JournalError as exc:
            error = failures.not_written_down(error, exc)
        self.reply_error(error)

    def crash(self) -> None:
        """A bug of the gateway's: the log gets the traceback, the client an answer, and the call its row."""
        log.exception("call %s failed inside the gateway", self.request_id)
        error = failures.crashed()
        try:
            if self._done:
                self.door.abort()
            elif self.dispatched:
                self._fail(error)
            else:
                self._refuse(error)
        except Exception:
            log.exception("call %s could not be ended properly", self.request_id)
            self._end()
            self.door.abort()

    def interrupt(self, error: CallError) -> None:
        """The gateway stops before the answer is complete."""
        if self.dispatched and not self._done:
            self._fail(error)

    def client_gone(self) -> None:
        """The client closed its connection before its answer was complete."""
        if self._done or (self.cached is not None and self.cached.client_gone()):
            return
        self.gateway.counters.client_gone += 1
        self.door = CLOSED
        plan = self.plan
        if not self.dispatched or plan is None:
            self._end()
            return
        if plan.target.upstream.drains and self._body_ended:
            if self._relay is not None:
                self._relay.client_is_gone = True
            if self._connection is not None:
                self._connection.resume()
            return
        self._let_go()
        self._end()
        relay, self._relay = self._relay, None
        try:
            booking.book(self, 499, failures.client_gone(), relay)
        except JournalError:
            return  # its open frame is there: it will be booked as interrupted

    def _let_go(self) -> None:
        """Closes the upstream connection, or leaves the line for one."""
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
        elif self.plan is not None:
            upstream = self.plan.target.upstream
            upstream.pool.forget(self)
            if upstream.signer is not None:
                upstream.signer.forget(self)

    def _end(self) -> None:
        if self._done:
            return
        self._done = True
        self.gateway.timed.discard(self)
        if self._leave_line is not None:
            self._leave_line()
            self._leave_line = None
        if self.plan is not None and self.plan.journey is not None:
            self.plan.journey.leave()
        if self.dispatched:
            self.gateway.counters.in_flight -= 1

    def reply_error(self, error: CallError) -> None:
        head = b"content-type: application/json\r\n" + self.own_head()
        for pair in error.headers:
            head += b"%b: %b\r\n" % pair
        self.door.reply(error.status, head, self.head.dialect.error_body(error))

    def own_head(self) -> bytes:
        """The header lines that the gateway adds to every answer."""
        plan = self.plan
        if plan is None:
            return b"x-request-id: %b\r\n" % self.request_id.encode()
        limits = self.lease.head if self.lease is not None else b""
        if plan.journey is None and self.lost_attempt is None:
            return b"x-request-id: %b\r\n%b%b" % (self.request_id.encode(), plan.target.head_alone, limits)
        return b"x-request-id: %b\r\n%bx-callgate-attempts: %d\r\nx-callgate-cache: bypass\r\n%b" % (
            self.request_id.encode(),
            plan.target.head,
            2 if plan.journey is None else len(plan.journey.attempts) + 1,
            limits,
        )

    @property
    def is_waiting(self) -> bool:
        """Whether the request is complete and its answer is not."""
        return self._body_ended and not self._done

    @property
    def is_answering(self) -> bool:
        """Whether the client has been sent any of its answer."""
        relay, cached = self._relay, self.cached
        return (relay is not None and relay.started) or (cached is not None and cached.started)

    # ------------------------------------------------------------------ time

    def _limit(self, name: str, seconds: float) -> None:
        self._limit_name = name
        self._limit_at = time.monotonic() + seconds
