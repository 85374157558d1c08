"""The Dockerfile, as far as it can be tested without an engine: what it copies is there, what it sets exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gateway.config import load

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", "")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def test_it_runs_as_nobody_in_particular_and_keeps_its_data_in_a_volume():
    assert instructions("USER") == ["callgate"]
    assert instructions("VOLUME") == ["/data"]
    assert DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nENTRYPOINT ")


def test_its_variables_are_settings_that_hold_together():
    environ = dict(re.findall(r"(CALLGATE_\w+)=(\S+)", DOCKERFILE))
    loaded = load("/dev/null", environ=environ)
    assert loaded.settings.server.host == "0.0.0.0"
    assert loaded.data == Path("/data")
    assert loaded.warnings == []


def test_the_build_sees_what_the_wheel_is_made_of_and_no_more():
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    for needed in ("gateway", "pricing", "templates", "static", "pyproject.toml", "README.md", "LICENSE"):
        assert needed in allowed
        assert (ROOT / needed).exists()
    for lock in re.findall(r"-r (\S+\.lock)", DOCKERFILE):
        assert (ROOT / lock).exists()
        assert any(fnmatch(lock, pattern) for pattern in allowed)
    assert not any(fnmatch(name, pattern) for name in (".git", "tests", "callgate.yaml") for pattern in allowed)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check(status, code):
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    [check] = re.findall(r"^HEALTHCHECK .*? CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    _, *arguments = json.loads(check)
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        serving = Thread(target=server.handle_request)
        serving.start()
        environ = {"CALLGATE_SERVER__PORT": str(server.server_port), "HTTP_PROXY": "http://192.0.2.1:1"}
        assert subprocess.run([sys.executable, *arguments], env=environ, check=False).returncode == code
        serving.join()
