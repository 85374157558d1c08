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
"""PERIOD to ORPHANED at once, of a place in bytes: native words, so that each is read whole. They are written one by
one: `pack_into` fills its place with zeros first, which another worker can see and a crash can leave."""


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

    __slots__ = ("_at", "_base", "_base_of", "_fence", "_others", "_words")

    def __init__(self, region: Region, at: int) -> None:
        self._words = region.words
        self._at = (region.own + at) * 8
        self._others = tuple((base + at) * 8 for base in region.bases if base != region.own)
        self._fence = region.fence
        self._base = self._base_of = 0

    def know(self, period: int, base: int) -> None:
        """What the log has of this period from before the record was made."""
        self._base, self._base_of = base, period

    def reserve(self, period: int, amount: int, at_risk: int) -> int:
        """`period` is its begin; another one than the record has begins it anew. What was taken before, by all
        workers: spent, reserved, or reserved by calls that a crash cut off."""
        words, at = self._words, self._at
        of, spent, reserved, risk, calls, orphaned = _amounts(words, at)
        if of != period:
            self._begin(period)
            spent = reserved = risk = calls = orphaned = 0
        own = at >> 3
        words[own + 2] = reserved + amount  # RESERVED, AT_RISK, CALLS: spelled out, for this runs for every call
        words[own + 3] = risk + at_risk
        words[own + 4] = calls + 1
        taken: int = spent + reserved + orphaned
        if self._base_of == period:
            taken += self._base
        if self._others:
            self._fence()
            for other in self._others:
                of, spent, reserved, _, _, orphaned = _amounts(words, other)
                if of == period:
                    taken += spent + reserved + orphaned
        return taken

    def settle(self, period: int, amount: int, at_risk: int, cost: int) -> int:
        """What is spent of the period then, by all workers. Where the call's period is over nothing changes: its money
        belonged to that one."""
        words, at = self._words, self._at
        of, spent, reserved, risk, calls, _ = _amounts(words, at)
        if of != period:
            return 0
        own = at >> 3
        if cost:
            spent += cost
            words[own + 1] = spent  # first, so that nobody finds less taken than is
        words[own + 2] = reserved - amount
        words[own + 3] = risk - at_risk
        words[own + 4] = calls - 1
        total: int = spent + (self._base if self._base_of == period else 0)
        for other in self._others:
            if words[other >> 3] == period:
                total += words[(other >> 3) + SPENT]
        return total

    def money(self, period: int) -> Money:
        records = [_amounts(self._words, at) for at in (self._at, *self._others)]
        mine = [amounts[SPENT:] for amounts in records if amounts[PERIOD] == period] or [(0, 0, 0, 0, 0)]
        spent, reserved, at_risk, calls, orphaned = map(sum, zip(*mine, strict=True))
        return Money((self._base if self._base_of == period else 0) + spent, reserved, at_risk, calls, orphaned)

    def spent(self, period: int) -> int:
        """What was settled in it, by all workers."""
        return self.money(period).spent

    def orphans(self, period: int) -> int | None:
        """When calls were last found cut off by a crash (µs), of this worker's area; None where there are none."""
        words, own = self._words, self._at >> 3
        return words[own + ORPHANED_AT] if words[own] == period and words[own + ORPHANED] else None

    def resolve_orphans(self, period: int, cost: int) -> None:
        """The log has the cut calls now: what it booked for them replaces what they had reserved."""
        words, own = self._words, self._at >> 3
        if words[own] == period:
            words[own + SPENT] += cost
            words[own + ORPHANED] = 0

    def _begin(self, period: int) -> None:
        words, own = self._words, self._at >> 3
        words[own] = -1  # nobody counts it while it is half cleared
        for word in range(own + 1, own + WORDS):
            words[word] = 0
        words[own] = period


def fits(taken: int, amount: int, limit: int, least: int) -> bool:
    """Whether what was just reserved may stay, where so much was taken before; `least` is a hundredth of the limit."""
    return taken + (amount if amount < least else least) <= limit


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
