"""Kills a journal's writer, the recorder, or both with SIGKILL at random moments, and then counts.

    python tests/recorder/kill.py --rounds 50 [--seed 1] [--calls-per-s 2000]

The writer notes in a ledger, after each step, what it was told had succeeded. In the end every call that was closed by
the ledger is in the store, once and whole; every call that was opened and not closed is there as interrupted; and the
totals of the rollups are those of the rows. The exit code says whether that is so.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from gateway.core.ids import uuid7
from gateway.core.span import Attempt, CallClosed, CallOpened
from gateway.journal import JournalWriter
from gateway.recorder.assignment import Assignment, written
from gateway.settings import Log
from gateway.store import open_store
from gateway.store.base import SpanFilter
from pricing.usage import Usage

IN_FLIGHT = 30
COST = 1300
REQUEST = b'{"model":"fast","messages":[{"role":"user","content":"Where is Regensburg?"}]}'
ANSWER = b'{"id":"c1","choices":[{"index":0,"message":{"content":"On the Danube."},"finish_reason":"stop"}]}'


def write_calls(data: Path, ledger: Path, calls_per_s: float) -> None:
    """A worker, until it is killed: some calls are always in flight."""
    journal = JournalWriter(data / "journal" / "w", segment_bytes=256 << 10, max_bytes=256 << 20)
    notes = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    in_flight: list[str] = []
    while True:
        request_id = uuid7()
        now = time.time_ns() // 1000
        journal.open(_opened(request_id, now))
        os.write(notes, b"o %s\n" % request_id.encode())
        in_flight.append(request_id)
        if len(in_flight) > IN_FLIGHT:
            done = in_flight.pop(random.randrange(len(in_flight)))
            journal.close(_closed(done, now), [REQUEST], [ANSWER[:40], ANSWER[40:]])
            os.write(notes, b"c %s\n" % done.encode())
        time.sleep(1 / calls_per_s)


def _opened(request_id: str, now: int) -> CallOpened:
    return CallOpened(
        request_id=request_id,
        started_at=now,
        kind="llm",
        endpoint="POST /v1/chat/completions",
        dialect="openai.chat",
        stream=False,
        provider="openai",
        model_requested="fast",
        model="gpt-4o-mini",
        key_id="k",
        tenant=random.choice(["acme", "globex", None]),
        environment="production",
        tags={"feature": random.choice(["chat", "search"])},
        input_tokens_estimate=7,
    )


def _closed(request_id: str, now: int) -> CallClosed:
    return CallClosed(
        request_id=request_id,
        ended_at=now + 1000,
        status_code=200,
        error_type=None,
        error_message=None,
        attempts=[Attempt("openai", "gpt-4o-mini", 200, None, now, 900, COST)],
        provider="openai",
        model="gpt-4o-mini",
        upstream_request_id=None,
        usage=Usage(input_tokens=12, output_tokens=3),
        usage_source="reported",
        usage_raw=None,
        service_tier=None,
        cost_nanousd=COST,
        input_cost_nanousd=1000,
        output_cost_nanousd=300,
        charge_nanousd=COST,
        cost_source="catalog",
        price_id="p",
        ttft_us=None,
        upstream_us=900,
        overhead_us=100,
        cache=None,
        request_bytes=len(REQUEST),
        response_bytes=len(ANSWER),
        request_content_type="application/json",
        response_content_type="application/json",
        response_encoding=None,
        request_headers=[],
        response_headers=[],
    )


class Processes:
    """One writer and one recorder, killed and started again."""

    def __init__(self, data: Path, ledger: Path, calls_per_s: float) -> None:
        self._data = data
        self._write = (sys.executable, __file__, "--write", str(data), str(ledger), "--calls-per-s", str(calls_per_s))
        self.writer = self._start_writer()
        self.recorder = self._start_recorder()

    def _start_writer(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._write)

    def _start_recorder(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen((sys.executable, "-m", "gateway.recorder"), stdin=subprocess.PIPE)
        assert process.stdin is not None
        log = Log(flush_interval_ms=50, max_batch_size=50)
        process.stdin.write(written(Assignment(str(self._data), "sqlite:///callgate.db", log)))
        process.stdin.flush()
        return process

    def kill(self, what: str) -> None:
        if what in ("recorder", "both"):
            _kill(self.recorder)
        if what in ("writer", "both"):
            _kill(self.writer)
            self.writer = self._start_writer()
        if what in ("recorder", "both"):
            self.recorder = self._start_recorder()

    def end(self) -> int:
        """Kills the writer and lets the recorder drain; its exit code."""
        _kill(self.writer)
        assert self.recorder.stdin is not None
        self.recorder.stdin.close()
        return self.recorder.wait(120)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def problems_of(data: Path, ledger: Path, writers: int) -> list[str]:
    """What does not add up."""
    notes = [line.split() for line in ledger.read_text().splitlines() if len(line) == 38]
    opened = {request_id for step, request_id in notes if step == "o"}
    closed = {request_id for step, request_id in notes if step == "c"}
    with sqlite3.connect(data / "callgate.db") as db:
        rows = db.execute("SELECT request_id, error_type, cost_nanousd FROM spans").fetchall()
    stored = {request_id: error_type for request_id, error_type, _ in rows}
    whole = {request_id for request_id, error_type in stored.items() if error_type is None}
    interrupted = {request_id for request_id, error_type in stored.items() if error_type == "interrupted"}
    checks = {
        "rows with the same id": len(rows) - len(stored),
        "closed calls that are not in the store": len(closed - whole),
        "opened calls that are not in the store": len(opened - stored.keys()),
        "closed calls booked as interrupted": len(closed & interrupted),
        "calls nobody made (more than one a kill)": max(0, len(stored.keys() - opened) - writers),
        "calls whole that were not closed (more than one a kill)": max(0, len(whole - closed) - writers),
        "journal folders left": sum(path.name[0] != "." for path in (data / "journal").iterdir()),
        "dead letters": int((data / "deadletter.jsonl").exists()),
    }
    problems = [f"{count} {what}" for what, count in checks.items() if count]
    totals = asyncio.run(_totals(data))
    expected = (len(stored), len(interrupted), COST * len(whole))
    if totals != expected:
        problems.append(f"rollups say (calls, interrupted, cost) {totals}, rows say {expected}")
    print(f"{len(opened)} opened, {len(closed)} closed, {len(rows)} rows, {len(interrupted)} interrupted")
    return problems


async def _totals(data: Path) -> tuple[int, int, int]:
    store = open_store("sqlite:///callgate.db", data)
    await store.connect()
    totals = (await store.stats(SpanFilter())).totals
    await store.close()
    return totals.requests, totals.interrupted, totals.cost_nanousd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--calls-per-s", type=float, default=2000)
    parser.add_argument("--write", nargs=2, type=Path, metavar=("DATA", "LEDGER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write_calls(*arguments.write, arguments.calls_per_s)
    chance = random.Random(arguments.seed)
    kills: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        data, ledger = Path(folder) / "data", Path(folder) / "ledger"
        data.mkdir()
        processes = Processes(data, ledger, arguments.calls_per_s)
        for _ in range(arguments.rounds):
            time.sleep(chance.uniform(0.05, 1.2))
            what = chance.choice(["writer", "recorder", "both"])
            kills[what] += 1
            processes.kill(what)
        time.sleep(chance.uniform(0.2, 1.0))
        code = processes.end()
        problems = problems_of(data, ledger, kills["writer"] + kills["both"] + 1)
    if code:
        problems.append(f"the recorder ended with {code}")
    print(f"killed {dict(kills)}")
    for problem in problems:
        print("WRONG:", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
