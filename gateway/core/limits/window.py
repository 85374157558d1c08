"""A sliding window over the last minute, counted together by all workers; and the calls under way.

For each second a worker keeps how much it had counted *before* that second began, in rings of 64 seconds. What it
counted in the window is then what it has counted in all, less what it had counted before the window's first second:
three reads, however wide the window.

The window is the current second and the sixty before it, so it covers any 60 s whole: never more than the limit
within any 60 s. The error is on the other side: a call may count for up to 61 s, so that a caller who always asks for
all it can get is given 60/61 of the limit in the long run (1.6 % less), and its first minute whole.
"""

from __future__ import annotations

import struct

import msgspec

from gateway.core.limits.region import Region

SPAN_S = 60
RING = 64
"""Seconds a ring has; more than the window, and a power of two."""
MASK = 0xFFFF_FFFF
NEGATIVE = 1 << 31

STAMP, IN_FLIGHT, REQUESTS, TOKENS, MICROUSD, HEAD_WORDS = range(6)
"""The words of a record: the second of the last write, calls under way, and what was ever counted; then the rings."""
RING_WORDS = RING // 2

_head = struct.Struct("5q").unpack_from
"""STAMP to MICROUSD at once, of a place in bytes: native words, so that each is read whole."""


def words_of(series: int) -> int:
    """The size of a record that keeps one series (requests), two (tokens too) or three (money too)."""
    return HEAD_WORDS + series * RING_WORDS


class Used(msgspec.Struct, gc=False):
    """Of one window, by all workers."""

    requests: int
    tokens: int
    microusd: int
    in_flight: int


class Window:
    """What one value of a scope (a tenant, a key) has used. `at` is its record's place in the region.

    Seconds are whole seconds UTC. A clock that is set back counts on in the second it had reached.
    """

    __slots__ = ("_fence", "_halves", "_others", "_own", "_records", "_rings", "_series", "_words")

    def __init__(self, region: Region, at: int, series: int = 3) -> None:
        self._words, self._halves = region.words, region.halves
        self._records = tuple(base + at for base in region.bases)
        self._series = series
        self._own = region.own + at
        self._others = tuple(record for record in self._records if record != self._own)
        self._fence = region.fence
        self._rings = 2 * (self._own + HEAD_WORDS)

    def add(self, second: int, tokens: int) -> Used:
        """One call more, under way; what is used with it. Written first and read after: it runs for every call."""
        words, halves, own, series = self._words, self._halves, self._own, self._series
        stamp, in_flight, requests, all_tokens, microusd = _head(words, own * 8)
        if second > stamp:
            self._advance(stamp, second)
        in_flight += 1
        requests += 1
        words[own + 1] = in_flight  # IN_FLIGHT, REQUESTS, TOKENS
        words[own + 2] = requests
        place = (second - SPAN_S) & (RING - 1)
        ring = self._rings + place
        requests = requests - halves[ring] & MASK
        if series > 1:
            all_tokens += tokens
            words[own + 3] = all_tokens
            all_tokens = all_tokens - halves[ring + RING] & MASK
            microusd = microusd - halves[ring + 2 * RING] & MASK if series > 2 else 0
        if self._others:
            self._fence()
            more = self._sum(self._others, second)
            return Used(
                requests + more.requests, all_tokens + more.tokens, microusd + more.microusd, in_flight + more.in_flight
            )
        return Used(requests, all_tokens, microusd, in_flight)

    def used(self, second: int) -> Used:
        """Within the window that ends with `second`."""
        return self._sum(self._records, second)

    def _sum(self, records: tuple[int, ...], second: int) -> Used:
        words, halves, series = self._words, self._halves, self._series
        first = second - SPAN_S
        place = first & (RING - 1)
        requests = tokens = microusd = in_flight = 0
        for record in records:
            stamp, under_way, all_requests, all_tokens, all_microusd = _head(words, record * 8)
            in_flight += under_way
            if stamp < first:
                continue
            ring = 2 * (record + HEAD_WORDS) + place
            # Below zero for the moment in which a correction is being written: nothing then.
            if (more := all_requests - halves[ring] & MASK) < NEGATIVE:
                requests += more
            if series > 1:
                if (more := all_tokens - halves[ring + RING] & MASK) < NEGATIVE:
                    tokens += more
                if series > 2 and (more := all_microusd - halves[ring + 2 * RING] & MASK) < NEGATIVE:
                    microusd += more
        return Used(requests, tokens, microusd, in_flight)

    def settle(self, began: int, tokens_more: int, microusd: int, second: int) -> None:
        """The call that was added in the second `began` is over, and used so many tokens more (or fewer) than it had
        reserved. Tokens count where they were reserved, money where it became known."""
        words, own, series = self._words, self._own, self._series
        stamp, in_flight, _, tokens, money = _head(words, own * 8)
        words[own + 1] = in_flight - 1
        if tokens_more and series > 1:
            if began == stamp:
                words[own + 3] = tokens + tokens_more
            else:
                self._correct(began, TOKENS, tokens_more)
        if microusd and series > 2:
            if second > stamp:
                self._advance(stamp, second)
            words[own + 4] = money + microusd

    def release(self, began: int, tokens: int) -> None:
        """The call that was added in the second `began` did not happen."""
        self._words[self._own + IN_FLIGHT] -= 1
        self._correct(began, REQUESTS, -1)
        if tokens and self._series > 1:
            self._correct(began, TOKENS, -tokens)

    def retry_at(self, second: int, requests: int | None, tokens: int | None) -> int:
        """The first second at whose beginning at least so many requests and tokens less are in the window, if nothing
        more is added; None: that series does not matter."""
        for later in range(second + 1, second + SPAN_S + 1):
            used = self.used(later)
            fits = (requests is None or used.requests <= requests) and (tokens is None or used.tokens <= tokens)
            if fits:
                return later
        return second + SPAN_S + 1

    def _advance(self, stamp: int, second: int) -> None:
        """Writes what had been counted before each second since the last one. The stamp last: who reads meanwhile
        finds the rings up to the old one as they were."""
        words, halves = self._words, self._halves
        if second == stamp + 1:
            ring = self._rings + (second & (RING - 1))
            for at in range(self._own + REQUESTS, self._own + REQUESTS + self._series):
                halves[ring] = words[at] & MASK
                ring += RING
            words[self._own] = second
            return
        steps = range(stamp + 1, second + 1) if second - stamp < RING else range(RING)
        ring = self._rings
        for series in range(self._series):
            before = words[self._own + REQUESTS + series] & MASK
            for step in steps:
                halves[ring + (step & (RING - 1))] = before
            ring += RING
        words[self._own] = second

    def _correct(self, began: int, series: int, more: int) -> None:
        """As if `more` had been counted in the second `began`."""
        words, halves = self._words, self._halves
        stamp = words[self._own]
        if stamp - began >= RING:
            began = stamp - RING + 1  # it has left the window: all there is lies after it
            steps = range(RING)
        else:
            steps = range(began + 1, stamp + 1)
        ring = self._rings + (series - REQUESTS) * RING
        total = words[self._own + series] + more
        if more > 0:
            words[self._own + series] = total
        for step in steps:
            place = ring + (step & (RING - 1))
            halves[place] = halves[place] + more & MASK
        if more <= 0:
            words[self._own + series] = total


def merge(old: memoryview, records: list[int], new: memoryview, target: int, series: int) -> None:
    """The sum of several areas' records, written to one. Places are in words."""
    newest = max(old[record] for record in records)
    new[target] = newest
    ring_of = old.cast("B").cast("I")
    rings = new.cast("B").cast("I")
    for record in records:
        for number in range(series):
            new[target + REQUESTS + number] += old[record + REQUESTS + number]
            ring = number * RING
            for second in range(newest - RING + 1, newest + 1):
                place = ring + (second & (RING - 1))
                if second <= old[record]:
                    before = ring_of[2 * (record + HEAD_WORDS) + place] if second > old[record] - RING else 0
                else:
                    before = old[record + REQUESTS + number]
                there = 2 * (target + HEAD_WORDS) + place
                rings[there] = rings[there] + before & MASK
    ring_of.release()
    rings.release()
