"""Deleting what is older than the settings allow, a little at a time."""

from __future__ import annotations

import time

from gateway.settings import Log
from gateway.store.base import SpanWriter

DAY_US = 86_400_000_000
STEP_ROWS = 500
EVERY_S = 60.0
OVERDUE_S = 600.0
"""Under load that never pauses a step is taken between two batches after this time."""
CLOCK_JUMP_S = 3600.0


class Retention:
    def __init__(self, log: Log) -> None:
        self._days = log.retention_days
        self._payload_days = log.payload_retention_days
        self._next_at = time.monotonic()
        self._clock = time.time() - time.monotonic()

    def is_due(self, *, idle: bool) -> bool:
        late_s = time.monotonic() - self._next_at
        return late_s >= 0 if idle else late_s >= OVERDUE_S

    async def step(self, store: SpanWriter) -> int:
        """One small deletion; how many rows went. Raises StoreError.

        A clock that was set forward by hours between two steps must not empty the log: it is believed the next time.
        """
        clock = time.time() - time.monotonic()
        jumped, self._clock = abs(clock - self._clock) > CLOCK_JUMP_S, clock
        if jumped:
            self._next_at = time.monotonic() + EVERY_S
            return 0
        now_us = time.time_ns() // 1000
        gone = await store.expire(
            spans_before_us=_before(now_us, self._days),
            payloads_before_us=_before(now_us, self._payload_days),
            limit=STEP_ROWS,
        )
        self._next_at = time.monotonic() + (0 if gone else EVERY_S)
        return gone


def _before(now_us: int, days: int | None) -> int | None:
    return None if days is None else now_us - days * DAY_US
