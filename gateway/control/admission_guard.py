"""The guard against runaways, by tenant: what is usual for it, and what to do when it is far beyond that."""

from __future__ import annotations

from gateway.core.limits import refusal
from gateway.core.limits.events import RunawayAlert
from gateway.core.limits.runaway import HOUR, UNBOUND, Bound, Profile, Repeats, bound_at
from gateway.core.limits.window import Used, Window
from gateway.errors import CallError
from gateway.settings.limits import Runaway

MICRO = 1_000_000
HOUR_S = HOUR // MICRO


class Guard:
    """Of one tenant. Without a profile (not known yet, or nothing to know) it has no bound."""

    __slots__ = (
        "_bound",
        "_bound_until",
        "_profile",
        "_repeats",
        "_rule",
        "alarmed",
        "lifted_until",
        "tenant",
        "window",
    )

    def __init__(self, tenant: str, rule: Runaway, window: Window) -> None:
        self.tenant = tenant
        self.window = window
        self.alarmed: dict[str, int] = {}
        """By reason, the hour (µs) of the last alarm."""
        self.lifted_until = 0
        """An admin said so: until this second nothing is wrong with any call."""
        self._rule = rule
        self._profile: Profile | None = None
        self._bound = UNBOUND
        self._bound_until = 0
        self._repeats = Repeats()

    def know(self, profile: Profile | None) -> None:
        self._profile = profile
        self._bound_until = 0

    def bound(self, second: int) -> Bound:
        """Calls and micro-dollars a minute that are still usual."""
        if second >= self._bound_until:
            self._look_up(second)
        return self._bound

    def _look_up(self, second: int) -> None:
        self._bound = bound_at(self._profile, self._rule, second * MICRO)
        self._bound_until = (second // HOUR_S + 1) * HOUR_S

    def alarm(self, used: Used, fingerprint: int | None, second: int) -> RunawayAlert | None:
        """What is wrong with this call being let in, if anything. `used` has it in."""
        if second < self.lifted_until:
            return None
        if second >= self._bound_until:
            self._look_up(second)
        calls, microusd = self._bound
        if calls is not None and used.requests > calls:
            return self._alert("calls", used.requests, calls, second)
        if microusd is not None and used.microusd > microusd:
            return self._alert("spend", used.microusd, microusd, second)
        if fingerprint is not None and (most := self._rule.same_prompt_per_min) is not None:
            # Each worker sees its part of a tenant's calls. A loop on one connection is seen whole by one of them.
            times = self._repeats.add(fingerprint, second)
            if times > most:
                return self._alert("same_prompt", times, most, second)
        return None

    def is_new(self, alert: RunawayAlert) -> bool:
        """Once an hour for each reason."""
        hour = alert.at_us // HOUR * HOUR
        if self.alarmed.get(alert.reason) == hour:
            return False
        self.alarmed[alert.reason] = hour
        return True

    def refusal(self, alert: RunawayAlert, second: int) -> CallError:
        if alert.reason == "same_prompt":
            return refusal.same_again(self.tenant, alert.bound_per_min)
        if alert.reason == "spend":
            return refusal.running_away(self.tenant, "micro-dollars", alert.bound_per_min, 10)
        retry_at = self.window.retry_at(second, alert.bound_per_min - 1, None)
        return refusal.running_away(self.tenant, "calls", alert.bound_per_min, retry_at - second)

    def _alert(self, reason: str, per_min: int, bound: int, second: int) -> RunawayAlert:
        return RunawayAlert(
            at_us=second * MICRO,
            tenant=self.tenant,
            reason=reason,
            per_min=per_min,
            bound_per_min=bound,
            throttled=self._rule.action == "throttle",
        )
