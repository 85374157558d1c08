"""Somebody who clicks around: pages one after the other without a pause, and an export after the other beside them.

Run as a process of its own, in the idle class so that it is not what calls wait for:
`python -m bench.clicker '<Plan as JSON>'` prints a `Clicked` as JSON.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time

import msgspec

RECEIVE_BYTES = 256 * 1024
TIMEOUT_S = 60


class Plan(msgspec.Struct):
    port: int
    paths: list[str]
    """Asked for in this order, again and again."""
    export: str | None
    """Path of an export that runs all the time."""
    headers: dict[str, str]
    seconds: float


class Clicked(msgspec.Struct):
    pages: int = 0
    """Whole pages of status 200."""
    slowest_ms: float = 0.0
    exported_bytes: int = 0
    problems: list[str] = []


class Clicker:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._until = time.monotonic() + plan.seconds
        self.clicked = Clicked()

    def run(self) -> Clicked:
        exporting = threading.Thread(target=self._export, daemon=True)
        if self._plan.export is not None:
            exporting.start()
        while self._goes_on():
            for path in self._plan.paths:
                if self._goes_on():
                    self._look(path)
        return self.clicked

    def _goes_on(self) -> bool:
        return time.monotonic() < self._until and not self.clicked.problems

    def _look(self, path: str) -> None:
        began = time.monotonic()
        size = self._read(path)
        if size is not None and self._goes_on():
            self.clicked.pages += 1
            self.clicked.slowest_ms = max(self.clicked.slowest_ms, (time.monotonic() - began) * 1000)

    def _export(self) -> None:
        while self._plan.export is not None and self._goes_on():
            self._read(self._plan.export)

    def _read(self, path: str) -> int | None:
        """The size of the answer; None where it was not a good one, or time was over before its end."""
        connection = http.client.HTTPConnection("127.0.0.1", self._plan.port, timeout=TIMEOUT_S)
        size = 0
        try:
            connection.request("GET", path, headers=self._plan.headers)
            answer = connection.getresponse()
            if answer.status != 200:
                self.clicked.problems.append(f"{path} answered {answer.status}")
                return None
            while chunk := answer.read1(RECEIVE_BYTES):
                size += len(chunk)
                if path == self._plan.export:
                    self.clicked.exported_bytes += len(chunk)
                if not self._goes_on():
                    return None
        except (OSError, http.client.HTTPException) as exc:
            self.clicked.problems.append(f"{path}: {exc!r}")
            return None
        finally:
            connection.close()
        return size


def main() -> None:
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # a nice process keeps its core for milliseconds
    print(msgspec.json.encode(Clicker(plan).run()).decode())


if __name__ == "__main__":
    main()
