"""The annex of a running gateway: it answers, it may die, it follows the configuration, and ends with the gateway."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.harness import ADMIN_KEY, APP_KEY, Gateway, configuration, wait_for


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    running = Gateway(tmp_path / "data", configuration()).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def annexes(gateway: Gateway) -> list[int]:
    """Processes of this gateway that listen as one, or are about to."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                status = (folder / "status").read_text(encoding="utf-8")
            except OSError:
                continue
            if b"gateway.annex" in command and f"\nPPid:\t{gateway.pid}\n" in status and "\nState:\tZ" not in status:
                found.append(int(folder.name))
    return found


def the_annex(gateway: Gateway, other_than: int | None = None) -> int:
    """Once it listens: the socket is there when all else is."""
    socket = gateway.data / "run" / "annex.sock"

    def listens() -> int | None:
        new = [pid for pid in annexes(gateway) if pid != other_than]
        return new[0] if len(new) == 1 and socket.exists() and connections_of(new[0]) else None

    return wait_for(listens, "the annex listens")


def connections_of(pid: int) -> bool:
    """Whether it holds a listening socket of ours."""
    inodes = {
        line.split()[6]
        for line in Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()[1:]
        if line.endswith("annex.sock")
    }
    held = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    return bool(inodes & held)


def test_pages_exports_and_the_list_say_what_the_calls_were(gateway: Gateway) -> None:
    the_annex(gateway)
    row = gateway.row_of(gateway.chat("demo/echo", "Hello annex"))
    assert row["input_preview"] == "Hello annex"
    status, page = gateway.get("/requests?period=1h")
    assert (status, "Hello annex" in page) == (200, True)
    status, lines = gateway.get("/api/requests/export?format=csv")
    assert (status, row["request_id"] in lines) == (200, True)


def test_operations_are_the_same_with_it_and_without(gateway: Gateway) -> None:
    pid = the_annex(gateway)
    gateway.row_of(gateway.chat("demo/echo", "Hello annex"))
    status, page = gateway.get("/operations?period=1h")
    assert (status, "demo" in page) == (200, True)
    told = gateway.get("/api/operations")[1]
    os.kill(pid, signal.SIGKILL)
    alone = gateway.get("/api/operations")[1]
    for name in ("version", "worker", "workers", "started_at", "configuration", "in_flight", "providers", "routes"):
        assert told[name] == alone[name], name
    assert [each["provider"] for each in told["providers"] if each["health"]["calls"] == 1] == ["demo"]
    assert told["processes"][0]["pid"] == gateway.pid
    the_annex(gateway, other_than=pid)


def test_when_it_dies_the_worker_answers_until_there_is_another(gateway: Gateway) -> None:
    first = the_annex(gateway)
    os.kill(first, signal.SIGKILL)
    assert gateway.get("/api/requests")[0] == 200
    assert the_annex(gateway, other_than=first) != first
    assert gateway.get("/api/requests")[0] == 200


def test_a_changed_configuration_brings_a_successor(gateway: Gateway) -> None:
    first = the_annex(gateway)
    more = {"name": "later", "key": "cg-later-later-later", "role": "viewer"}
    settings = yaml.safe_load(gateway.config.read_text(encoding="utf-8"))
    settings["keys"] = [*settings["keys"], more]
    gateway.config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    wait_for(lambda: gateway.get("/api/requests", more["key"])[0] == 200, "the new key reads")
    the_annex(gateway, other_than=first)
    assert [gateway.get("/api/requests", key)[0] for key in (more["key"], ADMIN_KEY, APP_KEY)] == [200, 200, 200]


def test_it_ends_with_the_gateway_however_that_ends(gateway: Gateway) -> None:
    pid = the_annex(gateway)
    gateway.kill()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the annex is gone")
    gateway.start()


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_of_it_stays_behind_after_a_clean_end(workers: int, tmp_path: Path) -> None:
    running = Gateway(tmp_path / "data", configuration(server={"workers": workers})).start()
    the_annex(running)
    traces = [running.data / "run" / name for name in ("annex.sock", "annex.pid")]
    wait_for(lambda: all(trace.exists() for trace in traces), "it says who it is")
    assert running.stop() == 0
    assert [trace.name for trace in traces if trace.exists()] == []
