"""Where load is sent (`Target`), and the gateway under test (`Callgate`)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench import proc
from bench.oneshot import Answer, NoAnswerError, call
from bench.servers import BenchError, Server, wait_for
from bench.templates import ADMIN_KEY, APP_KEY, MODEL, chat_body, cost_nanousd
from gateway.control.processes import ANNEX
from gateway.core.health import JournalHealth, RecorderHealth

CHAT = "/v1/chat/completions"
IDLE_FOR_S = 0.3
PROVIDERS = {"fixed": "bench", "varied": "varied", "stream": "stream"}
"""The provider that conf/callgate.yaml has for each upstream."""


@dataclass(frozen=True)
class Target:
    """An address, and what the request must look like there."""

    name: str
    port: int
    model: str
    headers: Mapping[str, str] = field(default_factory=dict)
    pids: Callable[[], list[int]] = list
    """The processes whose processor time is the price of being in between; none for the upstream itself."""

    def body(self, **changes: object) -> bytes:
        return chat_body(self.model, **changes)

    def head(self) -> dict[str, str]:
        """The request's headers, but for its length."""
        return {"Content-Type": "application/json", "Authorization": f"Bearer {APP_KEY}", **self.headers}

    def cpu_s(self) -> float:
        return sum(proc.cpu_s(pid) for pid in self.pids())

    def check(self, expected: bytes | None) -> None:
        """One call, so that no figure is ever made of error pages; `expected` is the body it must answer with."""
        answer = call(self.port, "POST", CHAT, body=self.body(), headers=self.head())
        if answer.status != 200 or (expected is not None and answer.body != expected):
            raise BenchError(f"{self.name} answered {answer.status}: {answer.body[:500]!r}")


class JournalCheck(msgspec.Struct):
    health: JournalHealth


class Checks(msgspec.Struct):
    journal: JournalCheck


class Readiness(msgspec.Struct):
    """What the bench reads of /readyz."""

    checks: Checks


class Callgate:
    """A running gateway and its recorder."""

    def __init__(self, server: Server, port: int, data: Path) -> None:
        self.server = server
        self.port = port
        self.data = data

    @property
    def database(self) -> Path:
        return self.data / "callgate.db"

    def target(self, upstream: str = "fixed") -> Target:
        return Target("callgate", self.port, f"{PROVIDERS[upstream]}/{MODEL}", pids=self.pids)

    @property
    def admin(self) -> Mapping[str, str]:
        """Headers of who may read everything."""
        return {"Authorization": f"Bearer {ADMIN_KEY}"}

    def pids(self) -> list[int]:
        """The gateway without its recorder and its annex."""
        others = {*proc.family(self.recorder_pid()), *proc.family(self.annex_pid())}
        return [pid for pid in proc.family(self.server.pid) if pid not in others]

    def annex_pid(self) -> int:
        try:
            return int((self.data / ANNEX).read_text())
        except (FileNotFoundError, ValueError) as exc:
            raise BenchError(f"the annex does not run:\n{self.server.tail()}") from exc

    def has_annex(self) -> bool:
        """Whether that of this gateway listens."""
        try:
            return self.annex_pid() in proc.family(self.server.pid)
        except BenchError:
            return False

    def recorder(self) -> RecorderHealth | None:
        """What the recorder last said about itself; None before its first word."""
        try:
            return msgspec.json.decode((self.data / "recorder.json").read_bytes(), type=RecorderHealth)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def recorder_pid(self) -> int:
        health = self.recorder()
        if health is None or health.pid is None or not proc.alive(health.pid):
            raise BenchError(f"the recorder does not run:\n{self.server.tail()}")
        return health.pid

    def records(self) -> bool:
        health = self.recorder()
        return health is not None and health.state == "running" and health.pid is not None and proc.alive(health.pid)

    def is_idle(self) -> bool:
        """Whether it has done all that starting makes it do, also what it does once it answers."""
        before_s = [proc.cpu_s(pid) for pid in self.pids()]
        time.sleep(IDLE_FOR_S)
        return [proc.cpu_s(pid) for pid in self.pids()] == before_s

    def get(self, path: str) -> Answer:
        return call(self.port, "GET", path, headers=self.admin)

    def answers(self) -> bool:
        try:
            return call(self.port, "GET", "/healthz").status == 200
        except NoAnswerError:
            return False

    def journal(self) -> JournalHealth:
        return msgspec.json.decode(self.get("/readyz").body, type=Readiness).checks.journal.health

    def check_unharmed(self, recorder: int) -> None:
        """Raises BenchError if figures were made without the log: its recorder gone, or bodies dropped on the way."""
        self.server.check_running()
        if self.recorder_pid() != recorder:
            raise BenchError(f"the recorder was started again during the measurement:\n{self.server.tail()}")
        journal = self.journal()
        if journal.state != "ok" or journal.bodies_dropped:
            raise BenchError(f"the journal did not keep everything: {journal}")

    def prove_logging(self) -> None:
        """One call, followed into the log: nothing is measured with metering switched off by mistake."""
        target = self.target()
        answer = call(self.port, "POST", CHAT, body=target.body(), headers=target.head())
        path = f"/api/requests/{answer.headers.get('x-request-id', 'without-an-id')}"
        self.server.check_running()
        wait_for(lambda: self.get(path).status == 200, f"{path} to be in the log")
        record = json.loads(self.get(path).body)
        found = {name: record.get(name) for name in ("tenant", "input_tokens", "output_tokens", "cost_nanousd")}
        expected = {"tenant": "acme", "input_tokens": 47, "output_tokens": 21, "cost_nanousd": cost_nanousd(47, 21)}
        if found != expected or record.get("tags", {}).get("workflow") != "nightly":
            raise BenchError(f"the logged call is not what was called: {found}, tags {record.get('tags')}")
