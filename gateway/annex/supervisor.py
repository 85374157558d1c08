"""Keeps an annex running, from the gateway's process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import msgspec

from gateway.annex import wire
from gateway.annex.orders import Orders
from gateway.config import Loaded
from gateway.control.local_socket import FOLDER
from gateway.control.processes import ANNEX

BACKOFF_S = (0.2, 30.0)
"""First and longest pause before an annex that died is started again. Until then the workers answer themselves."""
HEALTHY_S = 30.0
"""One that ran this long starts the backoff anew."""

log = logging.getLogger("callgate.supervisor")


class AnnexSupervisor:
    """`start` returns at once; an annex is started again whenever it dies."""

    def __init__(self, loaded: Loaded, *, python: str = sys.executable) -> None:
        source = str(loaded.path) if loaded.path is not None else None
        self._orders = Orders(source, msgspec.to_builtins(loaded.overrides))
        self._data = loaded.data
        self._command = (python, "-P", "-m", "gateway.annex")
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._relieved: set[asyncio.Task[None]] = set()
        """Of annexes that were told to end, and answer what they have begun."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        self._running = asyncio.create_task(self._keep_running())

    def renew(self) -> None:
        """After the configuration changed. Until the successor listens, the workers answer themselves."""
        if self._running is None:
            return
        self._running.cancel()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            relieved = asyncio.create_task(_ended(self._process))
            self._relieved.add(relieved)
            relieved.add_done_callback(self._relieved.discard)
        self.start()

    async def stop(self) -> None:
        """Nobody is left who asks: whatever they are at, the end of their standard input ends them. What showed the
        way to them is taken away."""
        for task in [self._running, *self._relieved]:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()
        if self._running is not None:
            for trace in (Path(FOLDER, wire.SOCKET), Path(ANNEX)):
                with contextlib.suppress(OSError):
                    (self._data / trace).unlink()

    async def _keep_running(self) -> None:
        pause, longest = BACKOFF_S
        while True:
            began = time.monotonic()
            try:
                process = self._process = await self._spawn()
                log.error("the annex ended with code %s; it is started again", await process.wait())
            except OSError as exc:
                log.error("the annex cannot be started: %s", exc)
            if time.monotonic() - began > HEALTHY_S:
                pause = BACKOFF_S[0]
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    async def _spawn(self) -> Process:
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(self._orders) + b"\n")
        return process


async def _ended(process: Process) -> None:
    """Holds on to it, and so to its standard input, whose end would cut its answers off."""
    await process.wait()
