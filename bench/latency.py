"""What being in between adds to one call: one connection, 64 connections, and arrivals at a fixed rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench import generators, wrk
from bench.effort import Effort
from bench.lab import WITH_BARE, Lab
from bench.report import Claim, Section, Table, rounds_of, spread, unsteady
from bench.target import Target

MANY_CONNECTIONS = 64
MOST_ADDED_BEYOND_NGINX_US = 60


@dataclass
class Quantiles:
    """Microseconds, a value a round."""

    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def add(self, p50: float, p95: float, p99: float) -> None:
        self.p50.append(p50)
        self.p95.append(p95)
        self.p99.append(p99)


Measured = dict[str, Quantiles]


def closed_loop(lab: Lab, effort: Effort, connections: int) -> Measured:
    def one(target: Target, into: Quantiles) -> None:
        result = wrk.run(
            target, lab.folder, connections=connections, seconds=effort.latency_s, warm_up_s=effort.warm_up_s
        )
        into.add(result.p50_us, result.p95_us, result.p99_us)

    return in_turn(lab, effort.latency_rounds, one)


def open_loop(lab: Lab, effort: Effort) -> tuple[Measured, float]:
    """Also the generator's own worst lateness, p99 in µs, which is in all of the figures."""
    lateness: list[float] = []

    def one(target: Target, into: Quantiles) -> None:
        for seconds in (effort.warm_up_s, effort.open_loop_s):
            result = generators.calls(target, effort.open_loop_rate, seconds)
        into.add(result.latency_us.p50, result.latency_us.p95, result.latency_us.p99)
        lateness.append(result.late_us.p99)

    return in_turn(lab, effort.open_loop_rounds, one), max(lateness)


def in_turn(lab: Lab, rounds: int, measure: Callable[[Target, Quantiles], None]) -> Measured:
    measured = {name: Quantiles() for name in WITH_BARE}
    for _ in range(rounds):
        for name in WITH_BARE:
            with lab.running(name) as target:
                target.check(lab.answer)
                measure(target, measured[name])
    return measured


def added_us(measured: Measured, name: str) -> float:
    """To the p50 of the direct call."""
    return median(measured[name].p50) - median(measured["direct"].p50)


def table(title: str, measured: Measured) -> Table:
    rows = [
        (
            name,
            *(spread(values) for values in (quantiles.p50, quantiles.p95, quantiles.p99)),
            "–" if name == "direct" else f"{added_us(measured, name):+,.0f}",
        )
        for name, quantiles in measured.items()
    ]
    return Table((title, "p50 µs", "p95 µs", "p99 µs", "added p50 µs"), rows)


def run(lab: Lab, effort: Effort) -> Section:
    one = closed_loop(lab, effort, 1)
    many = closed_loop(lab, effort, MANY_CONNECTIONS)
    paced, late_us = open_loop(lab, effort)
    beyond_us = added_us(one, "callgate") - added_us(one, "nginx")
    return Section(
        "Latency",
        f"At one and at {MANY_CONNECTIONS} connections wrk, a closed loop, "
        f"{rounds_of(effort.latency_rounds, effort.latency_s)}; at {effort.open_loop_rate:,} calls/s "
        "Poisson arrivals that wait for nobody, latency counted from when a call was due (bench/openloop.py), "
        f"{rounds_of(effort.open_loop_rounds, effort.open_loop_s)}. A fresh Callgate each round. Median "
        "(lowest–highest).",
        tables=[
            table("1 connection", one),
            table(f"{MANY_CONNECTIONS} connections", many),
            table(f"{effort.open_loop_rate:,} calls/s", paced),
        ],
        claims=[
            Claim("added p50 at one connection, beyond nginx's", beyond_us, MOST_ADDED_BEYOND_NGINX_US, "µs"),
        ],
        disturbed=unsteady(one["nginx"].p50),
        notes=[
            f"At {MANY_CONNECTIONS} connections every server is saturated: its latency there is its queue.",
            f"The generator of the fixed rate sent at most {late_us:,.0f} µs late (p99); that is in all three rows.",
        ],
    )
