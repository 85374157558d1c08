"""When the recorder may run: only when nobody else wants to, until the log falls behind.

On Linux a process of the idle class is stopped at once when any other wakes up; a merely nice one keeps the processor
for milliseconds, which showed in one answer out of twenty. Under lasting load on every core the idle class would hardly
run at all, so a recorder that is behind joins the others, as a nice one.

A kernel that preempts lazily stops even the idle class only at its next tick or system call, milliseconds later: so the
recorder makes one (`sched_yield`) after each frame, and the SQLite writer every few rows.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NICENESS = 10
BEHIND_US = 5_000_000
CAUGHT_UP_US = 500_000


class Priority:
    """Follows the lag. Where the platform has no idle class, niceness is all."""

    def __init__(self) -> None:
        os.nice(NICENESS)
        self._idle = False
        self._set(idle=True)

    def follow(self, lag_us: int) -> None:
        if self._idle and lag_us > BEHIND_US:
            self._set(idle=False)
        elif not self._idle and lag_us < CAUGHT_UP_US:
            self._set(idle=True)

    def _set(self, *, idle: bool) -> None:
        if set_idle_class(idle=idle):
            self._idle = idle


def leave_group() -> None:
    """A process group of its own, so that Ctrl-C in a terminal is for the gateway alone. Not a session of its own:
    Linux schedules whole sessions against each other (sched(7), autogroup), whatever the classes within them are."""
    with contextlib.suppress(OSError):  # it leads a session already
        os.setpgid(0, 0)


def set_idle_class(*, idle: bool) -> bool:
    """Puts all threads of this process into the idle class or out of it; whether the platform let it."""
    if not hasattr(os, "SCHED_IDLE"):
        return False
    policy, done = os.SCHED_IDLE if idle else os.SCHED_OTHER, False
    for thread in Path("/proc/self/task").iterdir():  # the store's too; a new one takes after its maker
        with contextlib.suppress(OSError):  # not allowed in this container (nice will do), or ended just now
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))
            done = True
    return done
