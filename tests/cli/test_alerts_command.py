"""`callgate alerts`, as somebody types it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gateway.cli import run


class Hook(BaseHTTPRequestHandler):
    came: list[dict[str, object]]

    def do_POST(self) -> None:
        self.came.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base's name


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    Hook.came = []
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: HTTPServer) -> Path:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = unused.getsockname()[1]
    (tmp_path / "callgate.yaml").write_text(
        f"""
server: {{data: data}}
alerts: {{rules: [{{name: volume, metric: requests, above: 5, each: tenant, notify: [hook]}}]}}
notifications:
  hook:
    {{kind: webhook, endpoint: "http://127.0.0.1:{hook.server_port}", secret: 0123456789abcdef, allow_private: true}}
  shut: {{kind: slack, endpoint: "http://127.0.0.1:{nobody}/private-path", allow_private: true}}
  inside: {{kind: slack, endpoint: "https://127.0.0.1:{nobody}/private-path"}}
""",
        "utf-8",
    )
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Standard output of a command that goes well."""
    code = run(["alerts", *words])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["alerts", *words]) == 1
    return capsys.readouterr().err


def test_who_is_told_is_tried(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "test", "hook") == "hook took it.\n"
    assert said(capsys, "test", "volume") == "hook took it.\n"
    assert [each["type"] for each in Hook.came] == ["alert.test", "alert.test"]
    assert "does not answer" in refused(capsys, "test", "shut")
    assert "not a public address" in refused(capsys, "test", "inside")
    assert "private-path" not in refused(capsys, "test", "shut")
    assert "no alert rule 'nobody'" in refused(capsys, "test", "nobody")


def test_rules(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = ["slow", "--metric", "latency_p95_ms", "--above", "2000", "--tenant", "acme", "--severity", "error"]
    assert said(capsys, "create", *made) == "Made slow: latency_p95_ms above 2,000 ms.\n"
    listed = said(capsys, "list")
    assert re.search(r"ok +slow +latency_p95_ms above 2,000 ms +error", listed)
    assert re.search(r"ok +volume +requests above 5 calls for each tenant +warning", listed)
    records = [json.loads(line) for line in said(capsys, "list", "--json").splitlines()]
    assert [(each["rule"]["name"], each["declared"]) for each in records] == [("slow", False), ("volume", True)]
    assert "already" in refused(capsys, "create", *made)
    assert "declared in the configuration" in refused(capsys, "delete", "volume")
    assert "needs one of the two" in refused(capsys, "create", "x", "--metric", "requests")
    assert "this is no rule" in refused(capsys, "create", "x y", "--metric", "requests", "--above", "1")
    assert said(capsys, "delete", "slow") == "Deleted slow.\n"


def test_silences(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = said(capsys, "silence", "vol*", "--for", "30m", "--of", "acme", "--note", "moving")
    key = made.split("unsilence ")[1].split("`")[0]
    assert re.search(rf"UTC +vol\* +acme +cli\S* +moving +{key}", said(capsys, "silences"))
    said(capsys, "unsilence", key)
    assert said(capsys, "silences") == "Nothing is silenced.\n"
    assert "no alert silence" in refused(capsys, "unsilence", key)
    assert said(capsys, "history") == "Nothing was said yet.\n"
