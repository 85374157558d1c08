"""Routes for the tests of routing: members named by letters, a clock that stands where it is put."""

from __future__ import annotations

from itertools import count
from typing import Any

from gateway.core.routing import (
    Breaker,
    Course,
    KeyRing,
    Member,
    Outcome,
    Route,
    RoutePolicy,
    TargetState,
    Verdict,
    judge,
)

SECOND = 1_000_000
NOW = 1_000 * SECOND

FINE = judge(Outcome(200))
BROKEN = judge(Outcome(503))


def member(
    index: int = 0, model: str | None = None, *, keys: int = 1, breaker: Breaker | None = None, **more: Any
) -> Member:
    name = model or "abcdefgh"[index]
    return Member(index=index, model=name, state=TargetState(breaker), keys=KeyRing(keys), **more)


def route(*members: dict[str, Any], **policy: Any) -> Route:
    """Members by what is special about them: `route({"weight": 9}, {}, {"tier": 1}, retries=2)`."""
    made = tuple(member(index, **about) for index, about in enumerate(members))
    return Route("smart", made, RoutePolicy(**policy))


def opened(state: TargetState, now_us: int = NOW) -> None:
    """Failures until its circuit is open."""
    while not state.is_open(now_us):
        fail(state, now_us)


def fail(state: TargetState, now_us: int = NOW, verdict: Verdict = BROKEN) -> None:
    state.began(now_us)
    state.ended(now_us, None, verdict)


def answer(state: TargetState, now_us: int = NOW, latency_us: int = 100_000) -> None:
    state.began(now_us)
    state.ended(now_us, latency_us, FINE)


def names(course: Course, first: int, *outcomes: Outcome, now_us: int = NOW) -> str:
    """The members that a course tries, as a word; ends early with `.` where it gives up."""
    word = course.route.members[first].model
    for outcome in outcomes:
        choice = course.next(outcome, now_us)
        if choice is None:
            return word + "."
        word += course.route.members[choice.member].model
    return word


class Dice:
    """Numbers in turn, then from the beginning."""

    def __init__(self, *numbers: float) -> None:
        self._numbers = numbers
        self._turn = count()

    def __call__(self) -> float:
        return self._numbers[next(self._turn) % len(self._numbers)]
