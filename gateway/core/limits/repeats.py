"""How often the same request body came within a minute, counted together by all workers, in a table of a fixed size.

A body has one place, by its key; what is there of another one gives way a step each time, and is replaced in the end.
So a body that comes over and over keeps its place against the many that come once, and is counted short by no more
than those that fell on its place: with 10,000 different calls a minute that is one in three minutes.

The running minute counts, and of the one before as much as is still within sixty seconds.
"""

from __future__ import annotations

from gateway.core.limits.region import Region

PLACES = 1 << 15
WORDS = 2 * PLACES
"""A place is two words: the minute and how often in it and in the one before; then whose it is."""
MOST = 0x7FFF

_WHICH = PLACES - 1
_MINUTE = 0xFFFF_FFFF
_ONE = 1 << 32
_NOW, _BEFORE = 32, 48
"""Bits of the first word below which these are not."""


class Repeats:
    """`at` is the table's place in each worker's area."""

    __slots__ = ("_into", "_minute", "_others", "_own", "_second", "_words")

    def __init__(self, region: Region, at: int) -> None:
        self._words = region.words
        self._own = region.own + at
        self._others = tuple(base + at for base in region.bases if base != region.own)
        self._second = self._minute = self._into = 0

    def add(self, key: int, second: int) -> int:
        """Once more; how often by now. `key` is signed, of 64 bits, and the same in every worker."""
        if second != self._second:
            self._second = second
            self._minute, self._into = divmod(second, 60)
        words, minute, place = self._words, self._minute, (key & _WHICH) * 2
        at = self._own + place
        now, before = self._counted(at, minute)
        if words[at + 1] == key:
            if now < MOST:
                now += 1
            words[at] = before << _BEFORE | now << _NOW | minute
        elif now + before > 1:
            now, before = (now - 1, before) if now else (0, before - 1)
            words[at] = before << _BEFORE | now << _NOW | minute
            return 1
        else:
            now, before = 1, 0
            words[at] = _ONE | minute
            words[at + 1] = key  # after the count, so that nobody finds another body's under this key
        for other in self._others:
            if words[other + place + 1] == key:
                more, earlier = self._counted(other + place, minute)
                now, before = now + more, before + earlier
        return now + before * (60 - self._into) // 60 if before else now

    def _counted(self, at: int, minute: int) -> tuple[int, int]:
        """In this minute, and in the one before."""
        word = self._words[at]
        of, now = word & _MINUTE, word >> _NOW & MOST
        if of == minute:
            return now, word >> _BEFORE
        return 0, now if of == minute - 1 else 0
