"""The guard against runaways, by tenant: what is usual for it, and what to do when it is far beyond that."""

from __future__ import annotations

import functools
import hashlib

from gateway.core.limits import refusal
from gateway.core.limits.events import RunawayAlert
from gateway.core.limits.repeats import Repeats
from gateway.core.limits.runaway import HOUR, Profile, bound_at
from gateway.core.limits.window import Window
from gateway.errors import CallError
from gateway.settings.limits import Runaway

MICRO = 1_000_000
HOUR_S = HOUR // MICRO
BOUNDLESS = 1 << 62


@functools.lru_cache(4)
def _begin_of(hour: int) -> int:
    """The same number for all guards: it is at hand."""
    return hour * HOUR_S


class Guard:
    """Of one tenant. Without a profile (not known yet, or nothing to know) it has no bound."""

    __slots__ = (
        "_looked_up_until",
        "_most_calls",
        "_most_microusd",
        "_most_repeats",
        "_profile",
        "_repeats",
        "_rule",
        "_salt",
        "alarmed",
        "lifted_until",
        "tenant",
        "window",
    )

    def __init__(self, tenant: str, rule: Runaway, window: Window, repeats: Repeats) -> None:
        self.tenant = tenant
        self.window = window
        self.alarmed: dict[str, int] = {}
        """By reason, the hour (µs) of the last alarm."""
        self.lifted_until = 0
        """An admin said so: until this second nothing is wrong with any call."""
        self._rule = rule
        self._profile: Profile | None = None
        self._most_calls = self._most_microusd = BOUNDLESS
        self._looked_up_until = 0
        self._most_repeats = rule.same_prompt_per_min
        self._repeats = repeats
        self._salt = int.from_bytes(hashlib.blake2b(tenant.encode(), digest_size=8).digest(), "little", signed=True)

    def know(self, profile: Profile | None) -> None:
        self._profile = profile
        self._looked_up_until = 0

    def _look_up(self, second: int) -> None:
        """The calls and micro-dollars a minute that are usual in the hour of this second."""
        calls, microusd = bound_at(self._profile, self._rule, second * MICRO)
        self._most_calls = BOUNDLESS if calls is None else calls
        self._most_microusd = BOUNDLESS if microusd is None else microusd
        self._looked_up_until = _begin_of(second // HOUR_S + 1)

    def alarm(self, requests: int, microusd: int, fingerprint: int | None, second: int) -> RunawayAlert | None:
        """What is wrong with this call being let in, if anything. The minute's numbers have it in."""
        if second >= self._looked_up_until:
            self._look_up(second)
        if second < self.lifted_until:
            return None
        if requests > self._most_calls:
            return self._alert("calls", requests, self._most_calls, second)
        if microusd > self._most_microusd:
            return self._alert("spend", microusd, self._most_microusd, second)
        if fingerprint is not None and (most := self._most_repeats) is not None:
            times = self._repeats.add(self._salt ^ fingerprint, second)
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
