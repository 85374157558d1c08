"""How full limits and budgets are now, as meters of the pages of tenants."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.control.admission_status import BudgetState, LimitState
from gateway.dashboard.charts import percent
from gateway.dashboard.format import full, money_sum, short
from gateway.dashboard.view import View


@dataclass(frozen=True)
class Meter:
    """How full a limit or budget is now."""

    label: str
    part: str
    tone: str
    words: str
    title: str = ""


def limit_meters(state: LimitState) -> list[Meter]:
    """One for each bound that is set."""
    of = "" if state.scope == "tenant" else f", {state.scope}"
    bounds = (
        ("Requests a minute", state.requests_used, state.requests_limit),
        ("Tokens a minute", state.tokens_used, state.tokens_limit),
        ("At the same time", state.in_flight, state.concurrent_limit),
    )
    return [
        Meter(label + of, percent(used, limit), _tone(used, limit), f"{short(used)} of {short(limit)}", "last 60 s")
        for label, used, limit in bounds
        if limit is not None and used is not None
    ]


def budget_meter(view: View, state: BudgetState) -> Meter:
    taken = state.spent + state.reserved
    resets = f", resets {full(state.resets_us, view.period.zone)}" if state.resets_us is not None else ""
    kind = "hard" if state.hard else "soft"
    return Meter(
        state.name,
        percent(taken, state.limit),
        _tone(taken, state.limit),
        f"{money_sum(taken)} of {money_sum(state.limit)}",
        f"{kind}, {money_sum(state.reserved)} of it reserved by calls under way{resets}",
    )


def _tone(used: int, limit: int) -> str:
    """A limit of nothing is always full."""
    if used >= limit:
        return "error"
    return "warning" if used * 5 >= limit * 4 else ""
