"""One tenant at a hundred times its limit, and what another tenant beside it feels.

    python -m tests.e2e.limits_neighbour [--rounds 12] [--seconds 5]

The quiet tenant sends calls at a steady pace; the loud one, a process of its own, sends a hundred times what its limit
lets through, over many connections, and nearly all of it is refused. Rounds with and without the loud one take turns,
in an order that changes, so that what else the machine does falls on both. What counts is how much later the quiet
tenant's calls are answered: the 99th percentile of all rounds together. How sure that is comes from drawing the rounds
again and again (a bootstrap by pairs of rounds): the interval holds it in 95 of 100 cases.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.harness import APP_KEY, ROOT, UPSTREAM_KEY, Gateway, configuration
from tests.e2e.limits_race import instantly
from tests.e2e.upstream import Upstream
from tests.e2e.wire import Wire, post

QUIET_PER_S = 100
LOUD_PER_MIN = 300
TIMES = 100
CONNECTIONS = 20
DRAWS = 2000
BAR = 0.10


def start(folder: Path, upstream: Upstream) -> Gateway:
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
    config = configuration(
        providers={"raw": raw}, limits=[{"scope": "tag:team", "match": "loud", "requests_per_min": LOUD_PER_MIN}]
    )
    return Gateway(folder / "data", config).start()


def request_of(team: str) -> bytes:
    body = {"model": "raw/m-1", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
    return post("/v1/chat/completions", body, f"authorization: Bearer {APP_KEY}", f"x-callgate-tags: team={team}")


def quiet(gateway: Gateway, seconds: float) -> tuple[list[float], Counter[int]]:
    """Milliseconds of each call, and the statuses."""
    request, took, statuses = request_of("quiet"), [], Counter[int]()
    with gateway.connect() as wire:
        due = time.monotonic()
        until = due + seconds
        while due < until:
            time.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            wire.send(request)
            statuses[wire.message().status] += 1
            took.append((time.monotonic() - sent) * 1000)
            due = max(due + 1 / QUIET_PER_S, time.monotonic())
    return took, statuses


def shout(port: int, seconds: float) -> Counter[int]:
    """A burst over all connections, then the next when it is due; the statuses. Says `ready` when it begins."""
    request, statuses = request_of("loud"), Counter[int]()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(socket.create_connection(("127.0.0.1", port)))) for _ in range(CONNECTIONS)]
        print("ready", flush=True)
        due = time.monotonic()
        until = due + seconds
        while due < until:
            for wire in wires:
                wire.send(request)
            for wire in wires:
                statuses[wire.message().status] += 1
            due = max(due + CONNECTIONS / (LOUD_PER_MIN * TIMES / 60), time.monotonic())
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)
    return statuses


def one_round(gateway: Gateway, seconds: float, *, loud: bool) -> tuple[list[float], Counter[int], Counter[int]]:
    """The quiet tenant's times, its statuses, and those of the loud one."""
    if not loud:
        return *quiet(gateway, seconds), Counter()
    command = [sys.executable, "-m", "tests.e2e.limits_neighbour", "--shout", str(gateway.port)]
    shouting = subprocess.Popen(
        [*command, "--seconds", str(seconds + 0.2)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with shouting, contextlib.ExitStack() as ending:
        ending.callback(shouting.kill)
        assert shouting.stdout
        assert shouting.stdout.readline() == "ready\n"
        took, statuses = quiet(gateway, seconds)
        said = json.loads(shouting.stdout.readline())
    return took, statuses, Counter({int(status): times for status, times in said.items()})


Pair = tuple[list[float], list[float]]
"""The quiet tenant's times alone, and beside the loud one, of two rounds after each other."""


def later_by(pairs: Sequence[Pair], percent: int) -> float:
    """How much later that percentile of all rounds together is beside the loud one; 0.1 is a tenth."""
    alone, beside = ([took for pair in pairs for took in pair[which]] for which in (0, 1))
    return percentile(beside, percent) / percentile(alone, percent) - 1


def percentile(times: Sequence[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1]


def interval(pairs: Sequence[Pair], percent: int) -> tuple[float, float]:
    drawn = sorted(later_by(random.choices(pairs, k=len(pairs)), percent) for _ in range(DRAWS))
    return drawn[DRAWS // 40], drawn[-DRAWS // 40]


def measure(gateway: Gateway, rounds: int, seconds: float) -> list[Pair]:
    pairs: list[Pair] = []
    one_round(gateway, 1, loud=True)
    for number in range(rounds):
        found: dict[bool, list[float]] = {}
        for loud in (False, True) if number % 2 else (True, False):
            found[loud], _, answers = one_round(gateway, seconds, loud=loud)
            times = f"p50 {percentile(found[loud], 50):6.2f} ms  p99 {percentile(found[loud], 99):6.2f} ms"
            print(f"{'beside it' if loud else 'alone':10} {times}  {dict(answers) or ''}".rstrip(), flush=True)
        pairs.append((found[False], found[True]))
    return pairs


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.limits_neighbour", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="with the loud one, and as many without")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--shout", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.shout is not None:
        print(json.dumps(shout(given.shout, given.seconds)))
        return 0
    upstream = Upstream()
    upstream.script = instantly
    with tempfile.TemporaryDirectory() as home:
        gateway = start(Path(home), upstream)
        try:
            pairs = measure(gateway, given.rounds, given.seconds)
        finally:
            gateway.stop()
            upstream.close()
    random.seed(1)
    for percent in (50, 99):
        least, most = interval(pairs, percent)
        alone = percentile([took for pair in pairs for took in pair[0]], percent)
        moved = later_by(pairs, percent)
        print(f"p{percent}: {alone:.2f} ms alone, beside it {moved:+.1%} (95 of 100: {least:+.1%} to {most:+.1%})")
    return 0 if later_by(pairs, 99) <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
