"""Samples of the last hour, and what processes use."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.control.processes import ANNEX, PROC, processes
from gateway.control.recent import start_of
from gateway.control.vitals import KEPT, Vitals
from gateway.core.health import RecorderHealth
from gateway.store.base import Bucket, Distribution, Totals

COUNTERS: Any = SimpleNamespace(in_flight=3, client_connections=5, calls=70)
on_linux = pytest.mark.skipif(not PROC.is_dir(), reason="there is no /proc here")


def test_samples_say_what_there_was_and_are_bounded(tmp_path: Path) -> None:
    vitals = Vitals(tmp_path, COUNTERS, lambda: RecorderHealth(backlog_bytes=9, lag_us=4, rows_per_s=1.5))
    for lag in range(KEPT + 10):
        vitals.take(lag)
    assert len(vitals.samples) == KEPT
    newest = vitals.samples[-1]
    assert (newest.in_flight, newest.client_connections, newest.calls) == (3, 5, 70)
    assert (newest.backlog_bytes, newest.recorder_lag_us, newest.rows_per_s) == (9, 4, 1.5)
    assert newest.loop_lag_us == KEPT + 9


def test_it_samples_by_itself(tmp_path: Path) -> None:
    vitals = Vitals(tmp_path, COUNTERS, RecorderHealth, tick_s=0.001)

    async def work() -> None:
        task = asyncio.create_task(vitals.run(sample_s=0.002))
        async with asyncio.timeout(10):
            while len(vitals.samples) < 4:
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(work())
    assert all(sample.loop_lag_us >= 0 for sample in vitals.samples)


@on_linux
def test_processes_are_found_by_their_journals(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()", "callgate"]
    with subprocess.Popen(sleeper, stdin=subprocess.PIPE) as worker:
        for name in (f"worker-1-{worker.pid}-a1", "worker-0-999999999-b2", "else"):
            (tmp_path / "journal" / name).mkdir(parents=True)
        (tmp_path / "run").mkdir()
        (tmp_path / ANNEX).write_text(str(worker.pid))
        found = processes(tmp_path, worker.pid)
        assert [(use.name, use.pid) for use in found] == [
            ("worker 1", worker.pid),
            ("annex", worker.pid),
            ("recorder", worker.pid),
        ]
        assert found[0].memory_bytes > 100_000
        vitals = Vitals(tmp_path, COUNTERS, lambda: RecorderHealth(pid=worker.pid))
        vitals.take(0)
        assert [view.cpu_share for view in vitals.processes][:1] == [None]
        vitals.take(0)
        assert vitals.processes[0].cpu_share is not None
        worker.communicate()


@on_linux
def test_a_number_that_was_given_to_somebody_else_is_no_worker(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as other:
        (tmp_path / "journal" / f"worker-0-{other.pid}-a1").mkdir(parents=True)
        assert processes(tmp_path, None) == []
        other.communicate()


def test_where_there_is_no_proc_nothing_is_known(tmp_path: Path) -> None:
    assert processes(tmp_path, os.getpid(), proc=tmp_path / "none") == []


def bucket(from_us: int, calls: int) -> Bucket:
    return Bucket(from_us, Totals(requests=calls), Distribution(0), Distribution(0))


@pytest.mark.parametrize(
    ("calls", "most", "start"),
    [
        ((5, 5, 5), 15, None),  # all of them fit
        ((5, 5, 5), 10, 100),  # the first bucket is one too many from its end on
        ((8, 4, 4), 10, 75),  # two of the eight: the last quarter of its time
        ((0, 0, 40), 10, 275),
        ((0, 0, 0), 10, None),
    ],
)
def test_how_far_back_the_newest_calls_go(calls: tuple[int, ...], most: int, start: int | None) -> None:
    buckets = [bucket(number * 100, each) for number, each in enumerate(calls)]
    assert start_of(buckets, 300, most) == start
