"""What this process may use of a counter that several machines share, without asking each time.

A process is granted parts of a limit by Redis, off the path of calls, and uses them up call by call. It asks for more
before they end. What is left unused for a second it gives back. Until Redis has said that nothing is left it may go
`credit` beyond what it was granted, so that a first call need not wait: all processes together go over a limit by no
more than the sum of their credits, or by one call each where a call is larger than that.
"""

from __future__ import annotations

IDLE_US = 1_000_000
LEAST_APPETITE, MOST_APPETITE = 2, 8


class Allotment:
    """In units of its counter (calls, tokens, nano-dollars). `held` is what may be used; below zero where credit was.

    A rate (`lasting` False) forgets by itself what was used. Of places and money (`lasting`) what is `in_use` comes
    back, less what was `spent`.
    """

    __slots__ = (
        "appetite",
        "credit",
        "denied",
        "held",
        "in_use",
        "lasting",
        "limit",
        "name",
        "pressed",
        "spent",
        "touched_us",
    )

    def __init__(self, name: str, limit: int, percent: float, *, lasting: bool) -> None:
        self.name = name
        self.limit = limit
        self.credit = max(1, int(limit * percent / 100))
        self.lasting = lasting
        self.held = self.in_use = 0
        self.spent = 0
        """Not told to Redis yet."""
        self.denied = False
        """Redis had less left than was asked for: no credit then."""
        self.pressed = False
        """More was wanted than there was since Redis was last asked."""
        self.touched_us = 0
        self.appetite = LEAST_APPETITE
        """How many credits to ask for; twice as many each time that was not enough."""

    def take(self, amount: int, now_us: int, *, alone: bool) -> bool:
        """Whether it covers that. `alone`: Redis is gone, and what this machine counts is all there is."""
        self.touched_us = now_us
        beyond = 0 if self.denied else self.credit
        first = self.held >= 0 and not self.denied and amount > self.credit
        if not alone and self.held - amount < -beyond and not first:
            self.pressed = True
            return False
        self.held -= amount
        if self.lasting:
            self.in_use += amount
        return True

    def end(self, amount: int, used: int) -> None:
        """A call that took `amount` is over and used so much of it, or more."""
        self.held += amount - used
        if self.lasting:
            self.in_use -= amount
            self.spent += used

    def wanted(self, now_us: int) -> int:
        """What to ask Redis for now; below zero what to give back; 0 for nothing."""
        if now_us - self.touched_us > IDLE_US:
            self.appetite = LEAST_APPETITE
            return -self.held
        if self.pressed and not self.denied:
            self.appetite = min(2 * self.appetite, MOST_APPETITE)
        if self.held >= self.credit and not self.pressed:
            return 0
        return self.appetite * self.credit - self.held
