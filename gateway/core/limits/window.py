"""A sliding window over the last minute, counted together by all workers; and the calls under way.

For each second a worker keeps how much it had counted *before* that second began, in a ring of 64 seconds. What it
counted in the window is then what it has counted in all, less what it had counted before the window's first second:
one look into the ring, however wide the window.

The window is the current second and the sixty before it, so it covers any 60 s whole: never more than the limit
within any 60 s. The error is on the other side: a call may count for up to 61 s, so that a caller who always asks for
all it can get is given 60/61 of the limit in the long run (1.6 % less), and its first minute whole.
"""

from __future__ import annotations

import bisect
import struct
from typing import NamedTuple

from gateway.core.limits.region import Region

SPAN_S = 60
RING = 64
"""Seconds a ring has; more than the window, and a power of two."""
MASK = 0xFFFF_FFFF
NEGATIVE = 1 << 31

STAMP, IN_FLIGHT, REQUESTS, TOKENS, MICROUSD = range(5)
"""The words of a record: the second of the last write, calls under way, and what was ever counted; then the ring, for
each second the 32-bit numbers of the series side by side, so that one look finds them all."""
HEAD_WORDS = 8
"""A line of the processor's cache: of thousands of records in turn, none is in two."""
RING_WORDS = RING // 2
_RING_AT = 2 * HEAD_WORDS
"""Where it begins, counted in 32-bit numbers."""
_LAST = RING - 1

_head = struct.Struct("5q").unpack_from
"""STAMP to MICROUSD at once, of a place in bytes: native words, so that each is read whole. They are written one by
one: `pack_into` fills its place with zeros first, which another worker can see and a crash can leave."""


def words_of(series: int) -> int:
    """The size of a record that keeps one series (requests), two (tokens too) or three (money too)."""
    return HEAD_WORDS + series * RING_WORDS


class Used(NamedTuple):
    """Of one window, by all workers."""

    requests: int
    tokens: int
    microusd: int
    in_flight: int


Counted = tuple[int, int, int, int]
"""As `Used`, without its names: it is made for every call."""


class Window:
    """What one value of a scope (a tenant, a key) has used. `at` is its record's place in the region.

    Seconds are whole seconds UTC. A clock that is set back counts on in the second it had reached.
    """

    __slots__ = ("_at", "_fence", "_halves", "_others", "_series", "_words")

    def __init__(self, region: Region, at: int, series: int = 3) -> None:
        self._words, self._halves = region.words, region.halves
        self._series = series
        self._at = (region.own + at) * 8
        self._others = tuple(base + at for base in region.bases if base != region.own)
        self._fence = region.fence

    def add(self, second: int, tokens: int) -> Counted:
        """One call more, under way; what is used with it. Written first and read after: it runs for every call."""
        words, at, series = self._words, self._at, self._series
        stamp, in_flight, requests, all_tokens, microusd = _head(words, at)
        if second > stamp:
            self._advance(stamp, second)
        in_flight += 1
        requests += 1
        all_tokens += tokens
        own = at >> 3
        words[own + 1] = in_flight  # IN_FLIGHT, REQUESTS, TOKENS: spelled out, for this runs for every call
        words[own + 2] = requests
        words[own + 3] = all_tokens
        halves = self._halves
        before = 2 * own + _RING_AT + ((second - SPAN_S) & _LAST) * series
        requests = requests - halves[before] & MASK
        if series > 1:
            all_tokens = all_tokens - halves[before + 1] & MASK
            microusd = microusd - halves[before + 2] & MASK if series > 2 else 0
        else:
            all_tokens = microusd = 0
        if self._others:
            self._fence()
            more = self._sum(self._others, second)
            return requests + more[0], all_tokens + more[1], microusd + more[2], in_flight + more[3]
        return requests, all_tokens, microusd, in_flight

    def used(self, second: int) -> Used:
        """Within the window that ends with `second`."""
        return Used(*self._sum((self._at >> 3, *self._others), second))

    def _sum(self, records: tuple[int, ...], second: int) -> Counted:
        words, halves, series = self._words, self._halves, self._series
        first = second - SPAN_S
        place = (first & _LAST) * series + _RING_AT
        requests = tokens = microusd = in_flight = 0
        for record in records:
            stamp, under_way, all_requests, all_tokens, all_microusd = _head(words, record * 8)
            in_flight += under_way
            if stamp < first:
                continue
            before = 2 * record + place
            # Below zero for the moment in which a correction is being written: nothing then.
            if (more := all_requests - halves[before] & MASK) < NEGATIVE:
                requests += more
            if series > 1:
                if (more := all_tokens - halves[before + 1] & MASK) < NEGATIVE:
                    tokens += more
                if series > 2 and (more := all_microusd - halves[before + 2] & MASK) < NEGATIVE:
                    microusd += more
        return requests, tokens, microusd, in_flight

    def settle(self, began: int, tokens_more: int, microusd: int, second: int) -> None:
        """The call that was added in the second `began` is over, and used so many tokens more (or fewer) than it had
        reserved. Tokens count where they were reserved, money where it became known."""
        words, at = self._words, self._at
        stamp, in_flight, _, tokens, money = _head(words, at)
        own = at >> 3
        words[own + 1] = in_flight - 1
        if tokens_more:
            if began == stamp:
                words[own + 3] = tokens + tokens_more
            else:
                self._correct(began, TOKENS, tokens_more)
        if microusd:
            if second > stamp and self._series > 2:
                self._advance(stamp, second)
            words[own + 4] = money + microusd

    def release(self, began: int, tokens: int) -> None:
        """The call that was added in the second `began` did not happen."""
        self._words[(self._at >> 3) + IN_FLIGHT] -= 1
        self._correct(began, REQUESTS, -1)
        if tokens:
            self._correct(began, TOKENS, -tokens)

    def retry_at(self, second: int, requests: int | None, tokens: int | None) -> int:
        """The first second at whose beginning at least so many requests and tokens less are in the window, if nothing
        more is added; None: that series does not matter."""

        def fits(later: int) -> bool:
            used, used_tokens, _, _ = self._sum(records, later)
            return (requests is None or used <= requests) and (tokens is None or used_tokens <= tokens)

        # There is only ever less of it, so that halving finds the second: who asks all the time is told so for little.
        records = (self._at >> 3, *self._others)
        return bisect.bisect_left(range(second + SPAN_S + 1), True, lo=second + 1, key=fits)

    def _advance(self, stamp: int, second: int) -> None:
        """Writes what had been counted before each second since the last one. The stamp last: who reads meanwhile
        finds the ring up to the old one as it was."""
        words, halves, series = self._words, self._halves, self._series
        own = self._at >> 3
        ring = 2 * own + _RING_AT
        before = [words[at] & MASK for at in range(own + REQUESTS, own + REQUESTS + series)]
        for step in range(stamp + 1, second + 1) if second - stamp < RING else range(RING):
            place = ring + (step & _LAST) * series
            for number in before:
                halves[place] = number
                place += 1
        words[own] = second

    def _correct(self, began: int, word: int, more: int) -> None:
        """As if `more` had been counted in the second `began`."""
        words, halves = self._words, self._halves
        own = self._at >> 3
        number = word - REQUESTS
        total = words[own + word] + more
        if number >= self._series:
            words[own + word] = total
            return
        stamp = words[own]
        # Where it has left the window, all there is lies after it.
        steps = range(began + 1, stamp + 1) if stamp - began < RING else range(RING)
        if more > 0:
            words[own + word] = total
        for step in steps:
            place = 2 * own + _RING_AT + (step & _LAST) * self._series + number
            halves[place] = halves[place] + more & MASK
        if more <= 0:
            words[own + word] = total


def merge(old: memoryview, records: list[int], new: memoryview, target: int, series: int) -> None:
    """The sum of several areas' records, written to one. Places are in words."""
    newest = max(old[record] for record in records)
    new[target] = newest
    ring_of = old.cast("B").cast("I")
    ring = new.cast("B").cast("I")
    for record in records:
        for number in range(series):
            new[target + REQUESTS + number] += old[record + REQUESTS + number]
            for second in range(newest - RING + 1, newest + 1):
                place = _RING_AT + (second & _LAST) * series + number
                if second <= old[record]:
                    before = ring_of[2 * record + place] if second > old[record] - RING else 0
                else:
                    before = old[record + REQUESTS + number]
                there = 2 * target + place
                ring[there] = ring[there] + before & MASK
    ring_of.release()
    ring.release()
