"""What this process may use of a counter that several machines share, without asking each time.

A process is granted parts of a limit by Redis, off the path of calls, and uses them up call by call. It asks for more
before they end. What is left unused for a second it gives back, and at once when another process has too little.
Until Redis has said that nothing is left it may go `credit` beyond what it was granted, so that a first call need not
wait: all processes together go over a limit by no more than the sum of their credits, or by one call each where a
call is larger than that.
"""

from __future__ import annotations

from collections.abc import Callable

IDLE_US = 1_000_000
FRESH_US = 100_000
"""Redis's word that nothing is left is good for so long."""
LEAST_APPETITE, MOST_APPETITE = 2, 8


class Levels:
    """What is to be told when a counter has got so far, by one of all the processes that share it."""

    def __init__(self, amounts: dict[str, int], spent: Callable[[], int], tell: Callable[[str, int], None]) -> None:
        self.ahead = amounts
        """By name; those that are not known to have been reached."""
        self.ours: list[str] = []
        """Those reached that are this machine's to tell."""
        self.spent = spent
        """What this machine counts itself, with what the log had before."""
        self.tell = tell
        """Called with the name and what was spent by all."""


class Allotment:
    """In units of its counter (calls, tokens, nano-dollars). `held` is what may be used; below zero where credit was.

    A rate (`lasting` False) forgets by itself what was used. Of places and money (`lasting`) what is `in_use` comes
    back, less what was `spent`.
    """

    __slots__ = (
        "answered_us",
        "appetite",
        "bounded",
        "credit",
        "demand",
        "denied",
        "elsewhere",
        "held",
        "in_use",
        "lasting",
        "levels",
        "limit",
        "name",
        "nothing_for",
        "pressed",
        "short",
        "spent",
        "touched_us",
    )

    def __init__(self, name: str, limit: int, percent: float, *, lasting: bool, bounded: bool = True) -> None:
        self.name = name
        self.bounded = bounded
        """False: it holds nobody up, and is shared to know what all have spent together."""
        self.levels: Levels | None = None
        self.limit = limit
        self.credit = max(1, int(limit * percent / 100))
        self.lasting = lasting
        self.held = self.in_use = 0
        self.spent = 0
        """Not told to Redis yet."""
        self.denied = False
        """Redis had less left than was asked for: no credit then."""
        self.short = False
        """Some process has had too little lately: no credit, and what is not needed is given back at once."""
        self.elsewhere = 0
        """What other processes had unused when Redis was last asked, and will give back."""
        self.nothing_for: int | None = None
        """The amount that Redis was last asked for and could not give."""
        self.answered_us = 0
        self.pressed = 0
        """The amount of the first call that found too little since Redis was last asked; 0: there was none."""
        self.demand = 0
        """Of all of them."""
        self.touched_us = 0
        self.appetite = LEAST_APPETITE
        """How many credits to ask for; twice as many each time that was not enough."""

    def take(self, amount: int, now_us: int, *, alone: bool) -> bool:
        """Whether it covers that. `alone`: Redis is gone, and what this machine counts is all there is."""
        self.touched_us = now_us
        if not alone and not self.covers(amount):
            self.press(amount)
            return False
        if self.bounded:
            self.held -= amount
        if self.lasting:
            self.in_use += amount
        return True

    def covers(self, amount: int) -> bool:
        if amount <= 0 or not self.bounded:
            return True
        if self.denied or self.short:
            return self.held >= amount
        return self.held - amount >= -self.credit or (self.held >= 0 and amount > self.credit)

    def is_used_up(self, amount: int, now_us: int) -> bool:
        """Whether Redis has just said that there is no such amount, nor will there be before calls have ended."""
        nothing_for = self.nothing_for
        if nothing_for is None or amount < nothing_for or self.elsewhere:
            return False
        return now_us - self.answered_us < FRESH_US

    def press(self, amount: int) -> None:
        """A call wants so much more."""
        self.pressed = self.pressed or amount
        self.demand += amount

    def end(self, amount: int, used: int) -> None:
        """A call that took `amount` is over and used so much of it, or more."""
        if self.bounded:
            self.held += amount - used
        if self.lasting:
            self.in_use -= amount
            self.spent += used

    def wanted(self, now_us: int) -> int:
        """What to ask Redis for now; below zero what to give back; 0 for nothing."""
        if not self.bounded:
            return 0
        if self.pressed:
            if not self.denied:
                self.appetite = min(2 * self.appetite, MOST_APPETITE)
            ample = self.demand if self.short else max(self.demand, self.appetite * self.credit)
            return max(self.pressed, ample - self.held)
        if self.short or now_us - self.touched_us > IDLE_US:
            self.appetite = LEAST_APPETITE
            return -self.held
        return 0 if self.held >= self.credit else self.appetite * self.credit - self.held
