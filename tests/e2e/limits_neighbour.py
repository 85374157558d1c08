"""One tenant at a hundred times its limit, and what another tenant beside it feels.

    python -m tests.e2e.limits_neighbour [--rounds 6] [--seconds 5]

The quiet tenant sends calls at a steady pace; the loud one sends a hundred times what its limit lets through, also at a
steady pace, and nearly all of it is refused. Rounds with and without the loud one take turns, so that what else the
machine does falls on both. What counts is how much later the quiet tenant's calls are answered.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, configuration
from tests.e2e.limits_race import instantly
from tests.e2e.upstream import Upstream
from tests.e2e.wire import Wire, post

QUIET_PER_S = 50
LOUD_PER_MIN = 60
TIMES = 100


def start(folder: Path, upstream: Upstream) -> Gateway:
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
    config = configuration(
        providers={"raw": raw}, limits=[{"scope": "tag:team", "match": "loud", "requests_per_min": LOUD_PER_MIN}]
    )
    return Gateway(folder / "data", config).start()


def paced(wire: Wire, team: str, per_s: float, until: float, stop: threading.Event) -> tuple[list[float], Counter[int]]:
    """Milliseconds from when each call was due, and the statuses: a gateway that is late does not slow the clock."""
    body = {"model": "raw/m-1", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
    request = post("/v1/chat/completions", body, f"authorization: Bearer {APP_KEY}", f"x-callgate-tags: team={team}")
    took: list[float] = []
    statuses: Counter[int] = Counter()
    due = time.monotonic()
    while due < until and not stop.is_set():
        stop.wait(max(0.0, due - time.monotonic()))
        wire.send(request)
        statuses[wire.message().status] += 1
        took.append((time.monotonic() - due) * 1000)
        due += 1 / per_s
    return took, statuses


def one_round(gateway: Gateway, seconds: float, *, loud: bool) -> tuple[list[float], Counter[int], Counter[int]]:
    """The quiet tenant's times, its statuses, and those of the loud one."""
    stop, refused = threading.Event(), Counter[int]()
    until = time.monotonic() + seconds

    def shout() -> None:
        with gateway.connect() as wire:
            refused.update(paced(wire, "loud", LOUD_PER_MIN * TIMES / 60, until, stop)[1])

    thread = threading.Thread(target=shout)
    if loud:
        thread.start()
    try:
        with gateway.connect() as wire:
            took, statuses = paced(wire, "quiet", QUIET_PER_S, until, stop)
    finally:
        stop.set()
        if loud:
            thread.join()
    return took, statuses, refused


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.limits_neighbour", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    upstream = Upstream()
    upstream.script = instantly
    p99s: dict[bool, list[float]] = {False: [], True: []}
    medians: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as home:
        gateway = start(Path(home), upstream)
        try:
            one_round(gateway, 1, loud=False)
            for number in range(2 * given.rounds):
                loud = number % 2 == 1
                took, _, refused = one_round(gateway, given.seconds, loud=loud)
                p99s[loud].append(p99(took))
                medians[loud].append(statistics.median(took))
                told = f"p50 {medians[loud][-1]:6.2f} ms  p99 {p99s[loud][-1]:6.2f} ms  {dict(refused) or ''}"
                print(f"{'beside it' if loud else 'alone':10} {told}".rstrip(), flush=True)
        finally:
            gateway.stop()
            upstream.close()
    for name, found in (("p50", medians), ("p99", p99s)):
        alone, beside = statistics.median(found[False]), statistics.median(found[True])
        print(
            f"{name}, the median of rounds: {alone:.2f} ms alone, {beside:.2f} ms beside it: {beside / alone - 1:+.1%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
