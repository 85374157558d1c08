"""One call on its way. This is the straight line: admit, plan, forward; `relay` brings the answer back and settles.

An exchange is driven by callbacks from two sides. Its door (the client) calls `begin`, `body`, `body_end`, `pause`,
`resume`, `client_gone`; its upstream connection `connected`, `answer_started`, `answer_data`, `answer_lost`. Nothing
here awaits.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable

from gateway.core.limits import Admission, Ask, Wait
from gateway.core.routing import Outcome
from gateway.errors import CallError, JournalError
from gateway.proxy import booking, failures
from gateway.proxy.admit import asked, authenticated, permitted_here, refuse_suspended
from gateway.proxy.cache import consult
from gateway.proxy.call import Call
from gateway.proxy.headers import METHODS, Headers
from gateway.proxy.incoming import HeldBody
from gateway.proxy.outgoing import LAST_CHUNK, chunk, upstream_request
from gateway.proxy.plan import Plan, aimed, plan_read, plan_unread
from gateway.proxy.relay import Relay
from gateway.proxy.tap import Tap
from gateway.proxy.upstream import UpstreamConnection


class Exchange(Call):
    """What it knows, and how it ends, is `Call`'s."""

    __slots__ = ()

    # ------------------------------------------------------------------ admit

    def begin(self) -> None:
        """The request's head has been read."""
        self._take(self._begin)

    def begin_whole(self, body: bytes) -> None:
        """The same for a request that came in one piece, with a body that is held and not compressed."""
        self._take(self._begin_whole, body)

    def _take(self, step: Callable[..., None], *given: object) -> None:
        """One step before the call is dispatched. What it refuses is answered, and a bug of the gateway's too."""
        try:
            step(*given)
        except CallError as error:
            self._refuse(error)
        except Exception:
            self.crash()

    def _begin(self) -> None:
        gateway, head = self.gateway, self.head
        self._admit()
        if head.is_held:
            self._held = HeldBody(gateway.body_bytes, head.content_encoding, self.length)
        else:
            assert self.key is not None
            self.request_tap = Tap(gateway.payload_bytes)
            self._forward(plan_unread(gateway.table, self.key, head))

    def _begin_whole(self, body: bytes) -> None:
        self._admit()
        self._read(body)

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
            self._take(self._held.feed, data)
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
            self._take(self._read_held, held)
            return
        self._body_ended = True
        self.ready_ns = time.perf_counter_ns()
        if self._connection is not None and self.plan is not None:
            self._connection.send_more(LAST_CHUNK if self.head.chunked else b"", complete=True)
            self._limit("first byte", self.plan.target.timeout.first_byte_s)

    def _read_held(self, held: HeldBody) -> None:
        self._read(held.finish())

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
        if self.gateway.keys.suspended:
            refuse_suspended(self.gateway.keys, plan.tags)
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
        self._take(self._enter, self.plan)

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
        self._take(self._let_in, admission, ask, self.plan)

    def _let_in(self, admission: Admission, ask: Ask, plan: Plan) -> None:
        self.lease = admission.admit(ask, time.time_ns() // 1000)
        self._dispatch(plan)

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
        signer = plan.target.upstream.signer
        if signer is None or signer.ready:
            self._connect(plan)
        else:
            self._limit("connect", plan.target.timeout.connect_s)
            signer.wait(self)

    def signed(self) -> None:
        """The credentials are there that the call waited for."""
        assert self.plan is not None
        self._connect(self.plan)

    def _connect(self, plan: Plan) -> None:
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
