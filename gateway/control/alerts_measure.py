"""How what a rule watches is measured: calls from the log, the parts by what they say of themselves.

To add a metric: an entry in `gateway.core.alerts.metric.METRICS`, and one here, in `OF_CALLS` (a function of totals and
latency) or `OF_PARTS` (a function of the application's state).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from gateway.control.fleet import Question
from gateway.control.state import AppState
from gateway.core.alerts.metric import METRICS
from gateway.core.alerts.watch import MINUTE
from gateway.settings.alerts import AlertRule
from gateway.store.base import Distribution, SpanFilter, Stats, Totals

NANO = 1_000_000_000
TIMEOUT_S = 20
LATE_US = 60_000_000
"""A log that is further behind says nothing of the last minutes; `recorder_lag_s` does."""
MOST_VALUES = 1000

Values = dict[str, float | None]
"""By what a rule tells apart; `""` where it tells nothing apart. None: unknown."""


class Unmeasured(Exception):  # noqa: N818 - a state of affairs
    """For now nobody can say; what fires goes on firing, and nothing begins to."""


def _milliseconds(value_us: int | None) -> float | None:
    return None if value_us is None else value_us / 1000


def _error_rate(totals: Totals) -> float | None:
    """Of the calls whose client stayed."""
    ended = totals.requests - totals.cancelled
    return 100 * totals.errors / ended if ended > 0 else None


OF_CALLS: dict[str, Callable[[Totals, Distribution], float | None]] = {
    "cost_usd": lambda totals, _: totals.cost_nanousd / NANO,
    "requests": lambda totals, _: totals.requests,
    "tokens": lambda totals, _: totals.input_tokens + totals.output_tokens,
    "errors": lambda totals, _: totals.errors,
    "unpriced": lambda totals, _: totals.unpriced,
    "interrupted": lambda totals, _: totals.interrupted,
    "error_rate": lambda totals, _: _error_rate(totals),
    "latency_p50_ms": lambda _, latency: _milliseconds(latency.p50),
    "latency_p95_ms": lambda _, latency: _milliseconds(latency.p95),
    "latency_p99_ms": lambda _, latency: _milliseconds(latency.p99),
}
OF_STATS: dict[str, Callable[[Stats], float | None]] = {
    "ttft_p95_ms": lambda stats: _milliseconds(stats.ttft.p95),
    "overhead_p95_ms": lambda stats: _milliseconds(stats.overhead.p95),
}
"""Of all calls together only."""


def _journal(state: AppState) -> Values:
    return {"": {"ok": 0.0, "refusing": 2.0}.get(state.journal_health().state, 1.0)}


def _recorder(state: AppState) -> Values:
    return {"": 0.0 if state.recorder_health().state in ("running", "starting") else 1.0}


def _failures_in_a_row(state: AppState) -> Values:
    return {name: float(health.failures_in_a_row) for name, health in state.provider_health().items()}


def _open_circuits(state: AppState) -> Values:
    """Targets of routes; each once, whatever routes it is in."""
    routing = state.routing
    if routing is None:
        return {}
    members = {routing.names(member): member for route in routing.all() for member in route.members}
    now = routing.now_us()
    found = Counter(provider for (provider, _), member in members.items() if member.state.opened_until_us > now)
    return {provider: float(found[provider]) for provider, _ in members}


OF_PARTS: dict[str, Callable[[AppState], Values]] = {
    "journal": _journal,
    "journal_backlog_mb": lambda state: {"": state.recorder_health().backlog_bytes / 1_048_576},
    "recorder": _recorder,
    "recorder_lag_s": lambda state: {"": state.recorder_health().lag_us / 1_000_000},
    "dead_letters": lambda state: {"": float(state.recorder_health().dead_letters)},
    "provider_failures": _failures_in_a_row,
    "circuits_open": _open_circuits,
}


OF_EACH_WORKER = frozenset({"journal", "provider_failures", "circuits_open"})
"""Parts that each worker has for itself. The others say the same whoever is asked."""

PART = Question("part", str, Values)


def own_part(state: AppState, metric: str) -> Values:
    """As this worker sees it."""
    return OF_PARTS[metric](state)


async def part(state: AppState, metric: str) -> Values:
    """As the worker sees it that sees it worst."""
    worst = dict(own_part(state, metric))
    if metric in OF_EACH_WORKER:
        for theirs in (await state.fleet.ask(PART, metric)).values():
            for name, value in theirs.items():
                known = (each for each in (worst.get(name), value) if each is not None)
                worst[name] = max(known, default=None)
    return worst


class Measures:
    """For one look at all rules: what several ask for is read once."""

    def __init__(self, state: AppState, now_us: int) -> None:
        self._state = state
        self._now_us = now_us
        self._stats: dict[SpanFilter, Stats] = {}
        self._groups: dict[tuple[SpanFilter, str], Mapping[str, tuple[Totals, Distribution]]] = {}

    async def read(self, rule: AlertRule) -> Values:
        """Raises Unmeasured, and StoreError."""
        if not METRICS[rule.metric].is_of_calls:
            return await self._of_part(rule)
        self._require_log()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._of_calls(rule)
        except TimeoutError as exc:
            raise Unmeasured(f"the store did not answer within {TIMEOUT_S} s") from exc

    def absent(self, rule: AlertRule) -> float | None:
        """What a value that was there before is worth when no call has it any more."""
        metric = METRICS[rule.metric]
        return 0.0 if metric.is_of_calls and not metric.is_rate else None

    def _require_log(self) -> None:
        recorder = self._state.recorder_health()
        if recorder.state in ("store_down", "stopped"):
            raise Unmeasured(f"the log is not written (recorder: {recorder.state})")
        if recorder.lag_us > LATE_US:
            raise Unmeasured(f"the log is {recorder.lag_us // 1_000_000} s behind")

    async def _of_part(self, rule: AlertRule) -> Values:
        found = await part(self._state, rule.metric)
        if "" in found:
            return found
        chosen = {name: value for name, value in found.items() if not rule.provider or name in rule.provider}
        if rule.each:
            return chosen
        return {"": max((value for value in chosen.values() if value is not None), default=0.0)}

    async def _of_calls(self, rule: AlertRule) -> Values:
        which = SpanFilter(
            from_us=self._now_us - round(rule.window_min * MINUTE),
            to_us=self._now_us,
            tenant=tuple(rule.tenant),
            environment=tuple(rule.environment),
            provider=tuple(rule.provider),
            model=tuple(rule.model),
        )
        if rule.each:
            groups = await self._grouped(which, rule.each)
            return {key: self._value(rule, totals, latency) for key, (totals, latency) in groups.items()}
        if which not in self._stats:
            self._stats[which] = await self._state.store.stats(which)
        stats = self._stats[which]
        if rule.metric in OF_STATS:
            enough = stats.totals.requests >= rule.min_calls
            return {"": OF_STATS[rule.metric](stats) if enough else None}
        return {"": self._value(rule, stats.totals, stats.latency)}

    async def _grouped(self, which: SpanFilter, by: str) -> Mapping[str, tuple[Totals, Distribution]]:
        if (which, by) not in self._groups:
            found = await self._state.store.groups(which, by, limit=MOST_VALUES)
            self._groups[which, by] = {each.key: (each.totals, each.latency) for each in found if each.key}
        return self._groups[which, by]

    def _value(self, rule: AlertRule, totals: Totals, latency: Distribution) -> float | None:
        if METRICS[rule.metric].is_rate and totals.requests < rule.min_calls:
            return None
        return OF_CALLS[rule.metric](totals, latency)
