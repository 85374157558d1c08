"""When a rule fires and when that is over: a function of what is remembered, what was measured, and the time."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from gateway.core.alerts.metric import limit_of
from gateway.settings.alerts import AlertRule

MINUTE = 60_000_000

Change = Literal["firing", "still", "resolved"]


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Of a rule and one value, while it is not well. None in its place: all is well."""

    firing: bool = False
    since_us: int
    """When it went beyond the limit; once it fires, when it began to fire."""
    value: float | None = None
    """Measured last; None: not known any more."""
    incident: str = ""
    """Names the time from firing to resolved; empty before."""
    unknown_since_us: int = 0
    told: bool = False
    """Whether a notice was sent, not only kept."""


class Step(NamedTuple):
    watch: Watch | None
    change: Change | None = None
    incident: str = ""


def look(
    rule: AlertRule, watch: Watch | None, value: float | None, now_us: int, *, silenced: bool, incident: str
) -> Step:
    """`value` None: it was asked for and nobody knows. `incident` is the name of a new one.

    Unknown begins nothing. What fires stays so for another window, in case that is only a pause between calls, and is
    then over. A silence that ends while it still fires is told then (`still`).
    """
    if watch is not None and watch.firing:
        return _while_firing(rule, watch, value, now_us, silenced)
    if value is None or not _is_beyond(rule, value):
        return Step(None)
    since = watch.since_us if watch is not None else now_us
    if now_us - since < rule.for_min * MINUTE:
        return Step(Watch(since_us=since, value=value))
    fired = Watch(firing=True, since_us=now_us, value=value, incident=incident, told=not silenced)
    return Step(fired, "firing", incident)


def _while_firing(rule: AlertRule, watch: Watch, value: float | None, now_us: int, silenced: bool) -> Step:
    if value is None:
        since = watch.unknown_since_us or now_us
        if now_us - since >= rule.window_min * MINUTE:
            return Step(None, "resolved", watch.incident)
        return Step(msgspec.structs.replace(watch, value=None, unknown_since_us=since))
    if _is_back(rule, value):
        return Step(None, "resolved", watch.incident)
    now_told = not watch.told and not silenced
    kept = msgspec.structs.replace(watch, value=value, unknown_since_us=0, told=watch.told or now_told)
    return Step(kept, "still" if now_told else None, watch.incident)


def _is_beyond(rule: AlertRule, value: float) -> bool:
    return value > limit_of(rule) if rule.above is not None else value < limit_of(rule)


def _is_back(rule: AlertRule, value: float) -> bool:
    """Hysteresis: beyond `clear`, where there is one."""
    clear = limit_of(rule) if rule.clear is None else rule.clear
    return value <= clear if rule.above is not None else value >= clear
