"""`callgate route` against a server that answers as the API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.route import route
from gateway.errors import CallgateError

TARGET = {
    "provider": "openai",
    "model": "gpt-5",
    "tier": 0,
    "state": "closed",
    "ready_in_ms": 0.0,
    "chance": 0.9,
    "why": "weight: 90 % of calls",
    "in_flight": 3,
    "latency_ms": 1412.5,
    "keys": 2,
    "keys_ready": 1,
    "weight": 9.0,
    "share": None,
    "region": None,
    "price_usd": 0.01125,
}
AWAY = {**TARGET, "provider": "demo", "model": "echo", "tier": 1, "state": "open", "ready_in_ms": 2500.0,
        "chance": 0.0, "why": "left alone: open", "latency_ms": None, "in_flight": 0, "keys_ready": 2}  # fmt: skip
SMART = {"name": "smart", "strategy": "weighted", "sticky": "session", "region": "eu", "retries": 2,
         "targets": [TARGET, AWAY]}  # fmt: skip
REFUSED = {"status": 404, "code": "model_not_found", "message": "No provider serves it."}

SHOWN = """\
smart  (weighted, sticky by session, eu first, 2 retries)
     provider  model  chance  state           first byte  in flight  keys  why
  1  openai    gpt-5   90.0%  closed            1,412 ms          3  1/2   weight: 90 % of calls
  2  demo      echo        –  open for 2.5 s           –          0  2/2   left alone: open
"""


class Gateway:
    """Answers with what is set, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers["authorization"]))
                status, body = outer.answers[self.path.partition("?")[0]]
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CALLGATE_KEY", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(route, arguments, standalone_mode=False)

    return run


def explanation(found: Any, refused: Any = None) -> dict[str, Any]:
    return {"model": "smart", "key": None, "worker": 0, "route": found, "refused": refused}


def test_where_a_call_would_go(run, gateway):
    gateway.answers["/api/routes/explain"] = 200, explanation(SMART)
    about = ["--key", "app", "--session", "s 1", "--tokens", "9"]
    shown = run("explain", "smart", *about, "--url", gateway.url, "--token", "cg-x")
    assert (shown.stdout, shown.return_value) == (SHOWN, 0)
    assert gateway.asked == [("/api/routes/explain?model=smart&key=app&session=s+1&tokens=9", "Bearer cg-x")]


def test_the_key_may_be_in_the_environment_and_the_address_in_the_configuration(run, gateway, tmp_path, monkeypatch):
    monkeypatch.setenv("CALLGATE_KEY", "cg-y")
    (tmp_path / "callgate.yaml").write_text(f"server: {{port: {gateway.server.server_port}}}")
    gateway.answers["/api/routes/explain"] = 200, explanation(SMART)
    assert run("explain", "clever").stdout.startswith("clever → smart  (weighted")
    assert gateway.asked[0][1] == "Bearer cg-y"


def test_a_call_that_would_be_refused(run, gateway):
    gateway.answers["/api/routes/explain"] = 200, explanation(None, REFUSED)
    shown = run("explain", "x", "--url", gateway.url, "--token", "cg-x")
    assert (shown.stdout, shown.return_value) == ("404 model_not_found: No provider serves it.\n", 1)


def test_as_json(run, gateway):
    gateway.answers["/api/routes/explain"] = 200, explanation(SMART)
    shown = run("explain", "smart", "--json", "--url", gateway.url, "--token", "cg-x")
    assert json.loads(shown.stdout) == explanation(SMART)


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        ([], "No routes. Name one under `models` in the configuration.\n"),
        ([SMART], SHOWN),
        ([SMART, SMART], f"{SHOWN}\n{SHOWN}"),
    ],
)
def test_all_routes(run, gateway, items, shown):
    gateway.answers["/api/routes"] = 200, {"items": items, "worker": 0, "next_cursor": None}
    assert run("list", "--url", gateway.url, "--token", "cg-x").stdout == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "http://127.0.0.1:1", "--token", "cg-x"], "no gateway answers at http://127.0.0.1:1 ("),
        (["--url", "ftp://h", "--token", "cg-x"], "--url 'ftp://h' is no address like http://127.0.0.1:4000."),
        (["--url", "http://127.0.0.1:1"], "no gateway key. Set CALLGATE_KEY or --token"),
    ],
)
def test_what_keeps_it_from_asking(run, arguments, message):
    raised = run("list", *arguments).exception
    assert isinstance(raised, CallgateError)
    assert str(raised).startswith(message)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"error": {"message": "This key is not known."}}, "This key is not known."),
        (502, b"<html>", "the gateway answered 502 Bad Gateway"),
    ],
)
def test_what_the_gateway_refuses(run, gateway, status, body, message):
    gateway.answers["/api/routes"] = status, body
    raised = run("list", "--url", gateway.url, "--token", "cg-x").exception
    assert isinstance(raised, CallgateError)
    assert str(raised) == message
