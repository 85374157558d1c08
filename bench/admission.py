"""What admission costs a call: `python -m bench.admission`. CPU time, the best of many short batches, so that what else
the machine does shows as little as may be. Ten thousand keys in turn, a thousand budgets, each call asked and settled.
"""

from __future__ import annotations

import gc
import time

from gateway.control.admission import Limits
from gateway.control.counters.board import Board
from gateway.core.key import Key
from gateway.core.limits import Ask
from gateway.settings import Settings
from gateway.settings.limits import Budget, Limit, Runaway
from pricing import Catalog

KEYS = [Key(key_id=f"k{n}", name=f"key {n}", tenant=f"t{n % 1000}") for n in range(10_000)]
LIMITS = [
    Limit(scope="tenant", requests_per_min=10_000_000, tokens_per_min=2_000_000_000, concurrent=1000),
    Limit(scope="key", requests_per_min=1_000_000, tokens_per_min=1_000_000_000),
]
BUDGETS = [Budget(name=f"b{n}", scope="tenant", match=f"t{n}", usd=1_000_000, period="day") for n in range(1000)]
CASES = {
    "no limits": Settings(),
    "a limit by tenant": Settings(limits=LIMITS[:1]),
    "limits by tenant and key": Settings(limits=LIMITS),
    "a budget by tenant": Settings(budgets=BUDGETS),
    "the guard against runaways": Settings(runaway=Runaway()),
    "all of it": Settings(limits=LIMITS, budgets=BUDGETS, runaway=Runaway()),
}
BATCHES, BATCH = 40, 1500


def microseconds(settings: Settings, catalog: Catalog) -> float:
    now = time.time_ns() // 1000
    limits = Limits(settings, catalog, Board(None, 1, 0, now))

    def call(number: int, at: int) -> None:
        key = KEYS[number % len(KEYS)]
        ask = Ask(key, key.tenant, "production", "gpt-4o-mini", "gpt-4o-mini", {}, 120, 500, "openai", None, number)
        lease = limits.admit(ask, at)
        if lease is not None:
            assert lease.head is not None
            lease.settle(400, 2000, at + 500_000)

    for number in range(len(KEYS)):
        call(number, now)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in a worker
    best = float("inf")
    for batch in range(BATCHES):
        began = time.process_time()
        for number in range(BATCH):
            now += 30
            call((batch * BATCH + number) * 7919, now)
        best = min(best, time.process_time() - began)
    return best / BATCH * 1e6


def main() -> None:
    catalog = Catalog.load()
    for name, settings in CASES.items():
        print(f"{name:28} {microseconds(settings, catalog):6.2f} µs a call")


if __name__ == "__main__":
    main()
