"""When the annex may run: only when no call wants to, until somebody has waited for a page.

In the idle class it is stopped at once when a worker wakes up (see `gateway.recorder.priority`). Under lasting load on
every core that class would hardly run at all, so over a page that takes long the annex joins the others for a while.
Over exports and event streams it does so only for as long as it is starved: they would hurry all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.recorder.priority import set_idle_class

NICENESS = 5
"""Beside the others, and where there is no idle class: after calls, before what the recorder writes."""
PATIENCE_S = 0.5
LOOK_S = 1.0
STARVED = 4
"""So many times as long as it ran it waited to run, since the last look."""


class Pace:
    def __init__(self, patience_s: float = PATIENCE_S, look_s: float = LOOK_S) -> None:
        os.nice(NICENESS)
        self._patience_s = patience_s
        self._look_s = look_s
        self._waiting = self._working = 0
        self._hurrying: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._before = (0, 0)
        self.is_idle = set_idle_class(idle=True)

    @contextlib.contextmanager
    def waited_for(self) -> Iterator[None]:
        """Somebody looks at an empty page meanwhile."""
        self._waiting += 1
        if self._hurrying is None:
            self._hurrying = asyncio.get_running_loop().call_later(self._patience_s, self._hurry)
        try:
            yield
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self._hurrying.cancel()
                self._hurrying = None
                self._rest()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """On something that goes on for long."""
        self._working += 1
        if self._looking is None:
            self._before = ran_and_waited_ns()
            self._looking = asyncio.get_running_loop().call_later(self._look_s, self._look)
        try:
            yield
        finally:
            self._working -= 1
            if self._working == 0:
                self._looking.cancel()
                self._looking = None
                if self._waiting == 0:
                    self._rest()

    def _look(self) -> None:
        """Takes turns where the machine is full: a second in the idle class, then one among the others."""
        ran, waited = ran_and_waited_ns()
        is_starved = waited - self._before[1] > STARVED * (ran - self._before[0])
        self._before = ran, waited
        if is_starved and self.is_idle:
            self._hurry()
        elif self._waiting == 0:
            self._rest()
        self._looking = asyncio.get_running_loop().call_later(self._look_s, self._look)

    def _hurry(self) -> None:
        if set_idle_class(idle=False):
            self.is_idle = False

    def _rest(self) -> None:
        if not self.is_idle:
            self.is_idle = set_idle_class(idle=True)


def ran_and_waited_ns() -> tuple[int, int]:
    """Of the main thread (proc_pid_schedstat); nothing where the platform does not say."""
    try:
        ran, waited, _ = Path("/proc/self/schedstat").read_text().split()
    except (OSError, ValueError):
        return 0, 0
    return int(ran), int(waited)
