"""What a rule may watch. How each is measured is in `gateway.control.alerts_measure`, which has an entry for each."""

from __future__ import annotations

from typing import NamedTuple

from gateway.settings.alerts import AlertRule


class Metric(NamedTuple):
    words: str
    """At the beginning of a sentence."""
    unit: str
    """usd, %, ms, s, MB, or what is counted."""
    each: tuple[str, ...] = ()
    """What it can be told apart by."""
    is_rate: bool = False
    """Of few calls it says nothing, and of none at all it is unknown. Others are 0 then, which is the truth."""
    is_of_calls: bool = True
    """From the log, within the window and the filters; else how a part is now."""


_DIMENSIONS = ("tenant", "environment", "provider", "model", "key", "prompt")

METRICS = {
    "cost_usd": Metric("Cost", "usd", _DIMENSIONS),
    "requests": Metric("Calls", "calls", _DIMENSIONS),
    "tokens": Metric("Tokens", "tokens", _DIMENSIONS),
    "errors": Metric("Failed calls", "calls", _DIMENSIONS),
    "unpriced": Metric("Calls without a price", "calls", _DIMENSIONS),
    "interrupted": Metric("Interrupted calls", "calls", _DIMENSIONS),
    "error_rate": Metric("Error rate", "%", _DIMENSIONS, is_rate=True),
    "latency_p50_ms": Metric("Median latency", "ms", _DIMENSIONS, is_rate=True),
    "latency_p95_ms": Metric("Latency (p95)", "ms", _DIMENSIONS, is_rate=True),
    "latency_p99_ms": Metric("Latency (p99)", "ms", _DIMENSIONS, is_rate=True),
    "ttft_p95_ms": Metric("Time to first token (p95)", "ms", is_rate=True),
    "overhead_p95_ms": Metric("Gateway overhead (p95)", "ms", is_rate=True),
    "journal": Metric("Journal trouble", "level", is_of_calls=False),
    "journal_backlog_mb": Metric("Journal backlog", "MB", is_of_calls=False),
    "recorder": Metric("Recorder trouble", "level", is_of_calls=False),
    "recorder_lag_s": Metric("Recorder lag", "s", is_of_calls=False),
    "dead_letters": Metric("Dead letters", "rows", is_of_calls=False),
    "provider_failures": Metric("Failures in a row", "calls", ("provider",), is_of_calls=False),
    "circuits_open": Metric("Open circuits", "targets", ("provider",), is_of_calls=False),
}
"""`journal` is 0 when well, 1 when it drops bodies, 2 when it refuses calls; `recorder` is 0 when it runs, else 1."""


def problems(rule: AlertRule) -> list[tuple[str, str]]:
    """(setting, what is wrong with it); empty for a rule that can be watched."""
    metric = METRICS.get(rule.metric)
    if metric is None:
        return [("metric", f"'{rule.metric}' is nothing that can be watched; there are: {', '.join(METRICS)}")]
    found: list[tuple[str, str]] = []
    if (rule.above is None) == (rule.below is None):
        found.append(("above", "or below: a rule needs one of the two, and only one"))
    elif rule.clear is not None and _is_beyond_limit(rule, rule.clear):
        way = "at most" if rule.above is not None else "at least"
        found.append(("clear", f"must be {way} {limit_of(rule):g}, or it would be over before it began"))
    if rule.each and rule.each not in metric.each:
        ways = f"it takes {', '.join(metric.each)}" if metric.each else "it has no parts"
        found.append(("each", f"'{rule.each}' does not tell {rule.metric} apart; {ways}"))
    if not metric.is_of_calls:
        named = [name for name in ("tenant", "environment", "model") if getattr(rule, name)]
        named += ["provider"] if rule.provider and "provider" not in metric.each else []
        found += [(name, f"does not narrow {rule.metric}, which is not about calls in the log") for name in named]
    return found


def limit_of(rule: AlertRule) -> float:
    """The threshold of a rule that has one."""
    limit = rule.above if rule.above is not None else rule.below
    return 0.0 if limit is None else limit


def _is_beyond_limit(rule: AlertRule, value: float) -> bool:
    return value > limit_of(rule) if rule.above is not None else value < limit_of(rule)
