"""The money of a budget in one period, counted together by all workers: spent, reserved, and at risk beyond that.

A call reserves what it is expected to cost at most and settles what it cost. What is `at_risk` is what the calls under
way may cost beyond their reservation, at the very most: the overshoot that is possible now.

**The last call.** A call is let in where a hundredth of the budget, or all it reserves where that is less, still fits.
So no more than 1 % of a budget is ever left unused for want of room, and one call at most goes over the edge: by less
than its reservation.
"""

from __future__ import annotations

import struct

from gateway.core.limits.region import Region

PERIOD, SPENT, RESERVED, AT_RISK, CALLS, ORPHANED, ORPHANED_AT, WORDS = range(8)
"""The words of a record. PERIOD is the begin of the period (µs) that the others belong to; ORPHANED is what calls of
a killed worker had reserved, ORPHANED_AT (µs) when that was found."""


_amounts = struct.Struct("6q").unpack_from
"""PERIOD to ORPHANED at once, of a place in bytes: native words, so that each is read whole."""


class Money:
    """Of a purse, by all workers; nano-dollars."""

    __slots__ = ("at_risk", "calls", "orphaned", "reserved", "spent")

    def __init__(self, spent: int, reserved: int, at_risk: int, calls: int, orphaned: int) -> None:
        self.spent = spent
        """What was settled, with what the log had before (`base`)."""
        self.reserved = reserved
        self.at_risk = at_risk
        self.calls = calls
        """Under way."""
        self.orphaned = orphaned
        """Reserved by calls that a crash cut off, until the log says what they cost."""


class Purse:
    """`at` is its record's place. Amounts are nano-dollars."""

    __slots__ = ("_base", "_base_of", "_own", "_records", "_words")

    def __init__(self, region: Region, at: int) -> None:
        self._words = region.words
        self._records = tuple(base + at for base in region.bases)
        self._own = region.own + at
        self._base = self._base_of = 0

    def know(self, period: int, base: int) -> None:
        """What the log has of this period from before the record was made."""
        self._base, self._base_of = base, period

    def reserve(self, period: int, amount: int, at_risk: int) -> None:
        """`period` is its begin; another one than the record has begins it anew."""
        words, own = self._words, self._own
        if words[own] != period:
            self._begin(period)
        _, _, reserved, risk, calls, _ = _amounts(words, own * 8)
        words[own + 2] = reserved + amount  # RESERVED, AT_RISK, CALLS: spelled out, for this runs for every call
        words[own + 3] = risk + at_risk
        words[own + 4] = calls + 1

    def fits(self, period: int, amount: int, limit: int) -> bool:
        """Whether what was just reserved may stay."""
        taken = (self._base if self._base_of == period else 0) - amount
        words = self._words
        for record in self._records:
            of, spent, reserved, _, _, orphaned = _amounts(words, record * 8)
            if of == period:
                taken += spent + reserved + orphaned
        least = limit // 100
        return taken + (amount if amount < least else least) <= limit

    def settle(self, period: int, amount: int, at_risk: int, cost: int) -> int:
        """What is spent of the period then, by all workers. Where the call's period is over nothing changes: its money
        belonged to that one."""
        words, own = self._words, self._own
        of, spent, reserved, risk, calls, _ = _amounts(words, own * 8)
        if of != period:
            return 0
        if cost:
            words[own + 1] = spent + cost  # first, so that nobody finds less taken than is
        if amount:
            words[own + 2] = reserved - amount
        if at_risk:
            words[own + 3] = risk - at_risk
        words[own + 4] = calls - 1
        return self.spent(period)

    def money(self, period: int) -> Money:
        words = self._words
        records = [record for record in self._records if words[record] == period]
        spent, reserved, at_risk, calls, orphaned = (
            sum(words[record + word] for record in records) for word in (SPENT, RESERVED, AT_RISK, CALLS, ORPHANED)
        )
        return Money((self._base if self._base_of == period else 0) + spent, reserved, at_risk, calls, orphaned)

    def spent(self, period: int) -> int:
        """What was settled in it, by all workers."""
        words = self._words
        spent = self._base if self._base_of == period else 0
        for record in self._records:
            if words[record] == period:
                spent += words[record + SPENT]
        return spent

    def orphans(self, period: int) -> int | None:
        """When calls were last found cut off by a crash (µs), of this worker's area; None where there are none."""
        words, own = self._words, self._own
        return words[own + ORPHANED_AT] if words[own] == period and words[own + ORPHANED] else None

    def resolve_orphans(self, period: int, cost: int) -> None:
        """The log has the cut calls now: what it booked for them replaces what they had reserved."""
        words, own = self._words, self._own
        if words[own] == period:
            words[own + SPENT] += cost
            words[own + ORPHANED] = 0

    def _begin(self, period: int) -> None:
        words, own = self._words, self._own
        words[own] = -1  # nobody counts it while it is half cleared
        for word in range(own + 1, own + WORDS):
            words[word] = 0
        words[own] = period


def orphan(words: memoryview, record: int, now_us: int) -> None:
    """Of a worker that died: what its calls had reserved is kept apart, for nobody will settle it."""
    words[record + ORPHANED] += words[record + RESERVED]
    if words[record + RESERVED]:
        words[record + ORPHANED_AT] = now_us
    words[record + RESERVED] = words[record + AT_RISK] = words[record + CALLS] = 0


def merge(old: memoryview, records: list[int], new: memoryview, target: int) -> None:
    """The sum of several areas' records of the newest period, written to one."""
    newest = max(old[record] for record in records)
    new[target] = newest
    for record in records:
        if old[record] == newest:
            for word in (SPENT, RESERVED, ORPHANED):
                new[target + word] += old[record + word]
            new[target + ORPHANED_AT] = max(new[target + ORPHANED_AT], old[record + ORPHANED_AT])
