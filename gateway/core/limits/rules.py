"""Which limits and budgets apply to a call: settings compiled so that a call's values find them in one look-up.

Limits: within a scope the one that names the value wins over `*`; those of different scopes all apply. Budgets all
apply. A key is meant by its name or its id, a model by what was asked for, what goes upstream, or `provider/model`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from gateway.core.limits import Ask
from gateway.settings.limits import Budget, Limit

EACH = "*"
NANO = 1_000_000_000
MOST_LEVELS = 60


class RateRule(NamedTuple):
    scope: str
    value: str
    who: str
    """For people: `tenant acme`."""
    requests: int | None
    tokens: int | None
    concurrent: int | None
    queue_us: int

    @property
    def name(self) -> str:
        """Of its counters; a JSON array, so that it can be read again."""
        return record_name(self.scope, self.value)

    @property
    def series(self) -> int:
        return 1 if self.tokens is None else 2


class BudgetRule(NamedTuple):
    budget: str
    scope: str
    value: str
    who: str
    period: str
    limit: int
    """Nano-dollars."""
    hard: bool
    levels: tuple[float, ...]
    """Percent, ascending."""

    @property
    def name(self) -> str:
        return record_name(self.scope, self.value, self.budget, self.period)


@functools.lru_cache(1024)
def nanodollars(usd: float) -> int:
    """Cached, for a thousand budgets of the same size to have the same number."""
    return round(usd * NANO)


def record_name(*parts: str) -> str:
    return msgspec.json.encode(parts).decode()


class Applicable(NamedTuple):
    rates: tuple[RateRule, ...]
    budgets: tuple[BudgetRule, ...]


class Rules:
    """`identity` gives equal results for calls to which the same applies; `applicable` what that is."""

    def __init__(self, limits: Iterable[Limit], budgets: Iterable[Budget], *, by_tenant: bool = False) -> None:
        """`by_tenant`: tenants are told apart even where no rule is about them (for the guard against runaways)."""
        self._limits = list(limits)
        self._budgets = list(budgets)
        scopes = dict.fromkeys([limit.scope for limit in self._limits] + [budget.scope for budget in self._budgets])
        if by_tenant:
            scopes.setdefault("tenant")
        self.empty = not scopes
        self._tags = tuple(scope.partition(":")[2] for scope in scopes if scope.startswith("tag:"))
        fields = [field for scope in scopes for field in _FIELDS.get(scope, ())]
        self._fields: Callable[[Ask], Any] = attrgetter(*fields) if fields else lambda _: None
        self.identity: Callable[[Ask], object] = self._with_tags if self._tags else self._fields

    def _with_tags(self, ask: Ask) -> object:
        return self._fields(ask), *map(ask.tags.get, self._tags)

    def applicable(self, ask: Ask) -> Applicable:
        rates: list[RateRule] = []
        for scope in dict.fromkeys(limit.scope for limit in self._limits):
            names = _names(ask, scope)
            if names:
                rates += [_rate(limit, ask, names[0]) for limit in self.limits_for(scope, names)]
        budgets = [
            _budget(budget, names[0], _who(budget.scope, names[0], ask))
            for budget in self._budgets
            if (names := _names(ask, budget.scope)) and (budget.match == EACH or budget.match in names)
        ]
        return Applicable(tuple(rates), tuple(budgets))

    def limits_for(self, scope: str, names: tuple[str, ...]) -> list[Limit]:
        """Those of a scope that hold for a value with these names."""
        mine = [limit for limit in self._limits if limit.scope == scope and limit.match in names]
        return mine or [limit for limit in self._limits if limit.scope == scope and limit.match == EACH]

    def budgets_for(self, name: str, scope: str, names: tuple[str, ...], period: str) -> list[BudgetRule]:
        """The budget of that name as it holds for a value with these names; none where it is not set any more."""
        return [
            _budget(budget, names[0], f"{scope.removeprefix('tag:')} {names[-1]}")
            for budget in self._budgets
            if (budget.name, budget.scope, budget.period) == (name, scope, period) and budget.match in (EACH, *names)
        ]


_FIELDS = {
    "tenant": ("tenant",),
    "key": ("key.key_id",),
    "environment": ("environment",),
    "model": ("model", "model_requested", "provider"),
    "prompt": ("prompt",),
}


def _names(ask: Ask, scope: str) -> tuple[str, ...]:
    """What the call's value may be called in a rule; the first is what it is counted under. Empty without a value."""
    if scope == "key":
        return ask.key.key_id, ask.key.name
    if scope == "model":
        names = (ask.model, ask.model_requested, f"{ask.provider}/{ask.model}" if ask.model else None)
        return tuple(name for name in names if name)
    value = ask.tags.get(scope[4:]) if scope.startswith("tag:") else getattr(ask, scope)
    return (value,) if value else ()


def _who(scope: str, value: str, ask: Ask) -> str:
    return f"key {ask.key.name}" if scope == "key" else f"{scope.removeprefix('tag:')} {value}"


def _rate(limit: Limit, ask: Ask, value: str) -> RateRule:
    return RateRule(
        limit.scope,
        value,
        _who(limit.scope, value, ask),
        limit.requests_per_min,
        limit.tokens_per_min,
        limit.concurrent,
        limit.queue_ms * 1000,
    )


def _budget(budget: Budget, value: str, who: str) -> BudgetRule:
    return BudgetRule(
        budget.name,
        budget.scope,
        value,
        who,
        budget.period,
        nanodollars(budget.usd),
        budget.hard,
        tuple(sorted(budget.alerts))[:MOST_LEVELS],
    )
