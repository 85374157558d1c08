"""A notice: what people are told, in words and in numbers, whoever carries it."""

from __future__ import annotations

import hashlib

import msgspec

from gateway.core.alerts.metric import METRICS, limit_of
from gateway.core.alerts.watch import Change, Watch
from gateway.core.limits.events import BudgetAlert, Event, RunawayAlert
from gateway.settings.alerts import AlertRule

SEVERITIES = ("info", "warning", "error", "critical")
NANO = 1_000_000_000
MICRO = 1_000_000


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """The same for the same change, whoever notices it and however often: also what receivers know a repetition by."""
    at_us: int
    kind: str
    """firing, still (a silence ended), resolved, budget, runaway, test"""
    severity: str
    rule: str
    """The rule's name, `budget:NAME`, `runaway` or `test`."""
    of: str = ""
    """The value the rule tells apart, as a tenant; empty where it tells none apart."""
    title: str
    text: str
    incident: str
    """The same for all notices of one incident."""
    metric: str | None = None
    value: float | None = None
    limit: float | None = None
    since_us: int | None = None
    silenced: bool = False
    """Kept, not sent."""
    notify: tuple[str, ...] = ()
    """To whom it goes."""
    lasts: bool = False
    """Never forgotten: its event has no end, and would else be told again."""

    @property
    def at_us_id(self) -> str:
        """Sorts by time."""
        return f"{self.at_us:020d}-{self.id}"


def of_change(
    rule: AlertRule,
    of: str,
    change: Change,
    before: Watch | None,
    after: Watch | None,
    value: float | None,
    now_us: int,
) -> Notice:
    """`before` or `after` is the watch that fires."""
    firing = after if after is not None else before
    assert firing is not None
    silenced = not firing.told
    what, amount = _about(rule, of), said(rule.metric, value)
    if change == "resolved":
        lasted = spell((now_us - firing.since_us) / 1_000_000)
        text = f"{what}: {amount}; it fired for {lasted}." if value is not None else f"{what}: not known any more."
    else:
        way = "above" if rule.above is not None else "below"
        span = f" over {spell(rule.window_min * 60)}" if METRICS[rule.metric].is_of_calls else ""
        text = f"{what}{span}: {amount}, {way} {said(rule.metric, limit_of(rule))}."
    head = {"firing": "Firing", "still": "Still firing", "resolved": "Resolved"}[change]
    return Notice(
        id=f"{firing.incident}-{change}",
        at_us=now_us,
        kind=change,
        severity=rule.severity,
        rule=rule.name,
        of=of,
        title=f"{head}: {rule.name}{f' ({of})' if of else ''}",
        text=text,
        incident=firing.incident,
        metric=rule.metric,
        value=value,
        limit=limit_of(rule),
        since_us=firing.since_us,
        silenced=silenced,
    )


def of_event(event: Event) -> Notice:
    """A level of a budget, or a runaway: by what it is about, so that it is one notice however often it is said."""
    if isinstance(event, BudgetAlert):
        return _of_budget(event)
    hour = event.at_us // 3_600_000_000
    key = digest("runaway", event.tenant, event.reason, str(hour))
    doing = "It is held to it." if event.throttled else "It is only reported."
    return Notice(
        id=key,
        at_us=event.at_us,
        kind="runaway",
        severity="error" if event.throttled else "warning",
        rule="runaway",
        of=event.tenant,
        title=f"Runaway: {event.tenant}",
        text=f"{_runaway(event)}. {doing}",
        incident=key,
        metric=event.reason,
        value=event.per_min,
        limit=event.bound_per_min,
    )


def _runaway(event: RunawayAlert) -> str:
    if event.reason == "spend":
        spent, usual = (said("cost_usd", amount / MICRO) for amount in (event.per_min, event.bound_per_min))
        return f"{event.tenant} spends {spent} a minute; {usual} is the most that is usual"
    if event.reason == "same_prompt":
        return (
            f"{event.tenant} sends the same prompt {event.per_min:,} times a minute; {event.bound_per_min:,} is a loop"
        )
    return f"{event.tenant} makes {event.per_min:,} calls a minute; {event.bound_per_min:,} is the most that is usual"


def _of_budget(event: BudgetAlert) -> Notice:
    key = digest(
        "budget",
        event.budget,
        event.scope,
        event.value,
        event.period,
        str(event.resets_at_us),
        f"{event.level_percent:g}",
    )
    spent, limit = event.spent_nanousd / NANO, event.limit_nanousd / NANO
    is_out = event.level_percent >= 100
    end = " Further calls are refused." if is_out and event.hard else ""
    return Notice(
        id=key,
        at_us=event.at_us,
        kind="budget",
        severity="error" if is_out else "warning",
        rule=f"budget:{event.budget}",
        of=event.value,
        title=f"Budget {event.budget} ({event.value}): {event.level_percent:g} %",
        text=f"{event.scope} {event.value} has spent {said('cost_usd', spent)} of {said('cost_usd', limit)} "
        f"({event.period}).{end}",
        incident=key,
        metric="spent_usd",
        value=spent,
        limit=limit,
        lasts=event.resets_at_us is None,
    )


def digest(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def said(metric: str, value: float | None) -> str:
    """With its unit, for people."""
    if value is None:
        return "unknown"
    unit = METRICS[metric].unit
    if unit == "usd":
        return f"${value:,.2f}" if abs(value) >= 0.01 or value == 0 else f"${value:.9f}".rstrip("0")
    return (
        f"{round(value, 2):,g}" + (f" {unit}" if unit != "level" else "")
        if abs(value) < 1e6
        else f"{value:,.0f} {unit}"
    )


def spell(seconds: float) -> str:
    """`45 s`, `10 min`, `3 h`, `2 d`: in the largest unit that leaves at least two, rounded."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} s"


def _about(rule: AlertRule, of: str) -> str:
    words = METRICS[rule.metric].words
    parts = [f"{rule.each} {of}"] if of else []
    parts += [", ".join(values) for values in (rule.tenant, rule.environment, rule.provider, rule.model) if values]
    return f"{words} of {' in '.join(parts)}" if parts else words
