"""What applies to a call, and the lease it gets: its part of every counter, until it is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.control.admission_guard import Guard
from gateway.control.counters.allotment import Allotment
from gateway.control.counters.board import Record
from gateway.core.limits.period import bounds
from gateway.core.limits.purse import Purse
from gateway.core.limits.rules import BudgetRule, RateRule
from gateway.core.limits.window import Used, Window

MICRO = 1_000_000
NANO_PER_MICROUSD = 1000


class Meter:
    """A limit of one value. `at` is the place of its window among those of the holding."""

    __slots__ = ("at", "rule", "window")

    def __init__(self, rule: RateRule, window: Window, at: int) -> None:
        self.rule = rule
        self.window = window
        self.at = at


class Account:
    """A budget of one value. `begin` and `end` (µs UTC) are of the period that was running when it was last asked."""

    __slots__ = ("begin", "end", "known_to", "next_at", "next_level", "purse", "record", "rule")

    def __init__(self, rule: BudgetRule, purse: Purse, record: Record, now_us: int) -> None:
        self.rule = rule
        self.purse = purse
        self.record = record
        self.begin, self.end = bounds(rule.period, now_us)
        self.next_level = 0
        """The first of the rule's levels that is not known to have been reached in this period."""
        self.next_at = 0
        """What it is reached at, or less; nano-dollars. Looked at again beyond it."""
        self.known_to = 0
        """Until when (µs) the log was last asked for what was there before the record; 0: never."""

    def period_at(self, now_us: int) -> int:
        """The begin of the running period."""
        if now_us >= self.end:
            self.begin, self.end = bounds(self.rule.period, now_us)
            self.next_level = self.next_at = self.known_to = 0
        return self.begin


class Holding:
    """Everything that applies to calls of one combination of values; the same object for all of them."""

    __slots__ = ("accounts", "guard", "guard_at", "meters", "nothing", "windows")

    def __init__(
        self,
        windows: Sequence[Window],
        meters: Sequence[Meter],
        accounts: Sequence[Account],
        guard: Guard | None,
    ) -> None:
        self.windows = tuple(windows)
        self.meters = tuple(meters)
        self.accounts = tuple(accounts)
        self.guard = guard
        self.guard_at = self.windows.index(guard.window) if guard is not None else 0
        self.nothing = not (windows or accounts)


class Share(NamedTuple):
    """A call's part of an allotment. `of` is `requests`, `tokens`, `places` or `money`."""

    allotment: Allotment
    amount: int
    of: str

    def used_by(self, tokens: int | None, cost: int) -> int:
        """What of it is used for good once the call is over."""
        if self.of == "tokens" and tokens is not None:
            return tokens
        return {"places": 0, "money": cost}.get(self.of, self.amount)


class Held:
    """The lease of one call (`core.limits.Lease`). `amount` and `at_risk` are nano-dollars, the same in each budget;
    `ended` hears that it is over, `reached` of a budget that has got to its next level."""

    __slots__ = (
        "_ended",
        "_holding",
        "_over",
        "_reached",
        "_reserved",
        "_second",
        "_shares",
        "_tokens",
        "amount",
        "at_risk",
        "used",
    )

    def __init__(
        self,
        holding: Holding,
        second: int,
        tokens: int,
        ended: Callable[[Holding], None],
        reached: Callable[[Account, int], None],
    ) -> None:
        self._holding = holding
        self._second = second
        self._tokens = tokens
        self._ended = ended
        self._reached = reached
        self._over = False
        self._reserved: Sequence[tuple[Account, int]] = ()
        """Each account with the period its money belongs to."""
        self._shares: tuple[Share, ...] = ()
        self.amount = self.at_risk = 0
        self.used: Sequence[Used] = ()
        """By window, with this call in it."""
        for window in holding.windows:
            window.add(second, tokens)

    def reserve(self, amount: int, at_risk: int, now_us: int) -> None:
        self.amount, self.at_risk = amount, at_risk
        self._reserved = reserved = []
        for account in self._holding.accounts:
            period = account.begin if now_us < account.end else account.period_at(now_us)
            account.purse.reserve(period, amount, at_risk)
            reserved.append((account, period))

    def share(self, taken: Share) -> None:
        """It holds a part of what machines share, too."""
        self._shares += (taken,)

    @property
    def head(self) -> bytes:
        """The reset is when all of it is free again if nothing more is sent."""
        requests = tokens = None
        for meter in self._holding.meters:
            used, rule = self.used[meter.at], meter.rule
            if (limit := rule.requests) is not None:
                left = limit - used.requests
                if requests is None or left * requests[0] < requests[1] * limit:
                    requests = limit, left if left > 0 else 0
            if (limit := rule.tokens) is not None:
                left = limit - used.tokens
                if tokens is None or left * tokens[0] < tokens[1] * limit:
                    tokens = limit, left if left > 0 else 0
        head = b""
        if requests is not None:
            head = (
                b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\n"
                b"x-ratelimit-reset-requests: 60s\r\n" % requests
            )
        if tokens is not None:
            head += (
                b"x-ratelimit-limit-tokens: %d\r\nx-ratelimit-remaining-tokens: %d\r\n"
                b"x-ratelimit-reset-tokens: 60s\r\n" % tokens
            )
        return head

    def settle(self, tokens: int | None, cost_nanousd: int | None, now_us: int) -> None:
        if self._over:
            return
        self._over = True
        holding, cost = self._holding, cost_nanousd or 0
        more = 0 if tokens is None else tokens - self._tokens
        second = now_us // MICRO
        for window in holding.windows:
            window.settle(self._second, more, cost // NANO_PER_MICROUSD, second)
        for account, period in self._reserved:
            spent = account.purse.settle(period, self.amount, self.at_risk, cost)
            if spent >= account.next_at and cost:
                self._reached(account, now_us)
        for share in self._shares:
            share.allotment.end(share.amount, share.used_by(tokens, cost))
        self._ended(holding)

    def release(self, now_us: int) -> None:
        if self._over:
            return
        self._over = True
        holding = self._holding
        for window in holding.windows:
            window.release(self._second, self._tokens)
        for account, period in self._reserved:
            account.purse.settle(period, self.amount, self.at_risk, 0)
        for share in self._shares:
            share.allotment.end(share.amount, 0)
        self._ended(holding)
