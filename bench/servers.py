"""One server process of a run: started on a free port, pinned, waited for, and stopped with all its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from bench import proc

START_TIMEOUT_S = 30


class BenchError(Exception):
    """The bench itself cannot go on; the message says what to do."""


class TimedOutError(BenchError):
    """What was waited for did not come."""


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOutError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(0.01)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on. All are held until all are found, so that no two are the same."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A process in a session of its own, so that Ctrl-C reaches the bench first and the bench stops it in order.

    `core` None lets it run on all of them. What it prints goes to `NAME.log` in `folder`, which is also its working
    folder.
    """

    def __init__(
        self, name: str, command: list[str], folder: Path, *, core: int | None, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        cores = f"0-{(os.cpu_count() or 1) - 1}" if core is None else str(core)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", cores, *command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def check_running(self) -> None:
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")

    def wait_until(self, ready: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
        def running_and_ready() -> bool:
            self.check_running()
            return ready()

        try:
            wait_for(running_and_ready, f"{self.name} to {what}", timeout_s)
        except TimedOutError as exc:
            raise TimedOutError(f"{exc}\n{self.tail()}") from None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self, grace_s: float = 3) -> None:
        """Asks it to end, then insists. Children go too, in its session or out of it: nobody waits for a backlog."""
        children = [pid for pid in proc.family(self.pid) if pid != self.pid]
        self.process.terminate()
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in children:
            if proc.alive(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
