"""What admission has to tell people: each is handed once to whatever delivers it, by one of the workers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class BudgetAlert(msgspec.Struct, frozen=True, kw_only=True, tag="budget"):
    """A budget has reached one of its levels; once for each level and period."""

    at_us: int
    budget: str
    scope: str
    value: str
    period: str
    level_percent: float
    spent_nanousd: int
    limit_nanousd: int
    hard: bool
    resets_at_us: int | None
    """None for a `total`."""


class RunawayAlert(msgspec.Struct, frozen=True, kw_only=True, tag="runaway"):
    """A tenant does far more than is usual for it; once an hour and reason."""

    at_us: int
    tenant: str
    reason: str
    """`calls`, `spend` or `same_prompt`."""
    per_min: int
    """Calls, or micro-dollars, in the last minute."""
    bound_per_min: int
    throttled: bool


Event = BudgetAlert | RunawayAlert
Sink = Callable[[Event], None]
