"""What budgets have reached, by their counters: a level whose event a crash swallowed is told at the next look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from gateway.control.admission_status import budget_states
from gateway.control.state import AppState
from gateway.core.limits.events import BudgetAlert
from gateway.core.limits.rules import record_name

AT_A_TIME = 50
"""Budgets that are looked at before calls have their turn again: half a millisecond."""


async def reached(state: AppState, now_us: int) -> AsyncIterator[BudgetAlert]:
    """As the events of admission say it, whose notices have the same ids."""
    limits = state.limiting.limits if state.limiting is not None else None
    if limits is None:
        return

    def names(scope: str, value: str) -> tuple[str, ...]:
        key = state.keyring.by_id(value) if scope == "key" else None
        return (value, key.name) if key is not None else (value,)

    for number, each in enumerate(budget_states(limits, now_us, names), 1):
        if number % AT_A_TIME == 0:
            await asyncio.sleep(0)
        account = limits.accounts.get(record_name(each.scope, each.value, each.name, each.period))
        for level in limits.reached(account, each.spent) if account is not None else ():
            yield BudgetAlert(
                at_us=now_us,
                budget=each.name,
                scope=each.scope,
                value=each.value,
                period=each.period,
                level_percent=level,
                spent_nanousd=each.spent,
                limit_nanousd=each.limit,
                hard=each.hard,
                resets_at_us=each.resets_us,
            )
