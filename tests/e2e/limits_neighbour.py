"""One tenant at a hundred times its limit, and what another tenant beside it feels.

    python -m tests.e2e.limits_neighbour [--slots 240] [--slot-s 0.5]

The quiet tenant sends calls at a steady pace. The loud one, a process of its own, sends a hundred times what its limit
lets through, at a steady pace too, and nearly all of it is refused. It does so in every other slot of time, so that
what else the machine does falls on both kinds. What counts is how much later the quiet tenant's calls are answered: the
99th percentile over all slots of a kind. How sure that is comes from drawing pairs of slots again and again (a
bootstrap): the interval holds it in 95 of 100 cases.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import select
import socket
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
DRAWS = 1000
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


def slot_at(moment: float, slot_s: float) -> int:
    """Odd ones are loud. The clock is the machine's, the same in every process."""
    return int(moment / slot_s)


def quiet(gateway: Gateway, slots: int, slot_s: float) -> tuple[dict[int, list[float]], Counter[int]]:
    """Milliseconds of each call by the slot it was sent in, from an even one on, and the statuses."""
    request, statuses = request_of("quiet"), Counter[int]()
    first = slot_at(time.monotonic(), slot_s) // 2 * 2 + 2
    took: dict[int, list[float]] = {slot: [] for slot in range(first, first + slots)}
    due = first * slot_s
    with gateway.connect() as wire:
        while slot_at(due, slot_s) in took:
            time.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            wire.send(request)
            statuses[wire.message().status] += 1
            took.get(slot_at(sent, slot_s), []).append((time.monotonic() - sent) * 1000)
            due += 1 / QUIET_PER_S
    return took, statuses


def shout(port: int, slot_s: float) -> Counter[int]:
    """In odd slots, over all connections in turn, until its input ends; the statuses."""
    request, statuses = request_of("loud"), Counter[int]()
    due = time.monotonic()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(socket.create_connection(("127.0.0.1", port)))) for _ in range(CONNECTIONS)]
        print("ready", flush=True)
        for wire in itertools.cycle(wires):
            if slot_at(due, slot_s) % 2 == 0:
                due = (slot_at(due, slot_s) + 1) * slot_s
            time.sleep(max(0.0, due - time.monotonic()))
            if select.select([sys.stdin], [], [], 0)[0]:
                break
            wire.send(request)
            statuses[wire.message().status] += 1
            due += 60 / (LOUD_PER_MIN * TIMES)
    return statuses


def watch(gateway: Gateway, slots: int, slot_s: float) -> tuple[dict[int, list[float]], Counter[int], Counter[int]]:
    """The quiet tenant's times by slot, its statuses, and those of the loud one."""
    command = [sys.executable, "-m", "tests.e2e.limits_neighbour", "--shout", str(gateway.port)]
    shouting = subprocess.Popen(
        [*command, "--slot-s", str(slot_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with shouting, contextlib.ExitStack() as ending:
        ending.callback(shouting.kill)
        assert shouting.stdin
        assert shouting.stdout
        assert shouting.stdout.readline() == "ready\n"
        took, statuses = quiet(gateway, slots, slot_s)
        shouting.stdin.close()
        said = json.loads(shouting.stdout.readline())
    return took, statuses, Counter({int(status): times for status, times in said.items()})


Pair = tuple[list[float], list[float]]
"""The quiet tenant's times alone, and beside the loud one, of two slots after each other."""


def later_by(pairs: Sequence[Pair], percent: int) -> float:
    """How much later that percentile of all slots together is beside the loud one; 0.1 is a tenth."""
    return percentile(pairs, 1, percent) / percentile(pairs, 0, percent) - 1


def percentile(pairs: Sequence[Pair], which: int, percent: int) -> float:
    times = sorted(took for pair in pairs for took in pair[which])
    return times[len(times) * percent // 100]


def interval(pairs: Sequence[Pair], percent: int) -> tuple[float, float]:
    drawn = sorted(later_by(random.choices(pairs, k=len(pairs)), percent) for _ in range(DRAWS))
    return drawn[DRAWS // 40], drawn[-DRAWS // 40]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.limits_neighbour", description=__doc__)
    parser.add_argument("--slots", type=int, default=240)
    parser.add_argument("--slot-s", type=float, default=0.5)
    parser.add_argument("--shout", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.shout is not None:
        print(json.dumps(shout(given.shout, given.slot_s)))
        return 0
    upstream = Upstream()
    upstream.script = instantly
    with tempfile.TemporaryDirectory() as home:
        gateway = start(Path(home), upstream)
        try:
            watch(gateway, 4, given.slot_s)
            took, served, answers = watch(gateway, given.slots, given.slot_s)
        finally:
            gateway.stop()
            upstream.close()
    pairs = [(took[slot], took[slot + 1]) for slot in took if slot % 2 == 0]
    print(f"the quiet tenant's answers {dict(served)}, the loud one's {dict(answers)}")
    random.seed(1)
    for percent in (50, 90, 99):
        least, most = interval(pairs, percent)
        alone, moved = percentile(pairs, 0, percent), later_by(pairs, percent)
        print(f"p{percent}: {alone:.2f} ms alone, beside it {moved:+.1%} (95 of 100: {least:+.1%} to {most:+.1%})")
    return 0 if later_by(pairs, 99) <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
