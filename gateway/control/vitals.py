"""How this installation has been in the last hour, sampled in memory: what the Operations page draws.

The journal and the recorder are those of all workers; calls, connections and the loop's lag are this worker's own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway.control.processes import ProcessUse, processes
from gateway.core.health import RecorderHealth

if TYPE_CHECKING:
    from gateway.control.state import ProxyCounters

SAMPLE_S = 10.0
KEPT = 360
"""An hour of samples."""
TICK_S = 0.5
"""The loop's lag is what a sleep of this length takes longer."""
SECOND = 1_000_000


class Sample(msgspec.Struct, frozen=True):
    at: int
    """µs UTC"""
    in_flight: int
    client_connections: int
    calls: int
    """Since the worker's start."""
    backlog_bytes: int
    recorder_lag_us: int
    rows_per_s: float
    loop_lag_us: int
    """The longest since the sample before."""


class ProcessView(msgspec.Struct, frozen=True):
    use: ProcessUse
    cpu_share: float | None
    """Of one core, since the sample before; None until there are two."""


class Vitals:
    def __init__(
        self, data: Path, counters: ProxyCounters, recorder: Callable[[], RecorderHealth], *, tick_s: float = TICK_S
    ) -> None:
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.processes: list[ProcessView] = []
        self._data = data
        self._counters = counters
        self._recorder = recorder
        self._tick_s = tick_s
        self._used: dict[int, tuple[float, float]] = {}
        """Process id → (seconds of CPU, at this time of the monotonic clock)."""

    async def run(self, sample_s: float = SAMPLE_S) -> None:
        """Samples at once and from then on, until cancelled."""
        longest = 0.0
        self.take(0)
        due = time.monotonic() + sample_s
        while True:
            began = time.monotonic()
            await asyncio.sleep(self._tick_s)
            now = time.monotonic()
            longest = max(longest, now - began - self._tick_s)
            if now >= due:
                self.take(round(longest * SECOND))
                longest, due = 0.0, now + sample_s

    def take(self, loop_lag_us: int) -> Sample:
        recorder, counters = self._recorder(), self._counters
        sample = Sample(
            time.time_ns() // 1000,
            counters.in_flight,
            counters.client_connections,
            counters.calls,
            recorder.backlog_bytes,
            recorder.lag_us,
            recorder.rows_per_s,
            loop_lag_us,
        )
        self.samples.append(sample)
        self.processes = self._look(recorder.pid)
        return sample

    def _look(self, recorder_pid: int | None) -> list[ProcessView]:
        now, before, views = time.monotonic(), self._used, []
        self._used = {}
        for use in processes(self._data, recorder_pid):
            cpu_s, at = before.get(use.pid, (None, 0.0))
            share = None if cpu_s is None or now <= at else max(0.0, (use.cpu_s - cpu_s) / (now - at))
            views.append(ProcessView(use, share))
            self._used[use.pid] = (use.cpu_s, now)
        return views
