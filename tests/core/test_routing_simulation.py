"""Three targets that fail in every way there is, thousands of calls, a clock that only counts: no error reaches a
client that another attempt within the bounds would have prevented."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable

from gateway.core.routing import Ask, Course, Outcome, Route, judge
from tests.core.routing_parts import NOW, SECOND, route

FAILURES = [
    *(Outcome(status) for status in (408, 409, 500, 502, 503, 529)),
    *(Outcome(None, reason) for reason in ("connect", "reset", "timeout", "malformed")),
    Outcome(429, retry_after_us=SECOND),
    Outcome(429),
]
OK = Outcome(200)


class World:
    """Calls that overlap, each driven by its course. `reply` says how an attempt ends."""

    def __init__(self, made: Route, reply: Callable[[int, int], Outcome], dice: random.Random) -> None:
        self.made = made
        self.reply = reply
        self.dice = dice
        self.ended: list[tuple[Outcome, list[tuple[int, Outcome]]]] = []
        """Of each call, what its client got, and every attempt."""
        self._events: list[tuple[int, int, Callable[[int], None]]] = []

    def run(self, calls: int, every_us: int = 20_000) -> None:
        for number in range(calls):
            self._at(NOW + number * every_us, self._call)
        while self._events:
            now, _, event = heapq.heappop(self._events)
            event(now)

    def _at(self, when: int, event: Callable[[int], None]) -> None:
        heapq.heappush(self._events, (when, len(self._events) + self.dice.randrange(1 << 40), event))

    def _call(self, now: int) -> None:
        course = Course(self.made, Ask(), self.dice.random)
        self._attempt(course, course.first(now).member, [], now)

    def _attempt(self, course: Course, index: int, attempts: list[tuple[int, Outcome]], now: int) -> None:
        state = self.made.members[index].state
        state.began(now)
        outcome = self.reply(index, now)
        latency = self.dice.randrange(10_000, 400_000)

        def end(then: int) -> None:
            verdict = judge(outcome)
            state.ended(then, latency if outcome.status is not None else None, verdict)
            attempts.append((index, outcome))
            choice = course.next(outcome, then)
            if choice is None:
                self.ended.append((outcome, attempts))
            else:
                self._at(then + choice.wait_us, lambda at: self._attempt(course, choice.member, attempts, at))

        self._at(now + latency, end)


def test_an_outage_of_every_kind_at_every_target() -> None:
    """30 % of attempts fail. What is left after all attempts is what no attempt could prevent: 0.3 to their number."""
    dice = random.Random(11)
    made = route({"weight": 3}, {}, {}, retries=4)
    world = World(made, lambda _, __: dice.choice(FAILURES) if dice.random() < 0.3 else OK, dice)
    world.run(8_000)
    assert len(world.ended) == 8_000
    failed = [attempts for outcome, attempts in world.ended if outcome != OK]
    assert all(len(attempts) == 5 and len({index for index, _ in attempts}) == 3 for attempts in failed)
    assert len(failed) / 8_000 < 0.01  # 0.3⁵ = 0.0024
    assert all(outcome != OK for _, attempts in world.ended for _, outcome in attempts[:-1])
    assert all(member.state.in_flight == 0 for member in made.members)


def test_two_of_three_dead_for_good_prevents_no_call() -> None:
    dice = random.Random(5)
    made = route({}, {}, {}, retries=2)
    world = World(made, lambda index, _: OK if index == 2 else Outcome(None, "connect"), dice)
    world.run(5_000)
    assert all(outcome == OK for outcome, _ in world.ended)
    tries = Counter(index for _, attempts in world.ended for index, _ in attempts)
    assert tries[0] + tries[1] < 150  # those until the circuits opened, and the probes


def test_a_target_that_recovers_gets_its_calls_back() -> None:
    dice = random.Random(6)
    made = route({"weight": 9}, {}, retries=1)
    back = NOW + 30 * SECOND
    world = World(made, lambda index, now: OK if index or now >= back else Outcome(503), dice)
    world.run(8_000)  # 160 s
    assert all(outcome == OK for outcome, _ in world.ended)
    last = Counter(attempts[-1][0] for _, attempts in world.ended[-2_000:])
    assert 0.87 < last[0] / 2_000 < 0.93


def test_a_lone_target_with_hiccups() -> None:
    dice = random.Random(8)
    made = route({}, retries=3)
    world = World(made, lambda _, __: dice.choice(FAILURES[:10]) if dice.random() < 0.3 else OK, dice)
    world.run(5_000)
    failed = [attempts for outcome, attempts in world.ended if outcome != OK]
    assert all(len(attempts) == 4 for attempts in failed)
    assert len(failed) / 5_000 < 0.02  # 0.3⁴ = 0.0081


def test_calls_by_latency_leave_the_slow_one_mostly_alone() -> None:
    dice = random.Random(9)
    made = route({}, {}, {}, strategy="latency")
    first = Counter[int]()
    for number in range(3_000):
        now = NOW + number * 20_000
        index = Course(made, Ask(), dice.random).first(now).member
        first[index] += 1
        made.members[index].state.began(now)
        made.members[index].state.ended(now, 3_000_000 if index == 1 else 200_000, judge(OK))
    assert first[1] < 100
    assert min(first[0], first[2]) > 1_000
