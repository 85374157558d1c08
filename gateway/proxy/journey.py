"""A call's way through its route: which target and key each attempt takes, and what became of those that failed.

Only a call that has a choice has a journey: several targets, several keys, or tries to repeat. What it decides is
`core.routing`; here its decisions meet the exchange.
"""

from __future__ import annotations

import asyncio
import random
import time

from gateway.core.routing import Ask, Choice, Course, Outcome, Verdict, judge
from gateway.core.span import Attempt
from gateway.proxy.target import Target, Way

FINE = Verdict()
"""Nothing was wrong with the target."""


def now_us() -> int:
    """The clock of routes and circuits: it never goes back."""
    return time.monotonic_ns() // 1000


class Journey:
    """`attempts` are those that failed and were followed by another; the last one is the call's own end."""

    __slots__ = ("_choice", "_course", "attempts", "is_under_way", "timer", "way")

    def __init__(self, way: Way, ask: Ask) -> None:
        self.way = way
        self.attempts: list[Attempt] = []
        self.timer: asyncio.TimerHandle | None = None
        """Of the pause before the next attempt."""
        self._course = Course(way.route, ask, random.random)
        self._choice: Choice = self._course.first(now_us())
        self.is_under_way = False

    @property
    def target(self) -> Target:
        return self.way.targets[self._choice.member]

    @property
    def key_line(self) -> bytes:
        return self.target.upstream.key_lines[self._choice.key]

    @property
    def wait_s(self) -> float:
        """How long to wait before the attempt."""
        return self._choice.wait_us / 1e6

    @property
    def first_token_s(self) -> float | None:
        """Within which an attempt must say something, or another is made."""
        return self.target.first_token_s

    def began(self) -> None:
        """An attempt is dispatched."""
        self.is_under_way = True
        self.way.route.members[self._choice.member].state.began(now_us())

    def ended(self, verdict: Verdict = FINE, latency_us: int | None = None) -> None:
        """An attempt is over, however it went; once."""
        if self.is_under_way:
            self.is_under_way = False
            self.way.route.members[self._choice.member].state.ended(now_us(), latency_us, verdict)

    def sends_again(self, attempt: Attempt) -> None:
        """The same once more, on another connection: that one was dead says nothing about the target."""
        self.ended()
        self.attempts.append(attempt)

    def goes_on(self, outcome: Outcome, attempt: Attempt) -> bool:
        """After a failed attempt: whether there is another target, key or try; `target` and `key_line` are its."""
        self.ended(judge(outcome))
        choice = self._course.next(outcome, now_us())
        if choice is None:
            return False
        self.attempts.append(attempt)
        self._choice = choice
        return True

    def gives_up(self, outcome: Outcome) -> None:
        """After a failure of a call that cannot be sent again: the target and the key hear of it all the same."""
        self.ended(self._course.judged(outcome, now_us()))

    def leave(self) -> None:
        """The client hears no more of other attempts."""
        if self.timer is not None:
            self.timer.cancel()
