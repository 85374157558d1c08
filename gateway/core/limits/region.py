"""The memory in which workers count together: everyone reads all of it, each writes only its own area.

A record has the same place in every worker's area, and its value is the sum over the areas. So there is no lock and
nothing that a killed worker could leave half done; a number is eight aligned bytes, which the processor writes at
once. Who wants to hold something writes it into its own area first and reads the sum after (`fence` between): of two
that come at the same moment at least one sees the other, so the sum never goes over a limit. Both may see each
other and both step back; that refuses a call that would just have fitted, never the other way round.
"""

from __future__ import annotations

import threading


class Region:
    """`words` is all of the memory as signed 64-bit numbers; `bases` is where the areas begin, `own` among them."""

    __slots__ = ("_lock", "bases", "halves", "own", "words")

    def __init__(self, memory: memoryview, bases: tuple[int, ...], own: int) -> None:
        self.words = memory.cast("q")
        self.halves = memory.cast("I")
        """The same memory as unsigned 32-bit numbers, two a word."""
        self.bases = bases
        self.own = own
        self._lock = threading.Lock()

    def fence(self) -> None:
        """What was written before is seen by the others before what follows is read. A locked instruction of the
        processor does that, and taking a free lock is one."""
        self._lock.acquire()
        self._lock.release()

    def close(self) -> None:
        self.words.release()
        self.halves.release()
