"""What admission learns from the log, off the path of calls: what a budget's period had cost before its counter was
made, what calls cut off by a crash were booked with, and what is usual for a tenant.

A counter counts the calls admitted since it was made; the log has those from before. So what is spent is always both,
and a counter that is lost (another machine, a deleted file) begins where the log is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from gateway.control.admission import Limits
from gateway.control.admission_guard import Guard
from gateway.control.admission_holding import Account
from gateway.core.limits.rules import BudgetRule
from gateway.core.limits.runaway import HOUR, MICROUSD, Hour, Profile
from gateway.errors import StoreError
from gateway.settings.limits import Runaway
from gateway.store.base import SpanFilter, SpanReader

log = logging.getLogger("callgate.limits")

NANO_PER_MICROUSD = 1_000_000_000 // MICROUSD
LATE_US = 300_000_000
"""Calls from before a counter was made may reach the log so much later: until then it is asked again."""
ASK_EVERY_US = 5_000_000
PROFILE_EVERY_US = 6 * HOUR
LONGEST_CALL_US = 900_000_000
"""A call that was cut off had begun at most so long before."""
BOOKED_AFTER_US = 4_000_000
"""The recorder has booked what a crash cut off, where it says so: its word is up to two seconds old."""


class Ledger:
    """`drained` says whether everything that was journalled is in the store."""

    def __init__(self, store: SpanReader, drained: Callable[[], bool]) -> None:
        self._store = store
        self._drained = drained
        self._profiled: dict[str, int] = {}
        """When (µs) a tenant's profile was made."""

    async def refresh(self, limits: Limits, now_us: int) -> None:
        """Asks what has to be asked now. A store that does not answer is asked again the next time."""
        try:
            for account in list(limits.accounts.values()):
                await self._account(limits, account, now_us)
            rule = limits.settings.runaway
            if rule is not None:
                for guard in list(limits.guards.values()):
                    await self._guard(guard, rule, now_us)
        except StoreError as exc:
            log.warning("limits: the log cannot be asked for what was spent before: %s", exc)

    async def _account(self, limits: Limits, account: Account, now_us: int) -> None:
        period, made = account.period_at(now_us), limits.board.created_us(account.record)
        unknown = account.known_to == 0
        late = account.known_to < made + LATE_US and now_us >= account.known_to + ASK_EVERY_US
        if unknown or late:
            if made > period:
                which = _spans_of(account.rule, period, made)
                account.purse.know(period, (await self._store.stats(which)).totals.cost_nanousd)
            account.known_to = now_us
            limits.look_at_levels(account, now_us)
        cut_at = account.purse.orphans(period)
        if cut_at is not None and now_us >= cut_at + BOOKED_AFTER_US and self._drained():
            which = _spans_of(account.rule, max(period, cut_at - LONGEST_CALL_US), cut_at, status=("interrupted",))
            account.purse.resolve_orphans(period, (await self._store.stats(which)).totals.cost_nanousd)

    async def _guard(self, guard: Guard, rule: Runaway, now_us: int) -> None:
        if now_us < self._profiled.get(guard.tenant, 0) + PROFILE_EVERY_US:
            return
        to_us = now_us // HOUR * HOUR
        from_us = to_us - rule.window_days * 24 * HOUR
        which = SpanFilter(tenant=(guard.tenant,), from_us=from_us, to_us=to_us)
        groups = await self._store.groups(which, "hour", limit=rule.window_days * 24 + 24)
        hours = [
            Hour(
                int(datetime.fromisoformat(group.key).timestamp()) * 1_000_000,
                group.totals.requests,
                group.totals.cost_nanousd // NANO_PER_MICROUSD,
            )
            for group in groups
            if group.key is not None
        ]
        guard.know(Profile.of(hours, from_us, to_us))
        self._profiled[guard.tenant] = now_us


def _spans_of(rule: BudgetRule, from_us: int, to_us: int, status: tuple[str, ...] = ()) -> SpanFilter:
    values = (rule.value,)
    which = SpanFilter(from_us=from_us, to_us=to_us, status=status)
    if rule.scope.startswith("tag:"):
        return msgspec.structs.replace(which, tags=((rule.scope[4:], values),))
    return msgspec.structs.replace(which, **{rule.scope: values})
