"""A database in trouble: calls go on at full speed, and what happened meanwhile is in the log afterwards."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import Gateway, wait_for


@pytest.fixture
def running(own_gateway: Gateway) -> Iterator[Gateway]:
    """With a first call in its log, so that the database is there."""
    own_gateway.start()
    own_gateway.row_of(own_gateway.chat("demo/echo", "before"))
    yield own_gateway
    assert own_gateway.stop() == 0, "".join(own_gateway.output)


def calls(gateway: Gateway, number: int) -> list[str]:
    """Makes calls, none of which may wait for the database; their ids."""
    ids = []
    for n in range(number):
        began = time.monotonic()
        given = gateway.chat("demo/echo", f"meanwhile {n}")
        assert given.status == 200
        assert time.monotonic() - began < 1
        ids.append(given.header("x-request-id") or "")
    return ids


def test_a_locked_database_delays_the_log_and_nothing_else(running: Gateway) -> None:
    with sqlite3.connect(running.data / "callgate.db", isolation_level=None) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        ids = calls(running, 20)
        assert running.get(f"/api/requests/{ids[-1]}")[0] == 404, "reading goes on, and it is not there yet"
        wait_for(lambda: backlog(running) > 0, "the backlog is shown")
        locker.execute("ROLLBACK")
    locker.close()
    for request_id in ids:
        assert running.row(request_id)["status_code"] == 200
    wait_for(lambda: backlog(running) == 0, "the backlog is worked off")


def backlog(gateway: Gateway) -> float:
    """Bytes of the journal that are not in the store, from /metrics."""
    status, text = gateway.get("/metrics", key=None)
    assert status == 200
    lines = [line for line in text.splitlines() if line.startswith("callgate_journal_backlog_bytes")]
    assert lines, text
    return sum(float(line.split()[-1]) for line in lines)


def test_a_database_deleted_while_running_is_made_anew(running: Gateway) -> None:
    for file in running.data.glob("callgate.db*"):
        file.unlink()
    ids = calls(running, 20)
    rows: list[dict[str, Any]] = [running.row(request_id) for request_id in ids]
    assert [row["status_code"] for row in rows] == [200] * 20
    assert (running.data / "callgate.db").exists()
    assert running.get("/readyz", key=None)[0] == 200
