"""Each thing that can be wrong with an installation is found, with a way out, and nothing is changed by looking."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from msgspec import Raw

from gateway.cli import examine
from gateway.cli.doctor import doctor
from gateway.config import Loaded, load
from gateway.store import open_store
from pricing.edition import Edition
from pricing.history import History, Source


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    monkeypatch.chdir(tmp_path)
    return load(None, {"server": {"port": 0, "data": str(tmp_path / "data")}}, environ={})


def test_a_fresh_installation_is_well_and_stays_untouched(loaded, tmp_path):
    findings = {finding.subject: finding for finding in examine.examine(loaded)}
    assert {finding.state for finding in findings.values()} <= {"ok", "look"}
    assert {"installation", "configuration", "data", "address", "prices", "store", "recorder", "clock"} <= set(findings)
    assert findings["providers"].detail == "only the built-in demo"
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_how_many_and_exits_with_one_when_something_is_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": "sk-hunter2"})
    monkeypatch.setattr(examine, "_resolves", lambda host, port: True)
    (tmp_path / "callgate.yaml").write_text("server: {port: 0}")
    well = CliRunner().invoke(doctor, [], standalone_mode=False)
    assert well.return_value == 0
    assert well.output.endswith("\nAll is well.\n")
    assert "ok     provider openai: api.openai.com, 1 key\n" in well.output
    assert "hunter2" not in well.output
    (tmp_path / "callgate-data").write_text("a file")
    ill = CliRunner().invoke(doctor, [], standalone_mode=False)
    assert ill.return_value == 1
    assert "wrong  data: " in ill.output
    assert "       → Give it to the user that runs Callgate.\n" in ill.output


def test_data_open_to_others(tmp_path):
    tmp_path.chmod(0o755)
    states = {(finding.state, finding.way_out) for finding in examine.data_folder(tmp_path)}
    assert ("look", f"It holds prompts: chmod 700 {tmp_path}") in states
    tmp_path.chmod(0o700)
    assert all("chmod" not in finding.way_out for finding in examine.data_folder(tmp_path))


@pytest.mark.parametrize(
    ("free", "state"), [(examine.LITTLE_SPACE_BYTES, "ok"), (examine.NO_SPACE_BYTES, "look"), (1000, "wrong")]
)
def test_space(tmp_path, monkeypatch, free, state):
    tmp_path.chmod(0o700)
    monkeypatch.setattr(examine.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert [finding.state for finding in examine.data_folder(tmp_path)] == [state]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_data_that_cannot_be_made(tmp_path):
    tmp_path.chmod(0o500)
    [finding] = examine.data_folder(tmp_path / "data")
    assert (finding.state, finding.way_out) == ("wrong", "Set server.data or --data.")


def test_an_address_in_use_by_something_else():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(5)
        port = taken.getsockname()[1]
        answering = threading.Thread(target=lambda: taken.accept()[0].close())
        answering.start()
        finding = examine.address("127.0.0.1", port)
        answering.join()
    assert (finding.state, finding.way_out) == ("wrong", "Set server.port, or stop what has it.")


def test_an_address_in_use_by_callgate():
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status":"ok"}')

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.handle_request).start()
        finding = examine.address("127.0.0.1", server.server_port)
    assert finding == ("ok", "address", f"127.0.0.1:{server.server_port}, where a Callgate is running", "")


def test_an_address_of_another_machine():
    assert examine.address("192.0.2.1", 4000).state == "wrong"
    assert examine.address("no.such.host.invalid", 4000).detail == "no.such.host.invalid is no address of this machine"


def test_the_price_file_that_is_installed(tmp_path):
    assert examine.prices(tmp_path).state == "ok"


@pytest.mark.parametrize(
    ("days", "models", "problem", "state"),
    [(1, 1, None, "ok"), (100, 1, None, "look"), (1, 1, "damaged", "look"), (1, 0, None, "wrong")],
)
def test_prices(tmp_path, monkeypatch, days, models, problem, state):
    taken_us = time.time_ns() // 1000 - days * 86_400_000_000
    history = History(sources=(Source(at_us=taken_us, source="s", sha256="", models=models),))
    edition = Edition({f"m{n}": Raw(b"{}") for n in range(models)}, history, "stamp", "source", problem)
    monkeypatch.setattr(examine, "current_edition", lambda path: edition)
    assert examine.prices(tmp_path).state == state


def test_a_store_that_is_well_and_one_that_is_none(loaded):
    asyncio.run(make_store(loaded))
    well = asyncio.run(examine.store(loaded))
    assert well.state == "ok"
    assert well.detail.startswith("callgate.db, SQLite 3")
    (loaded.data / "callgate.db").write_bytes(b"not a database" * 100)
    ill = asyncio.run(examine.store(loaded))
    assert ill.state == "wrong"
    assert "not a SQLite database" in ill.detail


def test_a_schema_that_is_not_the_newest(loaded, monkeypatch):
    asyncio.run(make_store(loaded))
    monkeypatch.setattr(examine.migrate, "head", lambda: "9999")
    finding = asyncio.run(examine.store(loaded))
    assert (finding.state, finding.way_out) == ("look", "It is migrated to 9999 at the next start; back it up.")


async def make_store(loaded: Loaded) -> None:
    store = open_store(loaded.settings.store.url, loaded.data)
    await store.connect()
    await store.close()


@pytest.mark.parametrize(
    ("report", "state", "detail"),
    [
        (None, "ok", "starts with the gateway"),
        ({"state": "running", "written": 1200, "pid": 1}, "ok", "running, 1,200 rows written, 0 bytes waiting"),
        ({"state": "running", "dead_letters": 3}, "look", "3 rows refused"),
        ({"state": "running", "backlog_bytes": 60_000_000}, "look", "running, 0 rows written, 60.0 MB waiting"),
        ({"state": "store_down", "last_error": "locked"}, "wrong", "the store does not take its rows: locked"),
    ],
)
def test_the_recorder(tmp_path, report, state, detail):
    if report is not None:
        report["updated_at"] = time.time_ns() // 1000
        (tmp_path / "recorder.json").write_text(json.dumps(report))
    finding = examine.recorder(tmp_path)
    assert (finding.state, finding.detail) == (state, detail)


def test_a_journal_that_waits_for_a_recorder(tmp_path):
    (tmp_path / "journal" / "worker-0-1").mkdir(parents=True)
    assert examine.recorder(tmp_path).detail == "not running, and 1 journal folder not yet in the store"


def test_providers(loaded, monkeypatch):
    monkeypatch.setattr(examine, "_resolves", lambda host, port: host != "api.groq.com")
    environ = {"OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": "gsk"}
    findings = list(examine.providers(load(environ=environ)))
    assert [(finding.state, finding.detail) for finding in findings] == [
        ("ok", "api.openai.com, 1 key"),
        ("look", "api.groq.com, 1 key; the name is not found"),
    ]
    proxied = list(examine.providers(load(environ={**environ, "HTTPS_PROXY": "http://u:hunter2@proxy:3128"})))
    assert proxied[1] == ("ok", "provider groq", "api.groq.com, 1 key, through http://proxy:3128", "")


def test_the_clock(tmp_path, monkeypatch):
    assert [finding.state for finding in examine.clock(tmp_path)] == ["ok"]
    (tmp_path / "callgate.db").touch()
    os.utime(tmp_path / "callgate.db", (time.time() + 3600,) * 2)
    [ahead] = examine.clock(tmp_path)
    assert (ahead.state, ahead.way_out) == ("look", "The clock was set back.")
    monkeypatch.setattr(examine.time, "time", lambda: 1000.0)
    assert [finding.state for finding in examine.clock(tmp_path)] == ["wrong"]
