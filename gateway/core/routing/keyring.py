"""The keys of one provider: taken in turn, left alone after a 429, taken out after a 401, 402 or 403."""

from __future__ import annotations

OUT_US = 600_000_000
"""A key that was refused for good is tried again after ten minutes: accounts are topped up, permissions given."""


class KeyRing:
    """Knows keys by their place in the provider's list only: it never holds one, so it can show none."""

    __slots__ = ("_next", "_ready_at_us")

    def __init__(self, size: int = 1) -> None:
        """A provider without a key has a ring of one, too."""
        self._next = 0
        self._ready_at_us = [0] * max(1, size)

    def __len__(self) -> int:
        return len(self._ready_at_us)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)})"

    def pick(self, now_us: int, start: int | None = None) -> int:
        """The next key that is ready, or the first one from `start` (any number; for calls that should keep to one
        account's cache). Where none is ready, the one that is soonest: a call is never kept from being tried."""
        ready_at = self._ready_at_us
        size = len(ready_at)
        if size == 1:
            return 0
        at = self._next if start is None else start % size
        for _ in range(size):
            if ready_at[at] <= now_us:
                if start is None:
                    self._next = (at + 1) % size
                return at
            at = (at + 1) % size
        return ready_at.index(min(ready_at))

    def other(self, now_us: int, used: set[int]) -> int | None:
        """A key that is ready and not among `used`."""
        at = self._next
        for step in range(len(self._ready_at_us)):
            index = (at + step) % len(self._ready_at_us)
            if index not in used and self._ready_at_us[index] <= now_us:
                self._next = (index + 1) % len(self._ready_at_us)
                return index
        return None

    def refused(self, index: int, now_us: int, until_us: int | None) -> bool:
        """Leaves the key alone until then; None: takes it out. Returns whether another one is ready. A lone key is
        never cooled away."""
        if len(self._ready_at_us) == 1:
            return False
        until = now_us + OUT_US if until_us is None else until_us
        self._ready_at_us[index] = max(self._ready_at_us[index], until)
        return self.ready(now_us) > 0

    def ready(self, now_us: int) -> int:
        """How many can be used."""
        return sum(at <= now_us for at in self._ready_at_us)

    def resized(self, size: int) -> KeyRing:
        """After a reload: this ring if it has that size, else a new one."""
        return self if len(self) == max(1, size) else KeyRing(size)
