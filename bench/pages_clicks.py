"""Calls while somebody clicks around in ten million others, and while an export runs beside that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from statistics import median

from bench import clicker, generators, openloop
from bench.effort import Effort
from bench.generators import Load
from bench.lab import Lab
from bench.pages import prepare, serving
from bench.pages_export import PART
from bench.report import Claim, Section, Table, number, rounds_of, spread
from bench.servers import BenchError
from bench.target import Callgate

CALLS_PER_S = 1000
MOST_MOVED_SHARE, MOST_MOVED_US = 0.10, 500
"""By how much the p99 may move: the larger of the two."""
MONTH = "period=30d"
CLICKED = [
    "/",
    f"/?{MONTH}",
    "/requests",
    f"/requests?{MONTH}&model=qwen3-8b-tuned",
    "/costs",
    f"/costs?{MONTH}",
    "/models",
    "/tags",
    "/tenants",
    "/operations",
    "/alerts",
    "/settings/keys",
    "/playground",
    "/api/docs",
]
EXPORTED = f"/api/requests/export?format=csv&{PART}"

Beside = Callable[[Callgate, float], AbstractContextManager[Load | None]]


@dataclass
class Measured:
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    pages: int = 0
    exported_mb: float = 0.0

    def add(self, calls: openloop.Quantiles, clicked: clicker.Clicked | None) -> None:
        self.p50.append(calls.p50)
        self.p95.append(calls.p95)
        self.p99.append(calls.p99)
        if clicked is not None:
            self.pages += clicked.pages
            self.exported_mb += clicked.exported_bytes / 1e6


def nobody(_gateway: Callgate, _seconds: float) -> AbstractContextManager[Load | None]:
    return nullcontext()


def clicks(gateway: Callgate, seconds: float) -> AbstractContextManager[Load | None]:
    plan = clicker.Plan(gateway.port, CLICKED, None, dict(gateway.admin), seconds)
    return generators.under_way("bench.clicker", plan, seconds=seconds)


def clicks_and_exports(gateway: Callgate, seconds: float) -> AbstractContextManager[Load | None]:
    plan = clicker.Plan(gateway.port, CLICKED, EXPORTED, dict(gateway.admin), seconds)
    return generators.under_way("bench.clicker", plan, seconds=seconds)


WHO: dict[str, Beside] = {"nobody": nobody, "clicks": clicks, "clicks, and an export": clicks_and_exports}


def run(lab: Lab, effort: Effort) -> Section:
    prepare()
    rounds, seconds = (5, 8.0) if effort.name == "full" else (2, 3.0)
    measured = {who: Measured() for who in WHO}
    with serving(lab) as gateway:
        generators.calls(gateway.target(), CALLS_PER_S, 2.0)
        for _ in range(rounds):
            for who, beside in WHO.items():
                measured[who].add(*one_round(gateway, beside, seconds))
    alone, *others = WHO
    bound = max(MOST_MOVED_US, MOST_MOVED_SHARE * median(measured[alone].p99))
    return Section(
        "Calls while somebody clicks",
        f"{CALLS_PER_S:,} calls a second by a fixed schedule (bench/openloop.py), {rounds_of(rounds, seconds)}, "
        "in turn: while nobody looks at the dashboard, while pages over ten million calls are asked for one after the "
        "other without a pause, and while an export runs beside that. Gateway, annex and recorder on both cores; what "
        "asks for pages is at the lowest priority, so that it takes no time from the gateway or the load.",
        [
            Table(
                ("who", "pages", "exported MB", "calls p50 µs", "p95 µs", "p99 µs"),
                [
                    (who, number(of.pages), number(of.exported_mb), spread(of.p50), spread(of.p95), spread(of.p99))
                    for who, of in measured.items()
                ],
            )
        ],
        [
            Claim(f"p99 of calls moves: {who}", median(measured[who].p99) - median(measured[alone].p99), bound, "µs")
            for who in others
        ],
    )


def one_round(gateway: Callgate, beside: Beside, seconds: float) -> tuple[openloop.Quantiles, clicker.Clicked | None]:
    with beside(gateway, seconds) as looking:
        result = generators.calls(gateway.target(), CALLS_PER_S, seconds)
        clicked = looking.result(clicker.Clicked) if looking is not None else None
    if clicked is not None and clicked.problems:
        raise BenchError(f"somebody could not click on: {clicked.problems[0]}")
    return result.latency_us, clicked
