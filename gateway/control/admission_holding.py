"""What applies to a call, and the lease it gets: its part of every counter, until it is over."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from gateway.control.admission_guard import Guard
from gateway.control.counters.allotment import Allotment
from gateway.control.counters.board import Record
from gateway.core.limits.period import bounds
from gateway.core.limits.purse import Purse
from gateway.core.limits.rules import BudgetRule, RateRule
from gateway.core.limits.window import Used, Window

MICRO = 1_000_000
NANO_PER_MICROUSD = 1000


class Meter(NamedTuple):
    """A limit of one value. What is asked of it for every call lies beside it, so that the rule need not be looked
    at."""

    window: Window
    at: int
    """The place of its window among those of the holding."""
    requests: int | None
    tokens: int | None
    concurrent: int | None
    rule: RateRule

    @classmethod
    def of(cls, rule: RateRule, window: Window, at: int) -> Meter:
        return cls(window, at, rule.requests, rule.tokens, rule.concurrent, rule)


class Account:
    """A budget of one value. `begin` and `end` (µs UTC) are of the period that was running when it was last asked."""

    __slots__ = ("begin", "counts_from", "end", "known_to", "next_at", "next_level", "purse", "record", "rule")

    def __init__(self, rule: BudgetRule, purse: Purse, record: Record, now_us: int) -> None:
        self.rule = rule
        self.purse = purse
        self.record = record
        self.begin, self.end = bounds(rule.period, now_us)
        self.counts_from = record.created_us
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


@functools.lru_cache(1024)
def _requests_head(limit: int) -> bytes:
    """A format that takes what remains."""
    return (
        b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %%d\r\n"
        b"x-ratelimit-reset-requests: 60s\r\n" % limit
    )


@functools.lru_cache(1024)
def _tokens_head(limit: int) -> bytes:
    return (
        b"x-ratelimit-limit-tokens: %d\r\nx-ratelimit-remaining-tokens: %%d\r\n"
        b"x-ratelimit-reset-tokens: 60s\r\n" % limit
    )


class Heard(Protocol):
    """What a lease tells its admission."""

    @property
    def lines(self) -> Mapping[tuple[str, int], object]:
        """Where calls wait."""
        ...

    def ended(self, holding: Holding) -> None: ...

    def began_before(self, account: Account, now_us: int) -> None: ...

    def look_at_levels(self, account: Account, now_us: int) -> None: ...


class Held:
    """The lease of one call (`core.limits.Lease`). `amount` and `at_risk` are nano-dollars, the same in each budget;
    `limits` hears that it is over where calls wait, and of a budget that has got to its next level."""

    __slots__ = (
        "_holding",
        "_limits",
        "_over",
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
        limits: Heard,
    ) -> None:
        self._holding = holding
        self._second = second
        self._tokens = tokens
        self._limits = limits
        self._over = False
        self._reserved: Sequence[tuple[Account, int]] = ()
        """Each account with the period its money belongs to."""
        self._shares: tuple[Share, ...] = ()
        self.amount = self.at_risk = 0
        self.used: Sequence[Used] = [window.add(second, tokens) for window in holding.windows]
        """By window, with this call in it."""

    def reserve(self, amount: int, at_risk: int, now_us: int) -> None:
        self.amount, self.at_risk = amount, at_risk
        self._reserved = reserved = []
        for account in self._holding.accounts:
            period = account.begin if now_us < account.end else account.period_at(now_us)
            account.purse.reserve(period, amount, at_risk)
            if now_us < account.counts_from:
                self._limits.began_before(account, now_us)
            reserved.append((account, period))

    def share(self, taken: Share) -> None:
        """It holds a part of what machines share, too."""
        self._shares += (taken,)

    @property
    def head(self) -> bytes:
        """The reset is when all of it is free again if nothing more is sent."""
        requests: tuple[int, int] | None = None
        tokens: tuple[int, int] | None = None
        for _, at, most_requests, most_tokens, _, _ in self._holding.meters:
            used = self.used[at]
            if most_requests is not None:
                left = most_requests - used.requests
                if requests is None or left * requests[0] < requests[1] * most_requests:
                    requests = most_requests, left
            if most_tokens is not None:
                left = most_tokens - used.tokens
                if tokens is None or left * tokens[0] < tokens[1] * most_tokens:
                    tokens = most_tokens, left
        head = _requests_head(requests[0]) % max(0, requests[1]) if requests is not None else b""
        return head if tokens is None else head + _tokens_head(tokens[0]) % max(0, tokens[1])

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
                self._limits.look_at_levels(account, now_us)
        for share in self._shares:
            share.allotment.end(share.amount, share.used_by(tokens, cost))
        if self._limits.lines:
            self._limits.ended(holding)

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
        if self._limits.lines:
            self._limits.ended(holding)
