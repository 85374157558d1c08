"""The recorder as a process, with SQLite: started, killed, replaced, drained; and databases in trouble."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.audit import audit
from gateway.cli.deadletter import deadletter
from gateway.recorder import supervisor as supervisor_module
from gateway.recorder.assignment import Assignment, written
from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.recorder.health import read_health
from gateway.recorder.scribe import Scribe
from gateway.recorder.supervisor import RecorderSupervisor
from gateway.settings import Log, Settings

MB = 1 << 20
LOG = Log(flush_interval_ms=10, retention_days=None, payload_retention_days=None)
SETTINGS = Settings(log=LOG)


async def until(condition: Callable[[], bool], patience_s: float = 40) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.01)


def stored(data: Path) -> set[str]:
    try:
        with closing(sqlite3.connect(f"file:{data / 'callgate.db'}?mode=ro", uri=True)) as db:
            return {request_id for (request_id,) in db.execute("SELECT request_id FROM spans")}
    except sqlite3.Error:
        return set()


@pytest.fixture(autouse=True)
def quick_restarts(monkeypatch):
    monkeypatch.setattr(supervisor_module, "BACKOFF_S", (0.01, 0.1))


def test_it_is_started_again_when_it_dies_and_drains_when_the_gateway_stops(data, writer, call):
    async def scenario() -> None:
        supervisor = RecorderSupervisor(data, SETTINGS)
        await supervisor.start()
        ids = {call(writer) for _ in range(50)}
        await until(lambda: stored(data) == ids)
        first = supervisor.pid
        os.kill(first, signal.SIGKILL)
        ids |= {call(writer) for _ in range(50)}
        await until(lambda: stored(data) == ids)
        assert supervisor.pid != first
        assert supervisor.restarts == 1
        await until(lambda: read_health(data).restarts == 1)
        ids |= {call(writer) for _ in range(50)}
        writer.finish()
        assert await supervisor.stop()
        assert stored(data) == ids
        assert read_health(data).state == "stopped"
        assert list((data / "journal").iterdir()) == []

    asyncio.run(scenario())


def test_it_runs_with_a_lower_priority_and_without_the_environments_interrupts(data):
    async def scenario() -> None:
        supervisor = RecorderSupervisor(data, SETTINGS)
        await supervisor.start()
        await until(lambda: read_health(data).state == "running")
        assert os.getpriority(os.PRIO_PROCESS, supervisor.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
        os.kill(supervisor.pid, signal.SIGINT)
        seen = read_health(data).updated_at
        await until(lambda: read_health(data).updated_at > seen)
        assert supervisor.restarts == 0
        assert await supervisor.stop()

    asyncio.run(scenario())


def test_a_second_recorder_waits_for_the_first(data, writer, call):
    async def scenario() -> None:
        old, new = RecorderSupervisor(data, SETTINGS), RecorderSupervisor(data, SETTINGS)
        await old.start()
        await until(lambda: read_health(data).pid == old.pid)
        await new.start()
        ids = {call(writer) for _ in range(20)}
        await until(lambda: stored(data) == ids)
        assert read_health(data).pid == old.pid
        assert await old.stop()
        await until(lambda: read_health(data).pid == new.pid)
        ids |= {call(writer) for _ in range(20)}
        await until(lambda: stored(data) == ids)
        writer.finish()
        assert await new.stop()

    asyncio.run(scenario())


def test_the_end_of_the_pipe_is_the_end_of_the_gateway(data, writer, call, opened):
    """A gateway that is killed cannot say goodbye."""
    ids = {call(writer) for _ in range(50)}
    writer.open(opened("in flight"))
    writer.finish()
    process = subprocess.Popen((sys.executable, "-m", "gateway.recorder"), stdin=subprocess.PIPE)
    process.communicate(written(Assignment(str(data), "sqlite:///callgate.db", LOG)), timeout=60)
    assert process.returncode == 0
    assert stored(data) == ids | {"in flight"}


def test_a_database_that_is_locked_for_long_loses_nothing(data, writer, call, monkeypatch):
    async def scenario() -> None:
        supervisor = RecorderSupervisor(data, SETTINGS)
        await supervisor.start()
        await until(lambda: read_health(data).state == "running")
        with closing(sqlite3.connect(data / "callgate.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            ids = {call(writer) for _ in range(50)}
            await until(lambda: read_health(data).state == "store_down")
            ids |= {call(writer) for _ in range(50)}
            db.execute("ROLLBACK")
        await until(lambda: stored(data) == ids)
        await until(lambda: read_health(data).state == "running")
        writer.finish()
        assert await supervisor.stop()

    asyncio.run(scenario())


def test_a_database_that_is_deleted_is_made_again_and_nothing_later_is_lost(data, writer, call):
    async def scenario() -> None:
        supervisor = RecorderSupervisor(data, SETTINGS)
        await supervisor.start()
        before = {call(writer) for _ in range(10)}
        await until(lambda: stored(data) == before)
        for path in data.glob("callgate.db*"):
            path.unlink()
        after = {call(writer) for _ in range(10)}
        await until(lambda: after <= stored(data))
        writer.finish()
        assert await supervisor.stop()

    asyncio.run(scenario())


def test_a_full_disk_stops_the_log_and_not_for_ever(data, writer, call):
    """RLIMIT_FSIZE stands for the full disk: the database cannot grow beyond it."""

    async def scenario() -> None:
        supervisor = RecorderSupervisor(data, SETTINGS)
        await supervisor.start()
        first = {call(writer) for _ in range(10)}
        await until(lambda: stored(data) == first)
        small = max(path.stat().st_size for path in data.glob("callgate.db*")) + 8192
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (small, resource.RLIM_INFINITY))
        ids = first | {call(writer, response=os.urandom(3000).hex().encode()) for _ in range(200)}
        await until(lambda: read_health(data).state == "store_down")
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until(lambda: stored(data) == ids)
        writer.finish()
        assert await supervisor.stop()

    asyncio.run(scenario())


def test_rows_older_than_the_settings_allow_go_when_there_is_nothing_else_to_do(data, writer, opened, closed):
    async def scenario() -> None:
        supervisor = RecorderSupervisor(data, Settings(log=Log(flush_interval_ms=10, retention_days=2)))
        now_us, day_us = time.time_ns() // 1000, 86_400_000_000
        for request_id, days in (("old", 3), ("young", 1)):
            begin = now_us - days * day_us
            writer.open(opened(request_id, started_at=begin))
            writer.close(closed(request_id, ended_at=begin + 1000), [], [])
        await supervisor.start()
        await until(lambda: read_health(data).written == 2 and stored(data) == {"young"})
        writer.finish()
        assert await supervisor.stop()

    asyncio.run(scenario())


def test_a_recorder_that_cannot_be_started_is_an_error(data):
    with pytest.raises(OSError, match="no-such-python"):
        asyncio.run(RecorderSupervisor(data, SETTINGS, python="/no-such-python").start())


def test_stopping_what_was_not_started(data):
    assert asyncio.run(RecorderSupervisor(data, SETTINGS).stop())


def test_the_gateways_half_of_it_imports_nothing_heavy():
    """What a worker imports of the journal and the recorder."""
    code = (
        "import sys, gateway.journal, gateway.recorder.supervisor, gateway.recorder.health;"
        "heavy = {'re2', 'zstandard', 'aiosqlite', 'sqlite3', 'sqlalchemy', 'gateway.recorder.redaction'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_dead_letters_by_command(data, opened, closed):
    row = Scribe(Log()).closed(opened("late"), closed("late"), b"", b"")
    DeadLetters(data).add([DeadLetter(1_790_000_000_000_000, "no such table", row=row)])
    run = CliRunner(env={"CALLGATE_CONFIG": ""})
    listed = run.invoke(deadletter, ["list", "--data", str(data)])
    assert listed.output == "2026-09-21T14:13:20+00:00  late  gpt-4o-mini-2024-07-18  no such table\n"
    retried = run.invoke(deadletter, ["retry", "--data", str(data)])
    assert retried.output == "1 rows are in the store now, 0 stay.\n"
    assert stored(data) == {"late"}
    assert "There are none" in run.invoke(deadletter, ["list", "--data", str(data)]).output
    log = CliRunner().invoke(audit, ["list", "--kind", "dead_letters", "--json", "--data", str(data)])
    assert json.loads(log.output)["after"] == {"stored": 1, "left": 0}
