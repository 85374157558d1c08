"""What this process may use of a counter that several machines share, without asking each time.

A process takes allotments from Redis off the path of calls, and uses them up call by call. It asks for more before
they end, and may go `credit` beyond what it has, so that a first call need not wait for Redis: all processes together
go over a limit by no more than the sum of their credits.
"""

from __future__ import annotations


class Allotment:
    """In units of its counter (calls, tokens, nano-dollars)."""

    __slots__ = ("credit", "exhausted_until_us", "given_back", "held", "limit", "name", "used")

    def __init__(self, name: str, limit: int, percent: float) -> None:
        self.name = name
        self.limit = limit
        self.credit = max(1, int(limit * percent / 100))
        self.held = 0
        """What may be used; negative where credit was used."""
        self.exhausted_until_us = 0
        """Redis had nothing left: it is not asked again before."""

    def take(self, amount: int) -> bool:
        """Whether it covers that; a call larger than the credit goes through where nothing is owed yet."""
        if self.held - amount < -self.credit and not (self.held >= 0 and amount > self.credit):
            return False
        self.held -= amount
        return True

    def give(self, amount: int) -> None:
        """Back, or, negative, taken afterwards: what a call used beyond its reservation."""
        self.held += amount

    @property
    def wanted(self) -> int:
        """What to ask for: enough to hold one credit more than is owed; 0 where there is enough."""
        return max(0, 2 * self.credit - self.held) if self.held < self.credit else 0

    @property
    def surplus(self) -> int:
        """What lies unused and is to be given back, for others to use."""
        return max(0, self.held - 4 * self.credit)
