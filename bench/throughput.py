"""How many calls a second: wrk as fast as it can, at the upstream itself, through nginx, the least, and Callgate."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from bench import wrk
from bench.effort import Effort
from bench.lab import WITH_BARE, Lab
from bench.report import Claim, Section, Table, number, rounds_of, spread, unsteady
from bench.target import Target

CONNECTIONS = 64
LEAST_SHARE_OF_NGINX = 0.45


@dataclass
class Rounds:
    """What one target did, a value a round."""

    rates: list[float] = field(default_factory=list)
    """Calls a second."""
    cores: list[float] = field(default_factory=list)
    """How many cores what is in between kept busy; 0 for the upstream itself."""

    def add(self, target: Target, lab: Lab, *, seconds: int, warm_up_s: int) -> None:
        if warm_up_s:
            wrk.run(target, lab.folder, connections=CONNECTIONS, seconds=warm_up_s)
        before_s = target.cpu_s()
        result = wrk.run(target, lab.folder, connections=CONNECTIONS, seconds=seconds)
        self.cores.append((target.cpu_s() - before_s) / result.duration_us * 1e6)
        self.rates.append(result.rate)

    @property
    def cpu_us_per_call(self) -> float:
        return median(cores / rate * 1e6 for cores, rate in zip(self.cores, self.rates, strict=True))


def table(measured: dict[str, Rounds], reference: str) -> Table:
    """`reference` is the target the ratios are to."""
    base = median(measured[reference].rates)
    rows = [
        (
            name,
            spread(rounds.rates),
            f"{median(rounds.rates) / base:.3f}",
            f"{median(rounds.cores):.0%}" if any(rounds.cores) else "–",
            f"{rounds.cpu_us_per_call:.1f}" if any(rounds.cores) else "–",
        )
        for name, rounds in measured.items()
    ]
    return Table(("", "calls/s", f"to {reference}", "of its core", "CPU µs a call"), rows)


def compare(measured: dict[str, Rounds], better: str, than: str) -> float:
    return median(measured[better].rates) / median(measured[than].rates)


def run(lab: Lab, effort: Effort) -> Section:
    with lab.callgate() as gateway:
        gateway.prove_logging()
    measured = {name: Rounds() for name in WITH_BARE}
    for _ in range(effort.throughput_rounds):
        for name in WITH_BARE:
            with lab.running(name) as target:
                target.check(lab.answer)
                measured[name].add(target, lab, seconds=effort.throughput_s, warm_up_s=effort.warm_up_s)
    ratio = compare(measured, "callgate", "nginx")
    cpu = measured["callgate"].cpu_us_per_call / measured["nginx"].cpu_us_per_call
    return Section(
        "Throughput",
        f"wrk with {CONNECTIONS} kept connections, {rounds_of(effort.throughput_rounds, effort.throughput_s)} of "
        "each in turn, a fresh Callgate each round: a request of 0.5 kB with a key and five tags, an answer of 0.7 kB "
        "with usage. Median (lowest–highest).",
        tables=[table(measured, "nginx")],
        claims=[
            Claim(f"throughput at {CONNECTIONS} connections, to nginx", ratio, LEAST_SHARE_OF_NGINX, at_least=True)
        ],
        notes=[
            f"Processor time a call is {number(cpu)} × nginx's. Where nginx does not fill its core, the load generator "
            "and the upstream on the other core are what limits it, and this ratio is the one to look at.",
            "`bare` is bench/bare.py: the same steps in plain Python with no product around them. It reaches "
            f"{compare(measured, 'bare', 'nginx'):.3f} of nginx on this machine and interpreter; Callgate, with its "
            f"limits, routes, errors and journal, {compare(measured, 'callgate', 'bare'):.3f} of it.",
        ],
        disturbed=unsteady(measured["nginx"].rates),
    )
