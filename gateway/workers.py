"""Several gateway processes on one listening socket, one recorder and one annex for all: `callgate serve --workers N`.

The parent serves nothing itself: it starts the recorder, the annex and the workers, replaces those that die, passes
signals on, and tells them what to do on their standard input, whose end tells them that it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import uvloop

from gateway.annex.supervisor import AnnexSupervisor
from gateway.banner import address_of, banner
from gateway.config import Loaded, load
from gateway.control.state import AppState
from gateway.core.logline import log_to_stderr
from gateway.recorder.priority import leave_group
from gateway.recorder.supervisor import RecorderSupervisor
from gateway.watch import Watcher
from gateway.worker import Worker

RESTART_AFTER_S = 1.0

log = logging.getLogger("callgate.workers")


class Orders(msgspec.Struct):
    """What a worker is told: how to load its configuration, and which socket to serve."""

    number: int
    listener: int
    config: str | None
    overrides: dict[str, object]
    began_at: int
    """When the parent began, µs UTC."""


class Ready(msgspec.Struct):
    """What a worker answers, once: it serves."""

    sign_in: str
    first_key: str | None


class _Process:
    """One worker, started again when it dies unasked."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()

    async def keep_running(self) -> None:
        while True:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway.workers",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(self._orders.listener,),
            )
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(msgspec.json.encode(self._orders) + b"\n")
            line = await process.stdout.readline()
            if line and not self.ready.done():
                self.ready.set_result(msgspec.json.decode(line, type=Ready))
            code = await process.wait()
            if self._stopping:
                return
            log.error("worker %d ended with code %d and is started again", self._orders.number, code)
            await asyncio.sleep(RESTART_AFTER_S)

    def stop(self, number: int) -> None:
        self._stopping = True
        self.signal(number)

    def signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def run_workers(loaded: Loaded, listener: socket.socket) -> int:
    """Until SIGINT or SIGTERM; the exit code."""
    recorder = RecorderSupervisor(loaded.data, loaded.settings)
    await recorder.start()
    source = str(loaded.path) if loaded.path is not None else None
    overrides = msgspec.to_builtins(loaded.overrides)
    began_at = time.time_ns() // 1000
    workers = [
        _Process(Orders(number, listener.fileno(), source, overrides, began_at))
        for number in range(loaded.settings.server.workers)
    ]
    loop = asyncio.get_running_loop()
    annex = AnnexSupervisor(loaded)

    def reloaded(changed: Loaded) -> None:
        recorder.assign(changed.settings)
        annex.renew()

    watcher = Watcher(loaded, reloaded)  # each worker has one of its own
    watcher.start(on_sighup=False)

    def reload() -> None:
        watcher.reload()
        _signal_all(workers, signal.SIGHUP)

    loop.add_signal_handler(signal.SIGHUP, reload)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop_all, workers, signal.SIGTERM)
    first, *others = workers
    running = [asyncio.create_task(first.keep_running())]
    ready = await _first_of(first.ready, running[0])  # it makes the first key and the schema; then the others
    running += [asyncio.create_task(worker.keep_running()) for worker in others]
    if ready is not None:
        annex.start()
        for worker, task in zip(others, running[1:], strict=True):
            await _first_of(worker.ready, task)
        sys.stdout.write(banner(loaded, address_of(listener), ready.sign_in, ready.first_key))
        sys.stdout.flush()
    await asyncio.gather(*running)
    await watcher.stop()
    await annex.stop()
    await recorder.stop()
    return 0


async def _first_of(ready: asyncio.Future[Ready], task: asyncio.Task[None]) -> Ready | None:
    """What the worker said, or None where it was stopped before it said anything."""
    either: list[asyncio.Future[Any]] = [ready, task]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    return ready.result() if ready.done() else None


def _stop_all(workers: Sequence[_Process], number: int) -> None:
    for worker in workers:
        worker.stop(number)


def _signal_all(workers: Sequence[_Process], number: int) -> None:
    for worker in workers:
        worker.signal(number)


def _work() -> None:
    """The worker's side."""
    leave_group()  # Ctrl-C reaches the parent, which stops them in order
    log_to_stderr("%(asctime)s %(levelname)s %(name)s: %(message)s", logging.WARNING)
    logging.getLogger("callgate").setLevel(logging.INFO)
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    loaded = load(orders.config, orders.overrides)
    worker = Worker(loaded, socket.socket(fileno=orders.listener), orders.number, began_at=orders.began_at)

    def ready(state: AppState, first_key: str | None) -> None:
        answer = Ready(state.sessions.one_time_token() if orders.number == 0 else "", first_key)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()
        asyncio.get_running_loop().add_reader(sys.stdin, _parent_is_gone)

    uvloop.run(worker.run(ready))


def _parent_is_gone() -> None:
    """The end of standard input: stop as if told to."""
    asyncio.get_running_loop().remove_reader(sys.stdin)
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    _work()
