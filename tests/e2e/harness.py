"""A real gateway in a process of its own, from its command line, and what a test needs around it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.e2e.wire import PATIENCE_S, Message, Wire, post

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
RECORDINGS = SHARED / "recordings"
REPLAY_SERVER = SHARED / "tools" / "replay_server.py"

ADMIN_KEY = "cg-test-admin-0123456789abcdef"
APP_KEY = "cg-test-app-0123456789abcdef00"
VIEWER_KEY = "cg-test-viewer-0123456789abcdef"
NARROW_KEY = "cg-test-narrow-0123456789abcdef"
"""May use `demo/echo` and nothing else."""

UPSTREAM_KEY = "sk-upstream-0123456789abcdef0123"
"""What the gateway shows to the scripted provider; no client and no log may ever see it."""

KEYS = [
    {"name": "admin", "key": ADMIN_KEY, "role": "admin"},
    {"name": "app", "key": APP_KEY, "tenant": "acme", "environment": "test", "tags": {"feature": "tests"}},
    {"name": "viewer", "key": VIEWER_KEY, "role": "viewer"},
    {"name": "narrow", "key": NARROW_KEY, "models": ["demo/echo"]},
]
QUICK = {"headers": {"x-demo": "ttft-ms=0, tps=0"}}
"""Settings of the demo provider that take its pace away."""

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """The condition's value as soon as it holds."""
    end = time.monotonic() + patience_s
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s:g} s in vain: {what}")
        time.sleep(0.01)


def configuration(**more: Any) -> dict[str, Any]:
    """Declared keys, quick batches and the demo without its pace; `more` are further sections."""
    return {
        "server": {"head_timeout_s": 1, "body_timeout_s": 1, "max_body_mb": 4, "drain_s": 5} | more.pop("server", {}),
        "keys": KEYS,
        "providers": {"demo": QUICK} | more.pop("providers", {}),
        "log": {"flush_interval_ms": 20} | more.pop("log", {}),
        **more,
    }


def chat_request(text: str, *headers: str, model: str = "raw/m-1", **more: Any) -> bytes:
    """A chat completion as it goes over the wire, with the app's key."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return post("/v1/chat/completions", body, f"authorization: Bearer {APP_KEY}", *headers)


class Gateway:
    """`callgate serve` on a free port. `data` outlives a process: the same folder can be served again."""

    def __init__(self, data: Path, config: dict[str, Any]) -> None:
        self.data = data
        self.config = data.parent / f"{data.name}.yaml"
        self.config.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.output: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> Gateway:
        """Returns when it is ready."""
        command = [str(Path(sys.executable).parent / "callgate"), "serve", "--config", str(self.config)]
        environment = {
            k: v
            for k, v in os.environ.items()
            if not (k.startswith("CALLGATE_") or k.lower().endswith(("_api_key", "_proxy")))
        }
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--data", str(self.data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=self.data.parent,
            start_new_session=True,
        )
        self.output = []
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.port = int(wait_for(self._printed_port, "the gateway says where it is"))
        wait_for(self.ready, "the gateway is ready")
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)

    def _printed_port(self) -> str | None:
        said = "".join(self.output)
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", said):
            return found[1]
        assert self.process
        assert self.process.poll() is None, f"the gateway did not start:\n{said}"
        return None

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.get("/readyz", key=None)[0] == 200
        return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- asking

    def connect(self) -> Wire:
        return Wire(socket.create_connection(("127.0.0.1", self.port)))

    def exchange(self, request: bytes) -> Message:
        """One request on a connection of its own, its whole answer."""
        with self.connect() as wire:
            wire.send(request)
            return wire.message()

    def post(self, path: str, body: object, *headers: str, key: str | None = APP_KEY) -> Message:
        credentials = [f"authorization: Bearer {key}"] if key else []
        return self.exchange(post(path, body, *credentials, *headers))

    def chat(self, model: str, text: str = "Hello there", *headers: str, **more: Any) -> Message:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return self.post("/v1/chat/completions", body, *headers)

    def get(self, path: str, key: str | None = ADMIN_KEY) -> tuple[int, Any]:
        """(status, JSON or text) from the API."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {key}"} if key else {})
            answer = connection.getresponse()
            data = answer.read()
            is_json = (answer.getheader("content-type") or "").startswith("application/json")
            return answer.status, json.loads(data) if is_json else data.decode()
        finally:
            connection.close()

    # -- the log

    def row(self, request_id: str | None) -> dict[str, Any]:
        """The request's record, as soon as it is in the log."""
        assert request_id, "no x-request-id"

        def found() -> dict[str, Any] | None:
            status, record = self.get(f"/api/requests/{request_id}")
            return record if status == 200 else None

        return wait_for(found, f"request {request_id} is in the log")

    def row_of(self, answer: Message) -> dict[str, Any]:
        return self.row(answer.header("x-request-id"))

    def rows(self, query: str) -> list[dict[str, Any]]:
        """All records that match, page by page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            status, page = self.get(f"/api/requests?limit=1000&{query}{cursor}")
            assert status == 200, page
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    # -- ending

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def recorder_pid(self) -> int | None:
        """None until this gateway's recorder has reported; what an earlier one left behind does not count."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(json.loads((self.data / "recorder.json").read_bytes())["pid"])
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            return pid if f"\nPPid:\t{self.pid}\n" in status else None
        return None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def memory_mb(self) -> float:
        """Resident memory of the gateway's process."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    def stop(self) -> int:
        """As an operator would, with SIGTERM; the exit status."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the gateway did not stop:\n{''.join(self.output)}") from None

    def kill(self) -> None:
        """At once, as a crash would."""
        assert self.process
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)
