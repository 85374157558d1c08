"""How a target is doing: how quick, how busy, and whether it is left alone for a while (its circuit)."""

from __future__ import annotations

from math import exp

import msgspec

from gateway.core.routing.outcome import Verdict

SECOND = 1_000_000
FORGET_US = 30 * SECOND
"""Time constant of the latency's average, and of its fading while a target is not used."""
UNKNOWN_US = SECOND
"""What a call in flight counts at a target that has never answered."""
PROBE_US = 60 * SECOND
"""A probe that has not ended by then no longer keeps others out."""
LONGEST_REST_US = 3600 * SECOND


class Breaker(msgspec.Struct, frozen=True):
    """When a circuit opens, and for how long."""

    failures: int = 5
    """In a row, within the window."""
    failure_share: float = 0.5
    """Of at least twice `failures` calls within the window."""
    window_us: int = 30 * SECOND
    open_us: int = 5 * SECOND
    open_max_us: int = 120 * SECOND
    """It doubles with each probe that fails, up to this."""


class TargetState:
    """Of one (provider, model) in one worker; lives across reloads and is shared by all routes with that target.

    `ready_at_us` is all that a choice looks at: the target is live from then on. It is late while the circuit is open
    (`opened_until_us`), while a probe is out in the half-open circuit, and while the target rests because it said so
    (`rested_until_us`). It keeps nobody out: where no target is live, the one that is soonest is tried.
    """

    __slots__ = (
        "_calls",
        "_failures",
        "_in_a_row",
        "_open_us",
        "_row_from_us",
        "_window_from_us",
        "breaker",
        "ewma_at_us",
        "ewma_us",
        "in_flight",
        "opened_until_us",
        "probing",
        "ready_at_us",
        "rested_until_us",
    )

    def __init__(self, breaker: Breaker | None = None) -> None:
        self.breaker = breaker or Breaker()
        """Replaced on a reload."""
        self.in_flight = 0
        self.ewma_us: float | None = None
        """Time to the first byte of an answer; a slow one counts at once, quick ones bit by bit. None: none yet."""
        self.ewma_at_us = 0
        self.opened_until_us = 0
        """0: the circuit is closed. In the past: half-open."""
        self.rested_until_us = 0
        self.ready_at_us = 0
        self.probing = False
        self._open_us = 0
        self._in_a_row = 0
        self._row_from_us = 0
        self._calls = 0
        self._failures = 0
        self._window_from_us = 0

    def began(self, now_us: int) -> None:
        """An attempt is sent. In a half-open circuit it is the probe, and keeps others out until it ends."""
        self.in_flight += 1
        if self.opened_until_us and now_us >= self.ready_at_us:
            self.probing = True
            self.ready_at_us = now_us + PROBE_US

    def ended(self, now_us: int, latency_us: int | None, verdict: Verdict) -> None:
        """`latency_us`: from the request's last byte to the answer's first; None where there was none. Without one and
        without harm (the client went away) it says nothing about the target."""
        self.in_flight = max(0, self.in_flight - 1)
        if verdict.harms_target:
            self._failed(now_us)
        elif latency_us is not None:
            self._answered(now_us)
            if not verdict.retry:  # a refusal is quick, which must not draw calls
                self._measured(now_us, latency_us)
        elif self.probing:
            self.probing = False
            self.ready_at_us = max(now_us, self.rested_until_us)

    def rest(self, until_us: int, now_us: int) -> None:
        """The target asked for it."""
        self.rested_until_us = max(self.rested_until_us, min(until_us, now_us + LONGEST_REST_US))
        self.ready_at_us = max(self.ready_at_us, self.rested_until_us)

    def load(self, now_us: int) -> float:
        """What the choice by latency compares: expected time, times the calls that would wait (peak EWMA). The average
        fades while nothing is measured, so that a target which was slow once is tried again."""
        if self.ewma_us is None:
            return self.in_flight * UNKNOWN_US
        return self.ewma_us * exp((self.ewma_at_us - now_us) / FORGET_US) * (self.in_flight + 1)

    def is_open(self, now_us: int) -> bool:
        """Whether failures keep calls away; half-open counts while its probe is out."""
        return self.opened_until_us > now_us or (self.probing and self.ready_at_us > now_us)

    def named(self, now_us: int) -> str:
        """`closed`, `open`, `half-open`, `probing` or `resting`."""
        if self.opened_until_us > now_us:
            return "open"
        if self.opened_until_us and self.ready_at_us > now_us and self.probing:
            return "probing"
        if self.rested_until_us > now_us:
            return "resting"
        return "half-open" if self.opened_until_us else "closed"

    def _answered(self, now_us: int) -> None:
        self._count(now_us)
        self._in_a_row = 0
        if self.opened_until_us:
            self.opened_until_us = self._open_us = 0
            self._calls = self._failures = 0
            self.probing = False
            self.ready_at_us = self.rested_until_us

    def _failed(self, now_us: int) -> None:
        if self.opened_until_us:
            if now_us >= self.opened_until_us:  # else it began before, or for want of anything better
                self._open(now_us, min(2 * self._open_us, self.breaker.open_max_us))
            return
        self._count(now_us)
        self._failures += 1
        if now_us - self._row_from_us > self.breaker.window_us:
            self._in_a_row = 0
        if not self._in_a_row:
            self._row_from_us = now_us
        self._in_a_row += 1
        breaker = self.breaker
        many = self._calls >= 2 * breaker.failures and self._failures >= breaker.failure_share * self._calls
        if many or self._in_a_row >= breaker.failures:
            self._open(now_us, breaker.open_us)

    def _count(self, now_us: int) -> None:
        if now_us - self._window_from_us > self.breaker.window_us:
            self._window_from_us = now_us
            self._calls = self._failures = 0
        self._calls += 1

    def _open(self, now_us: int, for_us: int) -> None:
        self._open_us = for_us
        self.opened_until_us = now_us + for_us
        self.probing = False
        self._in_a_row = self._calls = self._failures = 0
        self.ready_at_us = max(self.opened_until_us, self.rested_until_us)

    def _measured(self, now_us: int, latency_us: int) -> None:
        before = self.ewma_us
        if before is None or latency_us >= before:
            self.ewma_us = float(latency_us)
        else:
            kept = exp(min(0, self.ewma_at_us - now_us) / FORGET_US)
            self.ewma_us = before * kept + latency_us * (1 - kept)
        self.ewma_at_us = now_us
