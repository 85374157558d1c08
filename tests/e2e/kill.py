"""Kills the gateway, its recorder or both, again and again under load, and compares what the log says with what
clients and the provider saw.

    python -m tests.e2e.kill --rounds 50

What must hold: a call that got its complete answer is in the log once, as it was; a call that the provider saw is in
the log once, however it ended; the totals of the rollups are the totals of the rows.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.upstream import DONE, USAGE, Upstream, completion, event, events
from tests.e2e.wire import CutError, Message, Wire, answer, post, stream_head

TARGETS = ("gateway", "recorder", "both")
CLIENTS = 8
PAUSE_S = 0.004
"""Between the chunks of a stream, so that kills fall into the middle of some."""


def paced(wire: Wire, request: Message) -> None:
    """The provider: every other call a stream that takes its time."""
    if not request.json()["stream"]:
        wire.send(answer(completion()))
        return
    wire.send(stream_head())
    for chunk in [event("Hello"), event(" there"), *events(), DONE]:
        wire.chunk(chunk)
        time.sleep(PAUSE_S)
    wire.send(b"0\r\n\r\n")


@dataclass
class Seen:
    """What happened outside of the gateway, by `x-request-id`."""

    complete: set[str] = field(default_factory=set)
    """The client got the whole answer."""
    cut: set[str] = field(default_factory=set)
    dispatched: set[str] = field(default_factory=set)
    """The provider got the request."""


class Load:
    """Clients that call one after the other until told to stop or until the gateway is gone."""

    def __init__(self, gateway: Gateway, seen: Seen, name: str) -> None:
        self.gateway = gateway
        self.seen = seen
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._client, args=(f"{name}-{n}",)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _client(self, name: str) -> None:
        number = 0
        try:
            wire = self.gateway.connect()
        except OSError:
            return
        with wire:
            while not self.stopping.is_set():
                number += 1
                call = f"{name}-{number}"
                try:
                    self._call(wire, call, stream=number % 2 == 0)
                except (CutError, OSError):
                    self.seen.cut.add(call)
                    return
                self.seen.complete.add(call)

    def _call(self, wire: Wire, call: str, *, stream: bool) -> None:
        body = {"model": "raw/m-1", "stream": stream, "messages": [{"role": "user", "content": call}]}
        headers = (f"authorization: Bearer {APP_KEY}", f"x-request-id: {call}", f"x-call: {call}")
        wire.send(post("/v1/chat/completions", body, *headers))
        given = wire.message()
        if given.status != 200:
            raise AssertionError(f"{call} was answered {given.status}: {given.body!r}")
        if stream and not given.body.endswith(DONE):
            raise CutError(given.body)


def one_round(gateway: Gateway, upstream: Upstream, seen: Seen, number: int, target: str, after_s: float) -> str:
    """Starts it, kills what is to be killed after a while of load, and ends it; a line for the table."""
    gateway.start()
    before = len(seen.complete), len(seen.cut)
    with Load(gateway, seen, f"round-{number}"):
        recorder = wait_for(lambda: gateway.recorder_pid, "the recorder says where it is")
        time.sleep(after_s)
        if target != "gateway":
            os.kill(recorder, signal.SIGKILL)
        if target != "recorder":
            gateway.kill()
        else:
            time.sleep(after_s)  # calls go on, and another recorder is started
    if target == "recorder":
        gateway.stop()
    while True:
        try:
            seen.dispatched.add(upstream.seen.get_nowait().header("x-call") or "")
        except queue.Empty:
            break
    complete, cut = len(seen.complete) - before[0], len(seen.cut) - before[1]
    return f"{number:5}  {target:9}  {after_s * 1000:6.0f}  {complete:8}  {cut:5}"


@dataclass
class Verdict:
    rows: int
    interrupted: int
    missing: set[str]
    """Seen by the provider or complete for the client, and not in the log."""
    twice: set[str]
    wrong: dict[str, Any]
    """Complete for the client, and something else in the log."""
    totals: dict[str, tuple[int, int]]
    """By column: from the rollups, from the rows."""

    @property
    def holds(self) -> bool:
        return not (self.missing or self.twice or self.wrong) and all(a == b for a, b in self.totals.values())


def verdict(gateway: Gateway, seen: Seen) -> Verdict:
    """Starts the gateway a last time and asks it, once everything that was left in the journal is in the store."""
    gateway.start()
    expected = seen.complete | seen.dispatched
    rows: list[dict[str, Any]] = []

    def all_there() -> bool:
        nonlocal rows
        rows = gateway.rows("")
        return expected <= {row["client_request_id"] for row in rows}

    with contextlib.suppress(AssertionError):  # the verdict says what is missing
        wait_for(all_there, "everything is in the log", 30)
    status, stats = gateway.get("/api/stats")
    assert status == 200, stats
    gateway.stop()
    times = Counter(row["client_request_id"] for row in rows)
    by_call = {row["client_request_id"]: row for row in rows}
    as_it_was = (200, None, USAGE["prompt_tokens"], USAGE["completion_tokens"])
    said = {
        call: (row["status_code"], row["error_type"], row["input_tokens"], row["output_tokens"])
        for call, row in by_call.items()
    }
    columns = ("input_tokens", "output_tokens", "cost_nanousd")
    sums = {name: sum(row[name] or 0 for row in rows) for name in columns}
    rolled = {"input_tokens": stats["input_tokens"], "output_tokens": stats["output_tokens"]}
    rolled["cost_nanousd"] = round(float(stats["cost_usd"]) * 1e9)
    interrupted = sum(row["error_type"] == "interrupted" for row in rows)
    totals = {name: (rolled[name], sums[name]) for name in columns}
    totals |= {"requests": (stats["requests"], len(rows)), "interrupted": (stats["interrupted"], interrupted)}
    return Verdict(
        rows=len(rows),
        interrupted=interrupted,
        missing=expected - set(by_call),
        twice={call for call, number in times.items() if number > 1},
        wrong={call: said[call] for call in seen.complete & set(said) if said[call] != as_it_was},
        totals=totals,
    )


def new_gateway(folder: Path, upstream: Upstream) -> Gateway:
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
    prices = {"overrides": {"m-1-2026": {"input_per_mtok": 1.0, "output_per_mtok": 2.0}}}
    return Gateway(folder / "data", configuration(providers={"raw": raw}, prices=prices))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    upstream, seen = Upstream(), Seen()
    upstream.script = paced
    with tempfile.TemporaryDirectory() as folder:
        gateway = new_gateway(Path(folder), upstream)
        print("round  killed     at ms   complete    cut")
        try:
            for number in range(given.rounds):
                target, after_s = rng.choice(TARGETS), rng.uniform(0.0, 1.5)
                print(one_round(gateway, upstream, seen, number, target, after_s), flush=True)
            found = verdict(gateway, seen)
        finally:
            if gateway.running:
                gateway.kill()
    upstream.close()
    print(f"{found.rows} rows, {len(seen.complete)} complete for their clients, {len(seen.dispatched)} dispatched")
    print(f"interrupted {found.interrupted}, missing {len(found.missing)}, twice {len(found.twice)}")
    print(f"wrong: {found.wrong or 'none'}; rollups and rows: {found.totals}")
    print("holds" if found.holds else "DOES NOT HOLD")
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
