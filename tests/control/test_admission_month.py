"""The guard against runaways over simulated time: silent on an ordinary month, and quick where a loop is injected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

import pytest

from gateway.control.admission import Limits
from gateway.control.counters.board import Board
from gateway.core.key import Key
from gateway.core.limits import Ask
from gateway.core.limits.events import Event, RunawayAlert
from gateway.core.limits.runaway import HOUR, Hour, Profile
from gateway.core.span import Span
from gateway.demo.month import DAY, Month, month
from gateway.errors import CallError
from gateway.settings import Settings
from gateway.settings.limits import Runaway
from pricing import Catalog

BEGIN = 20_600 * DAY
KEY = Key(key_id="k", name="app")
CALLS = 12_000
CATALOG = Catalog.load()


@cache
def ordinary(seed: int, until: int) -> tuple[Span, ...]:
    return tuple(span for span, _ in month(Month(CALLS, until, seed=seed), CATALOG))


def profiles(spans: Iterable[Span], from_us: int, to_us: int) -> dict[str, Profile]:
    """What the store's rollups by hour would say."""
    calls: Counter[tuple[str, int]] = Counter()
    money: Counter[tuple[str, int]] = Counter()
    for span in spans:
        at = (str(span.tenant), span.started_at // HOUR * HOUR)
        calls[at] += 1
        money[at] += (span.cost_nanousd or 0) // 1000
    tenants = {tenant for tenant, _ in calls}
    made = {
        tenant: Profile.of(
            [Hour(hour, number, money[who, hour]) for (who, hour), number in calls.items() if who == tenant],
            from_us,
            to_us,
        )
        for tenant in tenants
    }
    return {tenant: profile for tenant, profile in made.items() if profile is not None}


class Simulation:
    """A gateway with a month behind it, and this month's calls run through it in their own time."""

    def __init__(self, runaway: Runaway) -> None:
        self.alerts: list[RunawayAlert] = []
        self.refused: Counter[str] = Counter()
        self.limits = Limits(Settings(runaway=runaway), CATALOG, Board(None, 1, 0, BEGIN), self._hear)
        self._known = profiles(ordinary(1, BEGIN), BEGIN - 30 * DAY, BEGIN)

    def _hear(self, event: Event) -> None:
        assert isinstance(event, RunawayAlert)
        self.alerts.append(event)

    def run(self, calls: Iterable[tuple[int, str, int, int | None]]) -> None:
        """(at, tenant, cost, fingerprint) of each call, in order of time."""
        for at, tenant, cost, fingerprint in calls:
            guard = self.limits.guards.get(tenant)
            ask = Ask(KEY, tenant, "production", "m", "m", {}, 100, 100, None, None, fingerprint)
            try:
                lease = self.limits.admit(ask, at)
            except CallError:
                self.refused[tenant] += 1
                continue
            assert lease is not None
            lease.settle(200, cost, at)
            if guard is None:
                self.limits.guards[tenant].know(self._known.get(tenant))


def calls_of(spans: Iterable[Span]) -> Iterator[tuple[int, str, int, int | None]]:
    for number, span in enumerate(spans):
        yield span.started_at, str(span.tenant), span.cost_nanousd or 0, number


STRICT = Runaway(least_per_min=5, least_usd_per_min=0.2)
"""Far below the defaults, so that what is usual decides, not what is always let through."""


@pytest.mark.parametrize("rule", [Runaway(), STRICT], ids=["defaults", "strict"])
def test_an_ordinary_month_raises_no_alarm(rule):
    simulation = Simulation(rule)
    simulation.run(calls_of(ordinary(2, BEGIN + 30 * DAY)))
    assert simulation.alerts == []
    assert not simulation.refused


@pytest.mark.parametrize("hour", [3, 9, 14, 22])
@pytest.mark.parametrize("tenant", ["acme", "hooli", "tyrell"])
@pytest.mark.parametrize(
    ("per_s", "cost", "same", "reason"),
    [(4, 1_000, False, "calls"), (2, 1_000, True, "same_prompt"), (0.5, 200_000_000, False, "spend")],
)
def test_an_injected_loop_is_found_within_a_minute(tenant, hour, per_s, cost, same, reason):
    begins = BEGIN + 12 * DAY + hour * HOUR
    around = [call for call in calls_of(ordinary(2, BEGIN + 30 * DAY)) if begins - DAY <= call[0] < begins + HOUR]
    loop = [(begins + int(n / per_s * 1e6), tenant, cost, 7 if same else -n) for n in range(int(per_s * 300))]
    simulation = Simulation(Runaway(same_prompt_per_min=20))  # well below what is too many calls of any kind
    simulation.run(sorted([*around, *loop], key=lambda call: call[0]))
    first = simulation.alerts[0]
    assert (first.tenant, first.reason) == (tenant, reason)
    assert begins < first.at_us <= begins + 60_000_000
    assert {alert.tenant for alert in simulation.alerts} == {tenant}
    assert simulation.refused[tenant] > 0
