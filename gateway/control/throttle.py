"""Slows guessing down: failed tries by address, and by account, over all workers of the machine.

Each worker counts in its own memory and tells the others of a failure (`gateway.control.fleet`), a matter of
milliseconds; who guesses at all of them at once gets one try more in each at the most.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from gateway.control.fleet import Question


class Failure(msgspec.Struct, frozen=True):
    throttle: str
    """Which of them: `address` or `account`."""
    name: str


FAILED = Question("sign-in failed", Failure, bool)


class Throttle:
    """Counts failed tries by name. Bounded: the names longest without a failure are forgotten."""

    def __init__(self, *, tries: int = 10, window_s: float = 60, names: int = 10_000) -> None:
        self._tries = tries
        self._window_s = window_s
        self._names = names
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self.tell: Callable[[str], None] | None = None
        """Lets the other workers know of a failure here; None where there are none."""

    def wait_s(self, name: str, now: float) -> float:
        """How long this one must wait before the next try; 0 if it may."""
        recent = self._recent(name, now)
        return recent[0] + self._window_s - now if len(recent) >= self._tries else 0

    def failed(self, name: str, now: float) -> None:
        self.heard(name, now)
        if self.tell is not None:
            self.tell(name)

    def heard(self, name: str, now: float) -> None:
        """A failure in another worker."""
        self._failures[name] = [*self._recent(name, now), now][-self._tries :]
        self._failures.move_to_end(name)
        while len(self._failures) > self._names:
            self._failures.popitem(last=False)

    def _recent(self, name: str, now: float) -> list[float]:
        return [at for at in self._failures.get(name, ()) if now - at < self._window_s]
