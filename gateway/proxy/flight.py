"""Identical calls share one: the first goes upstream, the others listen to its answer while it comes.

A flight stands between the first call's exchange and its client: it is that exchange's door. What passes is handed on
at once, and recorded for those that listen and for the cache. When the first call fails before anything was shared,
the next one goes itself; when that fails too, all that are left do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from gateway.core.span import CallClosed
from gateway.proxy import failures
from gateway.proxy.door import CLOSED
from gateway.proxy.listener import Listener
from gateway.proxy.recording import Recording, shared_lines

if TYPE_CHECKING:
    from gateway.proxy.cache import Keep, ResponseCache
    from gateway.proxy.exchange import Exchange

_BYPASS = b"x-callgate-cache: bypass\r\n"
_MISS = b"x-callgate-cache: miss\r\n"


class Flight:
    """One call upstream with those that wait for it. `key` is its key in the cache, `keep` how its answer is kept
    there."""

    __slots__ = (
        "_abandoned",
        "_cache",
        "_door",
        "_held_up",
        "_listeners",
        "_over",
        "_tried",
        "keep",
        "key",
        "leader",
        "recording",
    )

    def __init__(self, cache: ResponseCache, key: bytes, keep: Keep, leader: Exchange, tried: int = 0) -> None:
        """`tried` is how many calls before this one have failed for the same listeners."""
        self.key = key
        self.keep = keep
        self.leader = leader
        self.recording: Recording | None = Recording()
        """None once the answer is too large to be kept, and nobody listens."""
        self._cache = cache
        self._tried = tried
        self._door = leader.door
        self._listeners: list[Listener] = []
        self._abandoned = False
        """The first call's own client has left; the call goes on for the others."""
        self._held_up = False
        self._over = False
        leader.door = self
        leader.cached = self

    # ------------------------------------------------------------------ those that listen

    @property
    def started(self) -> bool:
        """Asked of whatever answers a call; this one's exchange knows itself."""
        return False

    def join(self, exchange: Exchange, wait_s: float) -> None:
        """Another call wants the same answer."""
        assert self.recording is not None
        self.add(Listener(exchange, self.recording, self, time.monotonic() + wait_s))

    def add(self, listener: Listener) -> None:
        assert self.recording is not None
        listener.flight, listener.recording = self, self.recording
        self._listeners.append(listener)
        self.leader.gateway.timed.add(self)
        if self._held_up:
            self._held_up = False
            self.leader.resume()
        if self.recording.streamed:
            listener.play()

    def leave(self, listener: Listener) -> None:
        """Its client has gone, or its answer is complete."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners and self._abandoned and not self._over:
            self._abandoned = False  # it is now that the call itself is left; that is counted anew
            self.leader.gateway.counters.client_gone -= 1
            self.leader.client_gone()

    def check(self, now: float) -> None:
        """Called by the sweep: who has waited long enough for the answer to begin goes upstream itself."""
        for listener in list(self._listeners):
            if not listener.started and now >= listener.until:
                self._listeners.remove(listener)
                self._cache.lead(listener.exchange, self.key, self.keep).leader.go_on()

    # ------------------------------------------------------------------ what the first call's exchange tells

    def pause(self) -> bool:
        """Its client takes no more for now. True where the answer must come all the same, for the others."""
        self._held_up = not self._listeners
        return not self._held_up

    def resume(self) -> bool:
        self._held_up = False
        return False

    def client_gone(self) -> bool:
        """True where the call goes on without its client."""
        self._door = CLOSED
        if self._listeners:
            self._abandoned = True
            self.leader.gateway.counters.client_gone += 1
            return True
        self._land()
        return False

    def booked(self, closed: CallClosed) -> CallClosed:
        """The call is about to be booked as `closed`; gives back what it is to be booked as."""
        if self.recording is not None:
            self.recording.closed = closed
        booked = msgspec.structs.replace(closed, cache="miss")
        if self._abandoned and closed.error_type is None:
            gone = failures.client_gone()
            booked = msgspec.structs.replace(
                booked, status_code=499, error_type="cancelled", error_message=gone.message
            )
        return booked

    def found(self, kept: Recording) -> None:
        """The answer was in the store after all: the first call listens to it like the others."""
        if self._over:
            return  # its client has gone, and nobody else wants it
        self._land()
        self.leader.door = self._door
        listeners, self._listeners = self._listeners, []
        if not self._abandoned:
            self._cache.counters.cache_hits += 1
            listeners.insert(0, Listener(self.leader, kept))
        else:
            self.leader.answered()
        for listener in listeners:
            Listener(listener.exchange, kept).play()

    # ------------------------------------------------------------------ the door of the first call

    @property
    def address(self) -> str:
        return self._door.address

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        recording = self.recording
        if recording is not None:
            recording.status, recording.head = status, shared_lines(head)
            recording.add(body)
        self._door.reply(status, _missed(head), body)
        self._complete()

    def start(self, status: int, head: bytes, length: int | None) -> None:
        recording, plan = self.recording, self.leader.plan
        if recording is not None:
            recording.status, recording.head = status, shared_lines(head)
            recording.streamed = plan is not None and plan.stream and 200 <= status < 300
        self._door.start(status, _missed(head), length)
        self._play()

    def relay(self, data: bytes) -> None:
        self._record(data)
        self._door.relay(data)
        self._play()

    def finish(self, data: bytes) -> None:
        if data:
            self._record(data)
        self._door.finish(data)
        self._complete()

    def abort(self) -> None:
        self._door.abort()
        self._land()
        self._fail()

    def pause_body(self) -> None:
        self._door.pause_body()

    def resume_body(self) -> None:
        self._door.resume_body()

    # ------------------------------------------------------------------ the recording

    def _record(self, data: bytes) -> None:
        recording = self.recording
        if recording is None:
            return
        recording.add(data)
        if recording.size > self._cache.entry_bytes:
            self._cache.landed(self)  # too large to be kept: nobody else joins
            if not recording.streamed:
                self._part(self._waiting())
            if not self._listeners:
                self.recording = None

    def _play(self) -> None:
        if self.recording is not None and self.recording.streamed:
            for listener in list(self._listeners):
                listener.play()

    def _complete(self) -> None:
        self._land()
        recording = self.recording
        if recording is None:
            return
        recording.complete = True
        recording.ended_at = time.time_ns() // 1000
        if recording.is_good:
            self._cache.keep(self.key, recording, self.keep)
        if not recording.is_good:
            self._pass_on(self._waiting())
        for listener in list(self._listeners):
            listener.play()

    def _fail(self) -> None:
        self._pass_on(self._waiting())
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.broken()

    def _land(self) -> None:
        self._over = True
        self._cache.landed(self)
        self.leader.gateway.timed.discard(self)

    def _waiting(self) -> list[Listener]:
        """Those that have been sent nothing, who listen no more from here on."""
        waiting = [listener for listener in self._listeners if not listener.started]
        self._listeners = [listener for listener in self._listeners if listener.started]
        return waiting

    def _pass_on(self, waiting: list[Listener]) -> None:
        """After a failure: the next call goes itself, with the others behind it; after a second one all of them go."""
        if waiting and self._tried == 0 and not self.leader.gateway.draining:
            first, *others = waiting
            flight = self._cache.lead(first.exchange, self.key, self.keep, tried=1)
            for listener in others:
                flight.add(listener)
            first.exchange.go_on()
        else:
            self._part(waiting)

    def _part(self, waiting: list[Listener]) -> None:
        for listener in waiting:
            self._cache.lead(listener.exchange, self.key, self.keep, tried=1).leader.go_on()


def _missed(head: bytes) -> bytes:
    """The gateway's own lines come last, so the last one it is: a provider may be a Callgate, too."""
    before, bypass, after = head.rpartition(_BYPASS)
    return before + _MISS + after if bypass else head
