"""How often the same request body came within a minute, counted together by all workers, in a table of a fixed size.

A body has one place, by its key; what is there of another one gives way a step each time, and is replaced in the end.
So a body that comes over and over keeps its place against the many that come once, and is counted short by no more
than those that fell on its place: with 10,000 different calls a minute that is one in three minutes.

The running minute counts, and of the one before as much as is still within sixty seconds.
"""

from __future__ import annotations

import struct

from gateway.core.limits.region import Region

PLACES = 1 << 15
PLACE_BYTES = 16
WORDS = PLACES * PLACE_BYTES // 8
MOST = 0x7FFF

_WHICH = PLACES - 1
_place = struct.Struct("IHHq").unpack_from
"""Minute, how often in it, how often in the one before (one word together), and whose place it is."""


class Repeats:
    """`at` is the table's place in each worker's area."""

    __slots__ = ("_into", "_minute", "_others", "_own", "_second", "_words")

    def __init__(self, region: Region, at: int) -> None:
        self._words = region.words
        self._own = (region.own + at) * 8
        self._others = tuple((base + at) * 8 for base in region.bases if base != region.own)
        self._second = self._minute = self._into = 0

    def add(self, key: int, second: int) -> int:
        """Once more; how often by now. `key` is signed, of 64 bits, and the same in every worker."""
        if second != self._second:
            self._second = second
            self._minute, self._into = divmod(second, 60)
        words, minute, place = self._words, self._minute, (key & _WHICH) * PLACE_BYTES
        at = self._own + place
        of, now, before, whose = _place(words, at)
        if of != minute:
            now, before = 0, now if of == minute - 1 else 0
        if whose != key:
            if now + before > 1:
                now, before = (now - 1, before) if now else (0, before - 1)
                words[at >> 3] = before << 48 | now << 32 | minute
                return 1
            now = before = 0
        if now < MOST:
            now += 1
        words[at >> 3] = before << 48 | now << 32 | minute
        if whose != key:  # after the count, so that nobody finds another body's under this key
            words[(at >> 3) + 1] = key
        if self._others:
            for other in self._others:
                of, more, earlier, whose = _place(words, other + place)
                if whose == key and of >= minute - 1:
                    now, before = (now + more, before + earlier) if of == minute else (now, before + more)
        return now + before * (60 - self._into) // 60 if before else now
