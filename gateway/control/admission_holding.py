"""What applies to a call, and the lease it gets: its part of every counter, until it is over."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gateway.control.admission_guard import BOUNDLESS, Guard
from gateway.control.counters.allotment import Allotment
from gateway.control.counters.board import Record
from gateway.core.limits.period import bounds
from gateway.core.limits.purse import Purse
from gateway.core.limits.rules import BudgetRule, RateRule
from gateway.core.limits.window import Window

MICRO = 1_000_000
NANO_PER_MICROUSD = 1000


class Meter(NamedTuple):
    """A limit of one value, with where it is counted."""

    rule: RateRule
    window: Window


class Row(NamedTuple):
    """A window that a call is counted in, with the least of what its meters allow: numbers beside each other, so that
    one look says whether all of them hold. BOUNDLESS where nothing is limited (the guard's, or a series)."""

    window: Window
    requests: int
    tokens: int
    at_once: int
    requests_lines: str
    """What answers say of it in their headers, up to where what is left is written."""
    tokens_lines: str
    meters: tuple[Meter, ...]

    @classmethod
    def of(cls, window: Window, rules: Sequence[RateRule]) -> Row:
        requests = _least([rule.requests for rule in rules])
        tokens = _least([rule.tokens for rule in rules])
        return cls(
            window,
            requests,
            tokens,
            _least([rule.concurrent for rule in rules]),
            _lines("requests", requests),
            _lines("tokens", tokens),
            tuple(Meter(rule, window) for rule in rules),
        )


def _least(limits: Sequence[int | None]) -> int:
    return min((limit for limit in limits if limit is not None), default=BOUNDLESS)


@functools.lru_cache(1024)
def _lines(of: str, limit: int) -> str:
    """The reset is when all of it is free again if nothing more is sent. Empty where nothing is limited."""
    if limit == BOUNDLESS:
        return ""
    return f"x-ratelimit-limit-{of}: {limit}\r\nx-ratelimit-reset-{of}: 60s\r\nx-ratelimit-remaining-{of}: "


@functools.lru_cache(1024)
def part_of(limit: int, percent: float) -> int:
    """The same number for all budgets of that size: it is at hand."""
    return int(limit * percent / 100)


class Account:
    """A budget of one value. `begin` and `end` (µs UTC) are of the period that was running when it was last asked."""

    __slots__ = (
        "begin",
        "counts_from",
        "end",
        "known_to",
        "least",
        "most",
        "next_at",
        "next_level",
        "purse",
        "record",
        "rule",
    )

    def __init__(self, rule: BudgetRule, purse: Purse, record: Record, now_us: int) -> None:
        self.rule = rule
        self.purse = purse
        self.record = record
        self.most = rule.limit if rule.hard else BOUNDLESS
        self.least = part_of(rule.limit, 1)
        """What must be left for one call more to be let in, whatever it reserves."""
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

    __slots__ = ("accounts", "guard", "nothing", "rows")

    def __init__(self, rows: Sequence[Row], accounts: Sequence[Account], guard: Guard | None) -> None:
        self.rows = tuple(rows)
        self.accounts = tuple(accounts)
        self.guard = guard
        """It looks at the last row."""
        self.nothing = not (rows or accounts)

    @property
    def meters(self) -> list[Meter]:
        return [meter for row in self.rows for meter in row.meters]


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


class Heard(Protocol):
    """What a lease tells its admission."""

    @property
    def lines(self) -> Mapping[Meter, object]:
        """Where calls wait."""
        ...

    def ended(self, holding: Holding) -> None: ...

    def look_at_levels(self, account: Account, now_us: int) -> None: ...


class Held(msgspec.Struct, gc=False):
    """The lease of one call (`core.limits.Lease`), filled by admission. `amount` and `at_risk` are nano-dollars, the
    same in each budget; `limits` hears that it is over where calls wait, and of a budget that got to its next level."""

    limits: Heard
    holding: Holding
    second: int
    tokens: int
    counted: int
    """In so many rows."""
    requests_left: int
    """Of the limit of which the least is left, with this call in it; BOUNDLESS where nothing is limited."""
    requests_lines: str
    """What the headers say of that limit, up to where what is left is written."""
    tokens_left: int
    tokens_lines: str
    reserved: list[tuple[Account, int]] = []
    """Each account with the period its money belongs to."""
    amount: int = 0
    at_risk: int = 0
    shares: tuple[Share, ...] = ()
    """What it holds of that which machines share, too."""
    is_over: bool = False

    @property
    def head(self) -> bytes:
        requests, tokens = self.requests_lines, self.tokens_lines
        if requests:
            left = self.requests_left
            requests = f"{requests}{left if left > 0 else 0}\r\n"
        if tokens:
            left = self.tokens_left
            requests = f"{requests}{tokens}{left if left > 0 else 0}\r\n"
        return requests.encode()

    def settle(self, tokens: int | None, cost_nanousd: int | None, now_us: int) -> None:
        if self.is_over:
            return
        self.is_over = True
        began, cost = self.second, cost_nanousd or 0
        more = 0 if tokens is None else tokens - self.tokens
        second, microusd = now_us // MICRO, cost // NANO_PER_MICROUSD
        for row in self.holding.rows:
            row[0].settle(began, more, microusd, second)
        for account, period in self.reserved:
            spent = account.purse.settle(period, self.amount, self.at_risk, cost)
            if spent >= account.next_at and cost:
                self.limits.look_at_levels(account, now_us)
        if self.shares:
            for share in self.shares:
                share.allotment.end(share.amount, share.used_by(tokens, cost))
        if self.limits.lines:
            self.limits.ended(self.holding)

    def release(self, now_us: int) -> None:
        if self.is_over:
            return
        self.is_over = True
        for row in self.holding.rows[: self.counted]:
            row.window.release(self.second, self.tokens)
        for account, period in self.reserved:
            account.purse.settle(period, self.amount, self.at_risk, 0)
        for share in self.shares:
            share.allotment.end(share.amount, 0)
        if self.limits.lines:
            self.limits.ended(self.holding)
