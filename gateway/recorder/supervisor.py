"""Keeps a recorder running, from the gateway's process."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from gateway.recorder.assignment import Assignment, written
from gateway.settings import Settings

BACKOFF_S = (0.2, 10.0)
"""First and longest pause before a recorder that died is started again."""
HEALTHY_S = 30.0
"""One that ran this long starts the backoff anew."""

log = logging.getLogger("callgate.supervisor")


class RecorderSupervisor:
    """`start` returns when the recorder was started (not: when it is ready); it is started again whenever it dies.

    A recorder that is left behind by a gateway that was killed drains the journal and ends by itself; the one started
    here waits for it.
    """

    def __init__(self, data: Path, settings: Settings, *, python: str = sys.executable) -> None:
        self._data = data
        self._settings = settings
        self._key_files: list[bytes | None] = []
        """What stood in them when the recorder was started."""
        self._command = (python, "-P", "-m", "gateway.recorder")
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False
        self._replacing = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Raises OSError when no process can be started."""
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = await self._spawn()
        self._watch = asyncio.create_task(self._keep_running(process))

    async def stop(self, timeout_s: float = 10.0) -> bool:
        """Lets the recorder drain; call it when the journals' writers are finished. False when it needs longer than
        `timeout_s`: it goes on by itself, and the next gateway's recorder waits for it."""
        self._stopping = True
        if self._watch is None:
            return True
        if self._process is not None and self._process.returncode is not None:  # it died just now: no new one
            self._watch.cancel()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        done, _ = await asyncio.wait([self._watch], timeout=timeout_s)
        if not done:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._watch = None
        return bool(done)

    def assign(self, settings: Settings) -> None:
        """New settings: the recorder is told to end and a successor goes on where it is, which counts as no failure.
        Nothing happens where the recorder's settings, and the keys in files, are as they were."""
        changed = (settings.log, settings.privacy) != (self._settings.log, self._settings.privacy)
        changed = changed or _key_files(settings) != self._key_files
        self._settings = settings
        if changed and self._process is not None and self._process.returncode is None:
            self._replacing = True
            self._process.terminate()

    async def _spawn(self) -> Process:
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE)
        assert process.stdin is not None
        self._process = process
        self._key_files = _key_files(self._settings)
        assignment = Assignment(
            str(self._data.absolute()),
            self._settings.store.url,
            self._settings.log,
            restarts=self.restarts,
            privacy=self._settings.privacy,
        )
        process.stdin.write(written(assignment))
        return process

    async def _keep_running(self, process: Process) -> None:
        pause, longest = BACKOFF_S
        while True:
            began = time.monotonic()
            code = await process.wait()
            if self._stopping:
                return
            if self._replacing:
                self._replacing = False
                process = await self._spawn_again(process)
                continue
            log.error("the recorder ended with code %s; it is started again in %.1f s", code, pause)
            if time.monotonic() - began > HEALTHY_S:
                pause = BACKOFF_S[0]
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)
            self.restarts += 1
            process = await self._spawn_again(process)

    async def _spawn_again(self, before: Process) -> Process:
        """The new process; the ended one where none can be started, so that it is tried again."""
        try:
            return await self._spawn()
        except OSError as exc:
            log.error("the recorder cannot be started: %s", exc)
            return before


def _key_files(settings: Settings) -> list[bytes | None]:
    return [_content(path) for path in settings.privacy.encryption.files]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
