"""A call that is answered from a recording: whole or as a stream, with a row of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from gateway.core.span import CallClosed
from gateway.errors import JournalError
from gateway.proxy import failures
from gateway.proxy.booking import as_kept, opened
from gateway.proxy.costing import Cost
from gateway.proxy.recording import Recording

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange
    from gateway.proxy.flight import Flight

TURN_BYTES = 64 * 1024
"""So much of a stream is handed to the client's connection before the loop has another turn: time to hear that the
client takes no more, and for others."""

log = logging.getLogger("callgate.proxy")


class Listener:
    """A call that is answered from a recording, complete or still being made. `started` once its client has been sent
    anything; a client that reads slowly is sent no more than it takes."""

    __slots__ = (
        "_at",
        "_booked",
        "_first_ns",
        "_over",
        "_paused",
        "exchange",
        "flight",
        "recording",
        "started",
        "until",
    )

    def __init__(
        self, exchange: Exchange, recording: Recording, flight: Flight | None = None, until: float = 0
    ) -> None:
        """`flight` makes the recording, None of one that is complete; `until` is how long (monotonic seconds) the call
        waits for it to begin."""
        self.exchange = exchange
        self.recording = recording
        self.flight = flight
        self.until = until
        self.started = False
        self._at = 0
        self._paused = False
        self._booked = self._over = False
        self._first_ns: int | None = None
        exchange.cached = self

    # ------------------------------------------------------------------ what the exchange tells

    def pause(self) -> bool:
        self._paused = True
        return True

    def resume(self) -> bool:
        self._paused = False
        self.play()
        return True

    def client_gone(self) -> bool:
        """The call ends here; False, since nothing of it goes on."""
        self._over = True
        if self.started:
            self._book_broken(499, "cancelled", "the client closed the connection")
        if self.flight is not None:
            self.flight.leave(self)
        return False

    def booked(self, closed: CallClosed) -> CallClosed:
        """It books itself, not through the exchange."""
        return closed

    # ------------------------------------------------------------------ the answer

    def play(self) -> None:
        """Sends what there is."""
        if self._over:
            return
        try:
            if self.recording.streamed:
                self._stream()
            elif self.recording.complete:
                self._whole()
        except JournalError as exc:
            self._not_accounted_for(exc)
        except Exception:
            self.exchange.crash()

    def _whole(self) -> None:
        exchange, recording = self.exchange, self.recording
        self._first_ns = time.perf_counter_ns()
        self._book()
        self.started = self._over = True
        exchange.answered()
        head = self._head() + b"x-callgate-cost-usd: 0\r\n"
        exchange.door.reply(recording.status, head, b"".join(recording.pieces))

    def _stream(self) -> None:
        exchange, recording = self.exchange, self.recording
        if not self.started:
            self.started = True
            self._first_ns = time.perf_counter_ns()
            exchange.door.start(recording.status, self._head(), None)
        pieces, handed = recording.pieces, 0
        while self._at < len(pieces) and not self._paused:
            if handed >= TURN_BYTES:
                asyncio.get_running_loop().call_soon(self.play)
                return
            piece = pieces[self._at]
            self._at += 1
            handed += len(piece)
            if self._at == len(pieces) and recording.closed is not None:
                self._book()  # before the client hears the end: it may close as soon as it has
            if self._at == len(pieces) and recording.complete:
                self._finish(piece)
                return
            exchange.door.relay(piece)
        if recording.complete and self._at == len(pieces) and not self._paused:
            self._book()
            self._finish(b"")

    def _finish(self, data: bytes) -> None:
        self._over = True
        self.exchange.answered()
        self.exchange.door.finish(data)

    def _head(self) -> bytes:
        age_us = time.time_ns() // 1000 - self.recording.ended_at if self.recording.complete else 0
        return b"%bx-request-id: %b\r\nx-callgate-attempts: 0\r\nx-callgate-cache: hit\r\nage: %d\r\n" % (
            self.recording.head,
            self.exchange.request_id.encode(),
            max(0, age_us // 1_000_000),
        )

    def broken(self) -> None:
        """The answer it listened to broke off in a way that cannot be said in words."""
        closed = self.recording.closed
        error_type = closed.error_type if closed is not None else None
        self._over = True
        self._book_broken(self.recording.status, error_type or "upstream_error", "the shared answer broke off")
        self.exchange.answered()
        self.exchange.door.abort()

    def _not_accounted_for(self, exc: JournalError) -> None:
        self._over = True
        self.exchange.answered()
        if self.started:
            self.exchange.door.abort()
        else:
            self.exchange.reply_error(failures.journal_refuses(exc))

    # ------------------------------------------------------------------ its row

    def _book(self) -> None:
        """Raises JournalError."""
        if self._booked:
            return
        closed = self.recording.closed
        assert closed is not None
        self._write(closed)

    def _book_broken(self, status: int, error_type: str, message: str) -> None:
        if self._booked or (self.recording.closed is None and self.flight is None):
            return
        closed = self.recording.closed or _nothing_yet(self.exchange, self.recording)
        try:
            self._write(
                msgspec.structs.replace(closed, status_code=status, error_type=error_type, error_message=message)
            )
        except JournalError:
            log.warning("call %s, answered from the cache, could not be booked", self.exchange.request_id)

    def _write(self, first: CallClosed) -> None:
        """Both frames at once: nothing was dispatched, and it costs nothing."""
        exchange, recording = self.exchange, self.recording
        self._booked = True
        now_ns = time.perf_counter_ns()
        first_ns = self._first_ns if recording.streamed else None
        sent = recording.pieces[: self._at] if recording.streamed else recording.pieces
        size = sum(map(len, sent))
        closed = msgspec.structs.replace(
            first,
            request_id=exchange.request_id,
            ended_at=exchange.started_at + (now_ns - exchange.began_ns) // 1000,
            attempts=[],
            cost_nanousd=0,
            input_cost_nanousd=0,
            output_cost_nanousd=0,
            charge_nanousd=0,
            cost_source="cache",
            price_id=None,
            ttft_us=(first_ns - exchange.began_ns) // 1000 if first_ns is not None else None,
            upstream_us=None,
            overhead_us=(now_ns - exchange.ready_ns) // 1000 if self.flight is None else None,
            cache="hit",
            request_bytes=len(exchange.raw),
            response_bytes=size,
            request_content_type=exchange.head.content_type,
            request_headers=exchange.head.logged,
            timing=None,
            also=[],
            bill_id=None,
            bill_is_own=False,
            saved_nanousd=_worth(first),
        )
        limit = exchange.gateway.payload_bytes
        body = sent if size <= limit else (b"".join(sent)[:limit],)
        exchange.booked = _free()
        exchange.gateway.journal.opened_and_closed(
            opened(exchange, exchange.plan), *as_kept(exchange, closed, body, own_message=False)
        )
        exchange.gateway.counters.bytes_out += size


def _worth(first: CallClosed) -> int | None:
    """What the answer cost when it was made, without attempts that had failed before."""
    return first.attempts[-1].cost_nanousd if first.attempts else None


def _free() -> Cost:
    cost = Cost()
    cost.total = cost.input = cost.output = cost.charge = 0
    cost.source = "cache"
    return cost


def _nothing_yet(exchange: Exchange, recording: Recording) -> CallClosed:
    """Of a call that ends before the one it listens to."""
    target = exchange.plan.target if exchange.plan is not None else None
    return CallClosed(
        request_id=exchange.request_id,
        ended_at=exchange.started_at,
        status_code=recording.status,
        error_type=None,
        error_message=None,
        attempts=[],
        provider=target.upstream.name if target is not None else None,
        model=target.model if target is not None else None,
        upstream_request_id=None,
        usage=None,
        usage_source="none",
        usage_raw=None,
        service_tier=None,
        cost_nanousd=0,
        input_cost_nanousd=0,
        output_cost_nanousd=0,
        charge_nanousd=0,
        cost_source="cache",
        price_id=None,
        ttft_us=None,
        upstream_us=None,
        overhead_us=None,
        cache="hit",
        request_bytes=0,
        response_bytes=0,
        request_content_type=None,
        response_content_type=None,
        response_encoding=None,
        request_headers=[],
        response_headers=[],
    )
