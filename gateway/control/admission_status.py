"""What limits and budgets are at now, over all workers of this machine: for the API, the metrics and pages.

The board has a record for every value that was counted, whichever worker counted it; the rules say what holds for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from gateway.control.admission import Limits
from gateway.control.counters.board import Record
from gateway.core.limits.period import NEVER
from gateway.core.limits.rules import BudgetRule
from gateway.core.limits.window import Used, Window

NAMES_OF = Callable[[str, str], tuple[str, ...]]
"""(scope, value) → what a rule may call it, the value first; a key's name beside its id."""


class LimitState(msgspec.Struct):
    """One value under one limit. What is not limited is None; `used` counts the last 60 s."""

    scope: str
    value: str
    requests_limit: int | None
    requests_used: int
    tokens_limit: int | None
    tokens_used: int | None
    """Those reserved by calls under way included; None where they are not counted."""
    concurrent_limit: int | None
    in_flight: int


class BudgetState(msgspec.Struct):
    """One value's budget in the running period; nano-dollars."""

    name: str
    scope: str
    value: str
    period: str
    hard: bool
    limit: int
    spent: int
    reserved: int
    """By calls under way, and by those that a crash cut off until the log has them."""
    calls: int
    overshoot: int
    """How far beyond the limit it could get, at the most, by the calls that are under way."""
    begins_us: int
    resets_us: int | None


def limit_states(limits: Limits, now_us: int, names_of: NAMES_OF) -> Iterator[LimitState]:
    found: dict[tuple[str, str], Used] = {}
    counted: dict[tuple[str, str], int] = {}
    for record, parts in _named(limits, windows=True):
        if len(parts) == 2:
            key = (parts[0], parts[1])
            window = Window(limits.board.region, record.at, record.kind)
            if record.kind >= counted.get(key, 0):  # with another setting it may have been counted elsewhere before
                found[key], counted[key] = window.used(now_us // 1_000_000), record.kind
    for (scope, value), used in found.items():
        for limit in limits.rules.limits_for(scope, names_of(scope, value)):
            yield LimitState(
                scope,
                value,
                limit.requests_per_min,
                used.requests,
                limit.tokens_per_min,
                used.tokens if counted[scope, value] > 1 else None,
                limit.concurrent,
                used.in_flight,
            )


class Standings(msgspec.Struct, frozen=True):
    """What all limits and budgets are at."""

    limits: list[LimitState] = []
    budgets: list[BudgetState] = []


def standings(limits: Limits | None, now_us: int, names: NAMES_OF) -> Standings:
    """Nothing where there are none."""
    if limits is None:
        return Standings()
    return Standings(list(limit_states(limits, now_us, names)), list(budget_states(limits, now_us, names)))


def budget_states(limits: Limits, now_us: int, names_of: NAMES_OF) -> Iterator[BudgetState]:
    for _, parts in _named(limits, windows=False):
        if len(parts) == 4:
            scope, value, name, period = parts
            for rule in limits.rules.budgets_for(name, scope, names_of(scope, value), period):
                yield _budget_state(limits, rule, now_us)


def _budget_state(limits: Limits, rule: BudgetRule, now_us: int) -> BudgetState:
    account = limits.account(rule, now_us)
    begin = account.period_at(now_us)
    money = account.purse.money(begin)
    taken = money.spent + money.reserved + money.orphaned
    return BudgetState(
        rule.budget,
        rule.scope,
        rule.value,
        rule.period,
        rule.hard,
        rule.limit,
        money.spent,
        money.reserved + money.orphaned,
        money.calls,
        max(0, taken + money.at_risk - rule.limit),
        begin,
        account.end if account.end < NEVER else None,
    )


def _named(limits: Limits, *, windows: bool) -> Iterator[tuple[Record, list[str]]]:
    for record in limits.board.records():
        if bool(record.kind) is windows:
            try:
                yield record, msgspec.json.decode(record.name, type=list[str])
            except msgspec.DecodeError:
                continue  # too long a name to be kept whole
