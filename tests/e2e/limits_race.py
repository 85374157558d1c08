"""Five hundred clients at once against a budget of a dollar and a limit of 600 calls a minute, through four workers:
never more than may be, and never less than the budget allows.

    python -m tests.e2e.limits_race --rounds 50 [--kill] [--redis]

Each round is two races over a store of its own. *Rate*: every client calls once; within a minute exactly 600 may get
through. *Budget*: every call costs half a cent and clients call until they are told 402; the log must then hold a
dollar, no more than one call over it, and people are told of 50, 80 and 100 % once each. With `--kill`, a worker is
killed in the middle of the second race, and what counts is what the log has; with `--redis`, two gateways of two
workers share the counters through a Redis of this script's own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness import ADMIN_KEY, APP_KEY, UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.upstream import Upstream, completion
from tests.e2e.wire import CutError, Message, Wire, answer, post

CLIENTS = 500
WORKERS = 4
PER_MINUTE = 600
BUDGET_USD = 1.0
CALL_USD = 0.005
LEVELS = (50, 80, 100)
LOOK_S = 1
"""How often the gateway looks at budgets by itself."""
RATE_S = 3
DISTURB_AT = 70
"""Of the two hundred calls that a dollar is."""
MODEL = "m-1-2026"
"""How the scripted provider's answers name their model."""
ONE_CALL = {"per_request": CALL_USD, "input_per_mtok": 0, "output_per_mtok": 0}


@dataclass
class Round:
    """What the clients saw, and what the log says."""

    let_through: int
    """Of the first race."""
    statuses: Counter[int]
    """Of the second race; 0 for a connection that was cut."""
    spent_usd: float
    levels: list[str]
    """Of the budget that people were told of, by the history."""

    def problems(self, *, gateways: int = 1, killed: bool = False) -> list[str]:
        """What does not hold, in words."""
        found = []
        credit = 0.0 if gateways == 1 else 0.02 * WORKERS  # 2 % of the limit for each process
        if not PER_MINUTE * 0.99 <= self.let_through <= PER_MINUTE * (1 + credit):
            found.append(f"{self.let_through} calls got through where {PER_MINUTE} may")
        if not BUDGET_USD * 0.99 <= self.spent_usd <= BUDGET_USD * (1 + credit) + CALL_USD:
            found.append(f"${self.spent_usd:.4f} were spent of ${BUDGET_USD:.2f}")
        if sorted(self.levels) != to_tell(self.spent_usd):
            found.append(f"told of {sorted(self.levels)}")
        if unexpected := set(self.statuses) - {200, 402, 429, *((0,) if killed else ())}:
            found.append(f"answers with {sorted(unexpected)}")
        return found


def settings(upstream: Upstream, workers: int, redis: str | None) -> dict[str, Any]:
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
    return configuration(
        server={"workers": workers},
        providers={"raw": raw},
        prices={"overrides": {MODEL: ONE_CALL, "m-1": ONE_CALL}},
        limits=[{"scope": "tag:race", "match": "rate", "requests_per_min": PER_MINUTE}],
        alerts={"every_s": LOOK_S},
        budgets=[{"name": "dollar", "scope": "tag:race", "match": "budget", "period": "total", "usd": BUDGET_USD}],
        shared={"url": redis} if redis else {},
    )


def call(wire: Wire, race: str, by: str = "crowd") -> Message:
    body = {"model": "raw/m-1", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
    wire.send(
        post("/v1/chat/completions", body, f"authorization: Bearer {APP_KEY}", f"x-callgate-tags: race={race},by={by}")
    )
    return wire.message()


def together(number: int, client: Callable[[int], None]) -> None:
    """Runs so many clients at once, each in a thread, all let go at the same moment."""
    gate = threading.Barrier(number)

    def run(which: int) -> None:
        gate.wait()
        client(which)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def race_for_rate(gateways: list[Gateway], clients: int) -> int:
    """Every client calls until as many calls were made as could fill the limit twice, and for RATE_S at least; how many
    got through."""
    each, through = -(-2 * PER_MINUTE // clients), Counter[int]()
    lock = threading.Lock()
    until = time.monotonic() + RATE_S

    def client(which: int) -> None:
        made = 0
        with gateways[which % len(gateways)].connect() as wire:
            while made < each or time.monotonic() < until:
                made += 1
                status = call(wire, "rate").status
                with lock:
                    through[status] += 1

    together(clients, client)
    return through[200]


def race_for_budget(gateways: list[Gateway], clients: int, disturb: Callable[[], None] | None) -> Counter[int]:
    """Every client calls until it is refused, and then until nothing is under way that could still be given back.
    `disturb` comes when DISTURB_AT calls were answered."""
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def client(which: int) -> None:
        refused = 0
        while refused < 3:
            try:
                with gateways[which % len(gateways)].connect() as wire:
                    while refused < 3:
                        status = call(wire, "budget").status
                        with lock:
                            statuses[status] += 1
                            in_the_middle = status == 200 and statuses[200] == DISTURB_AT
                        if in_the_middle and disturb is not None:
                            disturb()
                        refused = refused + 1 if status == 402 else 0
            except (CutError, OSError):
                with lock:
                    statuses[0] += 1

    together(clients, client)
    return statuses


def spend_the_rest(gateway: Gateway) -> int:
    """One client after the crowd: reservations that made others wait are settled now. How many calls it made."""
    made = 1
    with gateway.connect() as wire:
        while (status := call(wire, "budget", "last").status) == 200:
            made += 1
    assert status == 402, status
    return made


def reserved(gateway: Gateway) -> float:
    """Dollars, by calls under way and by those that a crash cut off."""
    status, budgets = gateway.get("/api/budgets")
    assert status == 200, budgets
    return sum(float(each["reserved_usd"]) for each in budgets["items"])


def spent(gateways: list[Gateway], answered: int, rest: int) -> float:
    """By the log, once it has what was answered (refusals too) and the last client's calls. These are asked for by
    themselves: of the calls that a crash cut off rows come as well, whole ones and others, and nobody knows how many.
    """

    def all_there() -> bool:
        crowd = sum(gateway.get("/api/stats?tag.race=budget&tag.by=crowd")[1]["requests"] for gateway in gateways)
        last = gateways[0].get("/api/stats?tag.race=budget&tag.by=last")[1]["requests"]
        return crowd >= answered and last == rest and all(_backlog(gateway) == 0 for gateway in gateways)

    wait_for(all_there, "everything is in the log", 60)
    total = 0.0
    for gateway in gateways:
        status, stats = gateway.get("/api/stats?tag.race=budget")
        assert status == 200, stats
        total += float(stats["cost_usd"] or 0)
    return total


def _backlog(gateway: Gateway) -> int:
    status, ready = gateway.get("/readyz")
    assert status == 200, ready
    health = ready["checks"]["recorder"]["health"]
    return int(health["backlog_bytes"]) + int(health["lag_us"])


def to_tell(spent_usd: float) -> list[str]:
    """The titles of what people should be told."""
    reached = [level for level in LEVELS if round(spent_usd, 6) >= level / 100 * BUDGET_USD]
    return sorted(f"Budget dollar (budget): {level} %" for level in reached)


def told(gateways: list[Gateway], spent_usd: float) -> list[str]:
    """The titles of all notices, of all histories, once every level is among them. One whose worker was killed before
    it could tell is found at the next look; a look later nothing may have been told twice."""
    wait_for(lambda: set(to_tell(spent_usd)) <= set(_titles(gateways)), "every level is told", 30)
    looked_at = time.time() + LOOK_S
    wait_for(lambda: time.time() > looked_at, "the rules were looked at once more")
    return _titles(gateways)


def _titles(gateways: list[Gateway]) -> list[str]:
    titles: list[str] = []
    for gateway in gateways:
        status, history = gateway.get("/api/alerts/history", key=ADMIN_KEY)
        assert status == 200, history
        titles += [each["title"] for each in history["items"]]
    return titles


def worker_of(gateway: Gateway) -> int:
    """The process id of one of its workers."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            parent = re.search(r"^PPid:\s+(\d+)$", status.read_text(encoding="utf-8"), re.MULTILINE)
            command = (status.parent / "cmdline").read_bytes()
            if parent and int(parent[1]) == gateway.pid and b"gateway.workers" in command:
                return int(status.parent.name)
    raise AssertionError("the gateway has no workers")


def one_round(folder: Path, upstream: Upstream, *, clients: int, kill: bool, redis: str | None) -> Round:
    number = 2 if redis else 1
    workers = WORKERS // number
    gateways = []
    try:
        for each in range(number):
            gateway = Gateway(folder / f"data-{each}", settings(upstream, workers, redis))
            gateways.append(gateway.start())
        through = race_for_rate(gateways, clients)
        killing = (lambda: os.kill(worker_of(gateways[0]), signal.SIGKILL)) if kill else None
        statuses = race_for_budget(gateways, clients, killing)
        if kill:
            wait_for(lambda: reserved(gateways[0]) == 0, "what the crash cut off is booked", 60)
        rest = spend_the_rest(gateways[0])
        dollars = spent(gateways, statuses[200] + statuses[402], rest)
        return Round(through, statuses, dollars, told(gateways, dollars))
    finally:
        for gateway in gateways:
            if gateway.running:
                gateway.stop()


@contextlib.contextmanager
def own_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis that lives as long as this."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _listens(port), "redis listens")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def instantly(wire: Wire, request: Message) -> None:
    """The provider."""
    wire.send(answer(completion()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.limits_race", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--kill", action="store_true", help="kill a worker in the middle of the race for the budget")
    parser.add_argument("--redis", action="store_true", help="two gateways that share through Redis")
    given = parser.parse_args()
    if given.redis and shutil.which("redis-server") is None:
        print("redis-server is not installed", file=sys.stderr)
        return 2
    upstream, failed = Upstream(), 0
    upstream.script = instantly
    print("round  through  spent       answers")
    with tempfile.TemporaryDirectory() as home:
        for number in range(given.rounds):
            folder = Path(home) / str(number)
            folder.mkdir()
            with own_redis(folder) if given.redis else contextlib.nullcontext(None) as url:
                found = one_round(folder, upstream, clients=given.clients, kill=given.kill, redis=url)
            problems = found.problems(gateways=2 if given.redis else 1, killed=given.kill)
            failed += bool(problems)
            told = " ".join(f"{status}:{times}" for status, times in sorted(found.statuses.items()))
            line = f"{number:5}  {found.let_through:7}  ${found.spent_usd:.5f}  {told}  {'; '.join(problems)}"
            print(line.rstrip(), flush=True)
            shutil.rmtree(folder)
    upstream.close()
    print("holds" if not failed else f"DOES NOT HOLD in {failed} of {given.rounds} rounds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
