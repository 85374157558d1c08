"""One call, start to end. This is the straight line: admit, plan, forward; `relay` brings the answer back and settles.

An exchange is driven by callbacks from two sides. Its door (the client) calls `begin`, `body`, `body_end`, `pause`,
`resume`, `client_gone`; its upstream connection `connected`, `answer_started`, `answer_data`, `answer_lost`. Nothing
here awaits.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable

from gateway.core.ids import uuid7
from gateway.core.key import Key
from gateway.core.limits import Admission, Ask, Lease, Wait
from gateway.core.routing import Outcome
from gateway.core.span import Attempt
from gateway.errors import CallError, JournalError
from gateway.proxy import booking, failures
from gateway.proxy.admit import asked, authenticated, permitted_here
from gateway.proxy.cache import consult
from gateway.proxy.costing import Cost
from gateway.proxy.door import CLOSED, Door
from gateway.proxy.flight import Flight
from gateway.proxy.gateway import Gateway
from gateway.proxy.head import Head
from gateway.proxy.headers import METHODS, Headers
from gateway.proxy.incoming import HeldBody
from gateway.proxy.outgoing import LAST_CHUNK, chunk, upstream_request
from gateway.proxy.plan import Plan, aimed, plan_read, plan_unread
from gateway.proxy.recording import Listener
from gateway.proxy.relay import Relay
from gateway.proxy.tap import Tap
from gateway.proxy.upstream import UpstreamConnection

log = logging.getLogger("callgate.proxy")


class Exchange:
    """A call in flight. `request_id` is its id everywhere; `…_ns` are `perf_counter_ns`, `…_at` µs UTC."""

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

    # ------------------------------------------------------------------ admit

    def begin(self) -> None:
        """The request's head has been read."""
        gateway, head = self.gateway, self.head
        try:
            self._admit()
            if head.is_held:
                self._held = HeldBody(gateway.body_bytes, head.content_encoding, self.length)
            else:
                assert self.key is not None
                self.request_tap = Tap(gateway.payload_bytes)
                self._forward(plan_unread(gateway.table, self.key, head))
        except CallError as error:
            self._refuse(error)
        except Exception:
            self.crash()

    def begin_whole(self, body: bytes) -> None:
        """The same for a request that came in one piece, with a body that is held and not compressed."""
        try:
            self._admit()
            self._read(body)
        except CallError as error:
            self._refuse(error)
        except Exception:
            self.crash()

    def _admit(self) -> None:
        gateway = self.gateway
        gateway.counters.calls += 1
        if gateway.draining:
            raise failures.shutting_down()
        if self.head.method not in METHODS:
            raise failures.no_such_method(self.head.method)
        self.key = authenticated(gateway.keys, self.head.token)
        permitted_here(self.key, self.head, self.door, gateway.table.settings.server.trusted_proxies)

    # ------------------------------------------------------------------ the request's body

    def body(self, data: bytes) -> None:
        """The next bytes of the request's body, unframed."""
        if self._done:
            return
        if self._held is not None:
            try:
                self._held.feed(data)
            except CallError as error:
                self._refuse(error)
            return
        assert self.plan is not None
        assert self.request_tap is not None
        self.gateway.counters.bytes_in += len(data)
        self.request_tap.add(data)
        if self._connection is not None:
            self._connection.send_more(chunk(data) if self.head.chunked else data, complete=False)
        else:
            self.plan.body += data  # at most what was under way when the door was told to pause
            self.door.pause_body()

    def body_waits(self) -> None:
        """More of the body is to come: the client has so long for its next piece."""
        if self._held is not None and not self._done:
            self._limit("body", self.gateway.table.settings.server.body_timeout_s)
            self.gateway.timed.add(self)

    def body_end(self) -> None:
        """The request is complete."""
        if self._done:
            return
        if self._held is not None:
            held, self._held = self._held, None
            try:
                self._read(held.finish())
            except CallError as error:
                self._refuse(error)
            except Exception:
                self.crash()
            return
        self._body_ended = True
        self.ready_ns = time.perf_counter_ns()
        if self._connection is not None and self.plan is not None:
            self._connection.send_more(LAST_CHUNK if self.head.chunked else b"", complete=True)
            self._limit("first byte", self.plan.target.timeout.first_byte_s)

    def _read(self, raw: bytes) -> None:
        """A held body is there, all of it and decoded: it says which model is meant."""
        gateway, head = self.gateway, self.head
        assert self.key is not None
        if len(raw) > gateway.body_bytes:
            HeldBody(gateway.body_bytes, None, len(raw))
        self._body_ended = True
        self.ready_ns = time.perf_counter_ns()
        self.raw = raw
        gateway.counters.bytes_in += len(raw)
        self._forward(plan_read(gateway.table, self.key, head, raw))

    # ------------------------------------------------------------------ forward

    def _forward(self, plan: Plan) -> None:
        """Answers from the cache what is in it; every other call goes on."""
        if (self.gateway.cache is not None or self.head.cache_control is not None) and consult(self, plan):
            return
        self.plan = plan
        self._enter(plan)

    def go_on(self) -> None:
        """The call has waited for the cache, and goes upstream after all."""
        if self._done or self.plan is None:
            return
        if self.gateway.draining:
            self._refuse(failures.shutting_down())
            return
        self.ready_ns = time.perf_counter_ns()
        try:
            self._enter(self.plan)
        except CallError as error:
            self._refuse(error)
        except Exception:
            self.crash()

    def _enter(self, plan: Plan) -> None:
        """Asks whether there is room for the call, and lets it in: at once, or when it is its turn."""
        admission = self.gateway.admission
        if admission is not None:
            ask = asked(self, plan)
            try:
                self.lease = admission.admit(ask, self.started_at)
            except Wait as wait:
                self._leave_line = wait.enter(functools.partial(self._turn, admission, ask))
                return
        self._dispatch(plan)

    def _turn(self, admission: Admission, ask: Ask) -> None:
        """The call has waited in line, and is let in or refused now."""
        self._leave_line = None
        if self._done or self.plan is None:
            return
        ask.waited = True
        try:
            self.lease = admission.admit(ask, time.time_ns() // 1000)
            self._dispatch(self.plan)
        except CallError as error:
            self._refuse(error)
        except Exception:
            self.crash()

    def _dispatch(self, plan: Plan) -> None:
        """Writes down that the call is dispatched, then hands it to a connection: at once where one is idle."""
        gateway = self.gateway
        try:
            gateway.journal.open(booking.opened(self, plan))
        except JournalError as exc:
            if self.lease is not None:
                self.lease.release(self.started_at)
            raise failures.journal_refuses(exc) from exc
        self.dispatched = True
        gateway.counters.in_flight += 1
        gateway.timed.add(self)
        self._total_at = time.monotonic() + plan.target.timeout.total_s
        self.dispatched_ns = time.perf_counter_ns()
        self._attempt(plan)

    def _attempt(self, plan: Plan) -> None:
        self.attempt_ns = time.perf_counter_ns()
        if plan.journey is not None:
            plan.journey.began()
            if plan.target.first_token_s is not None:
                self._token_at = time.monotonic() + plan.target.first_token_s
        pool = plan.target.upstream.pool
        connection = None if self._retried else pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            self._limit("connect", plan.target.timeout.connect_s)
            pool.wait(self)

    def connected(self, connection: UpstreamConnection) -> None:
        plan = self.plan
        assert plan is not None
        self._connection = connection
        if self._body_ended:
            self._limit("first byte", plan.target.timeout.first_byte_s)
        else:
            self._limit_at = failures.FOREVER
        request = upstream_request(self, plan, body_ended=self._body_ended)
        connection.send(self, request, complete=self._body_ended, head_only=self.head.method == b"HEAD")
        if not plan.held:
            plan.body = b""
            self.door.resume_body()

    # ------------------------------------------------------------------ the answer

    def answer_started(self, status: int, headers: Headers, complete: bool) -> None:
        plan = self.plan
        assert plan is not None
        relay = self._relay = Relay(self, plan, status, headers)
        if plan.journey is not None and self._can_repeat(plan):
            relay.withhold()
        if not complete:
            self._limit("idle", plan.target.timeout.idle_s)
            relay.begin()

    def answer_data(self, data: bytes, complete: bool) -> None:
        relay = self._relay
        if relay is None or self._done:
            return
        if relay.withheld and (outcome := relay.weigh(data, complete)) is not None:
            if complete:
                self._connection = None
            if self._tries_on(outcome, None):
                return
            relay.withheld = False
        if complete:
            self._connection = None
            self._relay = None  # or the two would hold each other until the garbage collector comes
            self._end()
        try:
            relay.data(data, complete)
        except Exception:
            self.crash()

    def answer_lost(self, reason: str, malformed: bool) -> None:
        connection, self._connection = self._connection, None
        plan = self.plan
        if self._done or connection is None or plan is None:
            return
        name = plan.target.upstream.name
        if connection.was_idle and not connection.answering and not self._retried and self._can_repeat(plan):
            # It had been closed while it lay idle, and nothing was answered: once more, on a fresh one.
            self.gateway.counters.retried_stale += 1
            self._retried = True
            attempt = booking.lost_attempt(self, plan)
            if plan.journey is not None:
                plan.journey.sends_again(attempt)
            else:
                self.lost_attempt = attempt
            self._attempt(plan)
        elif malformed:
            self._attempt_failed("malformed", failures.malformed(name, reason))
        else:
            self._attempt_failed("reset", failures.lost(name, reason))

    def connect_failed(self, error: Exception) -> None:
        assert self.plan is not None
        self._attempt_failed("connect", failures.unreachable(self.plan.target.upstream.name, error))

    # ------------------------------------------------------------------ another attempt

    def _attempt_failed(self, reason: str, error: CallError) -> None:
        """No answer came, or none that is complete."""
        relay = self._relay
        if (relay is not None and relay.started) or not self._tries_on(Outcome(None, reason), error):
            self._fail(error)

    def _can_repeat(self, plan: Plan) -> bool:
        """Whether all that was sent is still at hand."""
        nothing_sent = self.request_tap is None or not self.request_tap.size
        return self._body_ended and (plan.held or nothing_sent)

    def _tries_on(self, outcome: Outcome, error: CallError | None) -> bool:
        """After an attempt that failed before the client was sent anything: whether another one is on its way.
        `error` is None where the provider answered, and its answer is the failure."""
        plan = self.plan
        if plan is None or plan.journey is None or self._done or not self._can_repeat(plan):
            return False
        journey = plan.journey
        if not journey.goes_on(outcome, booking.failed_attempt(self, plan, error, self._relay)):
            return False
        self._let_go()
        if self._relay is not None:
            self._relay.forget()
            self._relay = None
        self._retried = False
        self._seen_bytes = 0
        self.plan = plan = aimed(plan, journey.target, self.gateway.table, self.head, self.raw)
        plan.key_line = journey.key_line
        self.gateway.counters.attempts_repeated += 1
        if journey.wait_s:
            self._limit_at = failures.FOREVER
            journey.timer = asyncio.get_running_loop().call_later(journey.wait_s, self._attempt, plan)
        else:
            self._attempt(plan)
        return True

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
            self.plan.target.upstream.pool.forget(self)

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

    # ------------------------------------------------------------------ flow control and time

    def pause(self) -> None:
        """The client takes no more for now, so the provider is held up; waiting for the client is not its fault."""
        if self.cached is not None and self.cached.pause():
            return
        if self._connection is not None:
            self._connection.pause()
            self._limit_at = failures.FOREVER
            self._seen_bytes = self._relay.tap.size if self._relay is not None else 0

    def resume(self) -> None:
        if self.cached is not None and self.cached.resume():
            return
        if self._connection is not None and self.plan is not None:
            self._connection.resume()
            self._limit("idle", self.plan.target.timeout.idle_s)

    def pause_sending(self) -> None:
        self.door.pause_body()

    def resume_sending(self) -> None:
        self.door.resume_body()

    def _limit(self, name: str, seconds: float) -> None:
        self._limit_name = name
        self._limit_at = time.monotonic() + seconds

    def check(self, now: float) -> None:
        """Called by the gateway's sweep: ends the call when one of its time limits has passed."""
        relay = self._relay
        if relay is not None and relay.tap.size != self._seen_bytes and self.plan is not None:
            self._seen_bytes = relay.tap.size  # the answer has moved on: a chunk costs no look at the clock
            self._limit_at = now + self.plan.target.timeout.idle_s
        if now < self._limit_at and now < self._total_at and (now < self._token_at or not self._waits_for_token()):
            return
        if not self.dispatched or self.plan is None:
            self._refuse(failures.body_stalled(self.gateway.table.settings.server))
            return
        target = self.plan.target
        if now >= self._total_at:
            self._fail(failures.too_slow("total", target.timeout, target.upstream.name))
        elif now >= self._limit_at:
            error = failures.too_slow(self._limit_name, target.timeout, target.upstream.name)
            self._attempt_failed("timeout", error)
        else:
            self._attempt_failed("timeout", failures.no_token(target.first_token_s or 0, target.upstream.name))

    def _waits_for_token(self) -> bool:
        """Whether nothing that a model said has come yet."""
        return self._connection is not None and (self._relay is None or self._relay.withheld)
