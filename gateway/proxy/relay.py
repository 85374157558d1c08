"""An answer on its way back: relayed as it comes, metered and booked before its last byte leaves.

A whole answer that arrives at once is sent with its cost in a header; one that takes its time is passed on after
`HOLD_S`, a stream at once. Only references are kept of what flows by; nothing is parsed before the end.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from gateway.core.routing import Outcome, judge, retry_after_us
from gateway.core.usage_chunk import UsageChunkFilter
from gateway.dialects import Answer, Meter
from gateway.errors import CallError, JournalError
from gateway.proxy import booking, failures
from gateway.proxy.costing import Cost, dollars
from gateway.proxy.headers import Headers, relayed
from gateway.proxy.plan import Plan
from gateway.proxy.tap import Tap, decoding

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange

HOLD_S = 0.05
"""How long a whole answer is held for its end, so that its cost can go into a header."""
HOLD_BYTES = 256 * 1024
CONTENT_WITHIN = 64 * 1024
"""Where a stream's first content is looked for; after so much without any the first byte counts."""
KEPT_BYTES = 1024 * 1024
"""At least so much of an answer's beginning is kept for the meter, also where less is logged."""
_SPEAKING = ("llm", "embedding")
"""Kinds of calls whose answer says something."""
_DONE_ENDS = (b"[DONE]\n\n", b"[DONE]\r\n\r\n")


class Relay:
    """From the answer's head on. `started` once the client has been sent anything."""

    __slots__ = (
        "_exchange",
        "_filter",
        "_flowing",
        "_looking",
        "_plan",
        "_release_timer",
        "answer_ns",
        "client_is_gone",
        "content_ns",
        "encoding",
        "ended_ns",
        "headers",
        "lookup",
        "meter",
        "started",
        "status",
        "streaming",
        "tap",
        "timing",
        "withheld",
    )

    def __init__(self, exchange: Exchange, plan: Plan, status: int, headers: Headers) -> None:
        self.lookup = lookup = dict(headers)
        self._exchange = exchange
        self._plan = plan
        self.status = status
        self.headers = headers
        self.answer_ns = time.perf_counter_ns()
        self.content_ns: int | None = None
        self.ended_ns = 0
        self.encoding = lookup.get(b"content-encoding")
        has_body = exchange.head.method != b"HEAD" and status not in (204, 304)
        self.streaming = has_body and lookup.get(b"content-type", b"").startswith(exchange.head.dialect.stream_types)
        self.tap = Tap(max(exchange.gateway.payload_bytes, KEPT_BYTES, exchange.head.dialect.keeps_bytes))
        self.meter: Meter | None = None
        """Of an answer that may be too long to be kept."""
        if exchange.head.dialect.is_long and status == 200:
            self.meter = decoding(exchange.head.dialect.meter(), self.encoding)
        self.timing: list[tuple[int, int]] | None = [] if exchange.gateway.captures_timing else None
        self.client_is_gone = self.started = False
        self.withheld = False
        """Whether the answer is kept from the client because another attempt may still take its place."""
        self._filter: UsageChunkFilter | None = None
        self._looking: bytes | None = None
        """What has come of a stream before its first content; None once that was found."""
        self._flowing = False
        """Past the first content of a stream, and only its bytes are to be passed on."""
        self._release_timer: asyncio.TimerHandle | None = None
        if self.streaming and not self.encoding:
            self._looking = b""
            self._filter = UsageChunkFilter() if plan.asked_usage else None

    def begin(self) -> None:
        """The answer's end did not come with its head."""
        if self.streaming and not self.withheld:
            self._start()

    # ------------------------------------------------------------------ an answer that may be replaced

    def withhold(self) -> None:
        """Another attempt is possible: a failure is kept back to its end, a stream to its first content."""
        if self.streaming and self.status < 400:
            self.withheld = self._looking is not None
        elif self.status < 400:
            self.withheld = self.is_empty
        else:
            verdict = judge(Outcome(self.status))
            self.withheld = verdict.retry or verdict.rotate_key

    def weigh(self, data: bytes, complete: bool) -> Outcome | None:
        """What is wrong with the answer so far, `data` being its next piece. None where nothing is: then it is passed
        on from here, or is kept back for more of it."""
        if self.status < 400 and not self.streaming:
            if not data:
                return Outcome(None, "malformed")
            self.withheld = False
            return None
        if self.status >= 400:
            if not complete and self.tap.size < CONTENT_WITHIN:
                return None
            return Outcome(self.status, None, retry_after_us(self.lookup, time.time_ns() // 1000))
        self._look_for_content(data)
        if self._looking is None:
            self.withheld = self._flowing = False
            return None
        if not complete and b"error" not in self._looking:
            return None
        answer = self._exchange.head.dialect.settle(self._looking, True)
        if answer.error is not None or (complete and not answer.complete):
            return Outcome(None, "reset")
        self.withheld = not complete
        return None

    def before_content(self) -> Answer | None:
        """What a stream that failed ahead of its first content had told: it may have used something. None otherwise."""
        return self._exchange.head.dialect.settle(self._looking, True) if self._looking else None

    @property
    def is_empty(self) -> bool:
        """Whether it is a model's answer of which nothing has come: at its end, that is none."""
        head = self._exchange.head
        speaks = bool(head.dialect.family) and head.dialect.kind in _SPEAKING
        return speaks and self.status == 200 and not self.tap.size and head.method == b"POST"

    def forget(self) -> None:
        """Another attempt takes this one's place."""
        if self._release_timer is not None:
            self._release_timer.cancel()

    # ------------------------------------------------------------------ the body

    def data(self, data: bytes, complete: bool) -> None:
        if self._flowing and not complete:
            self._flow(data)
            return
        if complete:
            self.ended_ns = time.perf_counter_ns()
        if data:
            self.tap.add(data)
            if self.meter is not None:
                self.meter.feed(data)
            if self.timing is not None:
                since_us = (time.perf_counter_ns() - self._exchange.began_ns) // 1000
                self.timing.append((since_us, len(data)))
        if self.withheld:
            return
        if self.streaming:
            self._stream(data, complete)
        elif complete:
            self._whole(data)
        elif self.started:
            self._exchange.door.relay(data)
        else:
            self._hold()

    def _stream(self, data: bytes, complete: bool) -> None:
        if not self.started:
            self._start()
            data = self.tap.joined()  # with what was withheld
            self._flowing = self._looking is None and self.timing is None
        if self._looking is not None:
            self._look_for_content(data)
        passed = data
        if self._filter is not None:
            passed = self._filter.feed(data)
            if complete:
                passed += self._filter.flush()
        if (complete or data.endswith(_DONE_ENDS)) and self._book_end() is None:
            return
        if complete:
            self._exchange.door.finish(passed)
        elif passed:
            self._exchange.door.relay(passed)

    def _flow(self, data: bytes) -> None:
        """A chunk in the middle of a stream: what nearly all of them are."""
        self.tap.add(data)
        if data.endswith(_DONE_ENDS) and self._book_end() is None:
            return
        if self._filter is not None:
            data = self._filter.feed(data)
        if data:
            self._exchange.door.relay(data)

    def _look_for_content(self, data: bytes) -> None:
        """First token time is measured at the first content, in whatever pieces it comes."""
        looking = (self._looking or b"") + data
        if self._exchange.head.dialect.first_content(looking) or len(looking) > CONTENT_WITHIN:
            self.content_ns = time.perf_counter_ns()
            self._looking = None
            self._flowing = self.timing is None
        else:
            self._looking = looking

    def _hold(self) -> None:
        if self.tap.size > HOLD_BYTES:
            self._release()
        elif self._release_timer is None:
            self._release_timer = asyncio.get_running_loop().call_later(HOLD_S, self._release)

    def _release(self) -> None:
        """Begins to pass on a whole answer whose end is not there yet."""
        if self.started or self.ended_ns or self._refuses_credentials:
            return
        self._start()
        self._exchange.door.relay(self.tap.joined())

    def _whole(self, data: bytes) -> None:
        if self._release_timer is not None:
            self._release_timer.cancel()
        exchange = self._exchange
        if self._refuses_credentials:
            self.broken(failures.credentials_refused(self._plan.target.upstream.name))
            return
        cost = self._book_end()
        if cost is None:
            return
        if self.started:
            exchange.door.finish(data)
            return
        body = self.tap.joined() if self.tap.size > len(data) else data
        head = self._head()
        if cost.total is not None:
            head += b"x-callgate-cost-usd: %b\r\n" % dollars(cost.total)
        if exchange.head.method == b"HEAD" and (length := self.lookup.get(b"content-length")):
            head += b"content-length: %b\r\n" % length
        self.started = True
        exchange.door.reply(self.status, head, body)

    # ------------------------------------------------------------------ the head

    def _start(self) -> None:
        self.started = True
        length = self.lookup.get(b"content-length")
        declared = int(length) if length is not None and self._filter is None else None
        self._exchange.door.start(self.status, self._head(), declared)

    def _head(self) -> bytes:
        exchange = self._exchange
        gateway_us = (exchange.dispatched_ns - exchange.ready_ns) // 1000
        upstream_us = (self.answer_ns - exchange.attempt_ns) // 1000
        return b"%b%bserver-timing: gateway;dur=%d.%03d, upstream;dur=%d.%03d\r\n" % (
            relayed(self.headers, self.lookup),
            exchange.own_head(),
            gateway_us // 1000,
            gateway_us % 1000,
            upstream_us // 1000,
            upstream_us % 1000,
        )

    # ------------------------------------------------------------------ endings

    def _book_end(self) -> Cost | None:
        """Books the call once. None where the journal would not take it: the client must then not be told that the
        call succeeded."""
        exchange = self._exchange
        try:
            return booking.book(exchange, 499 if self.client_is_gone else self.status, None, self)
        except JournalError as exc:
            self._break(failures.not_written_down(None, exc))
            return None

    @property
    def _refuses_credentials(self) -> bool:
        return self.status == 401

    def broken(self, error: CallError) -> None:
        """The answer breaks off, or is not one to pass on."""
        if self._release_timer is not None:
            self._release_timer.cancel()
        try:
            booking.book(self._exchange, self.status if self.started else error.status, error, self)
        except JournalError as exc:
            error = failures.not_written_down(error, exc)
        self._break(error)

    def _break(self, error: CallError) -> None:
        exchange = self._exchange
        if not self.started:
            self.started = True
            exchange.reply_error(error)
        elif self.streaming and not self.encoding:
            held = self._filter.flush() if self._filter is not None else b""
            words = exchange.head.dialect.last_words(held or self.tap.joined(), error)
            if words is None:
                exchange.door.abort()
            else:
                exchange.door.finish(held + words)
        else:
            exchange.door.abort()
