"""One call's way through a route: which member first, and which after each failure, until one answers or none may."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable

from gateway.core.routing.odds import bound_to, drawn, odds, unit
from gateway.core.routing.outcome import Outcome, Verdict, judge
from gateway.core.routing.route import Ask, Choice, Route
from gateway.core.routing.state import TargetState

COOL_US = 2_000_000
"""How long a key or target rests after a 429 that does not say."""
REFUSED_US = 30_000_000
"""How long a target rests whose last key was refused."""


class Course:
    """`first`, then `next` with each outcome that is not the answer. Whoever sends the attempts tells the member's
    `state` when one `began` and `ended`; the ring of keys is told here.

    Bound: 1 + retries + fallbacks attempts, and `rotations` on top that only change the key.
    """

    __slots__ = (
        "_ask",
        "_barred",
        "_key",
        "_keys_used",
        "_member",
        "_random",
        "_rotated",
        "_tries",
        "attempts",
        "route",
    )

    def __init__(self, route: Route, ask: Ask, random: Callable[[], float]) -> None:
        """`random` gives numbers in [0, 1)."""
        self.route = route
        self.attempts = 0
        """So far, the one under way included."""
        self._ask = ask
        self._random = random
        self._member = 0
        self._key = 0
        self._rotated = 0
        self._tries: list[int] = []
        self._barred: set[int] = set()
        self._keys_used: set[tuple[int, int]] = set()

    def first(self, now_us: int) -> Choice:
        route = self.route
        members = route.members
        if route.is_lone:
            return self._begin(0, members[0].keys.pick(now_us, self._key_start(0)), "the only target")
        if route.is_plain and not _any_away(route.first_states, now_us):  # the fast way to what `odds` would say
            at = bisect(route.cumulative, self._random(), 0, len(route.cumulative) - 1)
            return self._begin(at, members[at].keys.pick(now_us), route.why[at])
        index, why = self._live(now_us) or self._least_bad(now_us)
        return self._begin(index, members[index].keys.pick(now_us, self._key_start(index)), why)

    def next(self, outcome: Outcome, now_us: int) -> Choice | None:
        """What to try after an attempt that ended so; None: nothing, the client gets this outcome."""
        verdict = self.judged(outcome, now_us)
        if not verdict.retry:
            return None
        policy = self.route.policy
        if not self._tries:
            self._tries = [0] * len(self.route.members)
            self._tries[self._member] = 1
            self._keys_used.add((self._member, self._key))
        if verdict.rotate_key and self._rotated < policy.rotations:
            used = {key for member, key in self._keys_used if member == self._member}
            key = self.route.members[self._member].keys.other(now_us, used)
            if key is not None:
                self._rotated += 1
                return self._go(self._member, key, 0, "another key")
        if self.attempts - self._rotated > policy.retries + self.route.fallbacks:
            return None
        found = self._untried(now_us) or self._waiting(now_us)
        if found is None:
            return None
        index, wait_us, why = found
        key = self.route.members[index].keys.pick(now_us + wait_us, self._key_start(index))
        return self._go(index, key, wait_us, why)

    def judged(self, outcome: Outcome, now_us: int) -> Verdict:
        """The verdict, once keys and target have heard what it says of them. `next` does it; to be called without it
        where nothing can be sent again."""
        verdict = judge(outcome)
        if not verdict.retry:
            return verdict
        member = self.route.members[self._member]
        wait_us = outcome.retry_after_us
        if verdict.rotate_key:
            until_us = None if verdict.drop_key else now_us + (COOL_US if wait_us is None else wait_us)
            if not member.keys.refused(self._key, now_us, until_us):
                member.state.rest(now_us + REFUSED_US if until_us is None else until_us, now_us)
                if verdict.drop_key:
                    self._barred.add(self._member)
        elif wait_us:
            member.state.rest(now_us + wait_us, now_us)
        return verdict

    # ------------------------------------------------------------------ which member

    def _live(self, now_us: int) -> tuple[int, str] | None:
        """A member that was not tried and is not left alone, of the first tier that has one."""
        route, tries = self.route, self._tries
        for tier in route.tiers:
            if tier is route.tiers[0] and tries and sum(tries[index] for index in tier) > route.policy.retries:
                continue  # what is left is for the fallbacks
            among = [
                index
                for index in tier
                if route.members[index].state.ready_at_us <= now_us and not (tries and tries[index])
            ]
            if among:
                choice = drawn(odds(route, among, self._ask, now_us), self._random)
                return choice.member.index, choice.why
        return None

    def _least_bad(self, now_us: int) -> tuple[int, str]:
        """Where all are left alone, the one that would be ready first: a call is never cut off."""
        member = min(self.route.members, key=lambda m: (m.state.ready_at_us, m.index))
        return member.index, f"all are left alone, this one the shortest ({member.state.named(now_us)})"

    def _untried(self, now_us: int) -> tuple[int, int, str] | None:
        live = self._live(now_us)
        return None if live is None else (live[0], 0, live[1])

    def _waiting(self, now_us: int) -> tuple[int, int, str] | None:
        """What is left when no live member is untried, best first: one that answers after a short wait, tried at most
        once; an untried one that is left alone, now; any that was tried. (member, wait, why)."""
        longest_us = self.route.policy.retry_after_max_us
        found: tuple[tuple[int, ...], int, int, str] | None = None
        for member in self.route.members:
            index, state = member.index, member.state
            if index in self._barred:
                continue
            tries, rest_us = self._tries[index], max(0, state.rested_until_us - now_us)
            if tries < 2 and not state.is_open(now_us) and rest_us <= longest_us:
                rank: tuple[int, ...] = (1, rest_us, tries, member.tier, index)
            elif not tries:
                rank, rest_us = (2, state.ready_at_us, 0, member.tier, index), 0
            elif rest_us <= longest_us:
                rank = (3, state.is_open(now_us), rest_us, tries, member.tier, index)
            else:
                continue
            if found is None or rank < found[0]:
                why = "once more" if tries else f"untried, though {state.named(now_us)}"
                found = rank, index, rest_us, why
        if found is None:
            return None
        _, index, rest_us, why = found
        return index, max(rest_us, self._backoff_us(self._tries[index])), why

    def _backoff_us(self, tries: int) -> int:
        """Before a member is tried again: doubles, half of it random. 0 for one that was not tried."""
        if not tries:
            return 0
        policy = self.route.policy
        full = min(policy.backoff_max_us, policy.backoff_us * 2 ** min(tries - 1, 32))
        return int(full * (0.5 + self._random() / 2))

    # ------------------------------------------------------------------ taking it

    def _key_start(self, index: int) -> int | None:
        """A call that is bound to a target keeps to one of its keys as well: caches are an account's."""
        if self.route.policy.sticky == "none" or len(self.route.members[index].keys) == 1:
            return None
        binding = bound_to(self.route, self._ask)
        return None if binding is None else int(unit(binding, "key") * 2**32)

    def _begin(self, index: int, key: int, why: str) -> Choice:
        self.attempts = 1
        self._member = index
        self._key = key
        return Choice(index, key, 0, why)

    def _go(self, index: int, key: int, wait_us: int, why: str) -> Choice:
        self.attempts += 1
        self._member, self._key = index, key
        self._tries[index] += 1
        self._keys_used.add((index, key))
        return Choice(index, key, wait_us, why)


def _any_away(states: tuple[TargetState, ...], now_us: int) -> bool:
    for state in states:  # noqa: SIM110  # a loop costs half of what any() does, on every call of a route
        if state.ready_at_us > now_us:
            return True
    return False
