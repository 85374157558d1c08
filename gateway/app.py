"""The composition root: `serve` starts the recorder and the workers and says where everything is."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time

import uvloop

from gateway.annex.supervisor import AnnexSupervisor
from gateway.banner import address_of, banner
from gateway.config import Loaded
from gateway.control.state import AppState
from gateway.core.logline import log_to_stderr
from gateway.errors import CallgateError
from gateway.recorder.supervisor import RecorderSupervisor
from gateway.settings import Settings
from gateway.worker import Worker
from gateway.workers import run_workers
from pricing.refresh import adopt_packaged

log = logging.getLogger("callgate")

BACKLOG = 4096


def serve(loaded: Loaded) -> int:
    """Runs until SIGINT or SIGTERM; the exit code. Raises CallgateError where it cannot start."""
    log_to_stderr("%(asctime)s %(levelname)s %(name)s: %(message)s", logging.WARNING)
    logging.getLogger("callgate").setLevel(logging.INFO)
    for warning in loaded.warnings:
        log.warning("%s: %s", loaded.source, warning)
    loaded.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    take_over_prices(loaded)
    listener = listen(loaded.settings.server.host, loaded.settings.server.port)
    if loaded.settings.server.workers > 1:
        return uvloop.run(run_workers(loaded, listener))
    uvloop.run(_one_process(loaded, listener))
    return 0


async def _one_process(loaded: Loaded, listener: socket.socket) -> None:
    """The gateway in this process, the recorder and the annex in a child each."""
    recorder = RecorderSupervisor(loaded.data, loaded.settings)
    annex = AnnexSupervisor(loaded)
    starting = asyncio.create_task(recorder.start())

    def reloaded(settings: Settings) -> None:
        recorder.assign(settings)
        annex.renew()

    worker = Worker(loaded, listener, reloaded=reloaded)

    def ready(state: AppState, first_key: str | None) -> None:
        annex.start()  # the schema and the first key are there
        sys.stdout.write(banner(worker.loaded, address_of(listener), state.sessions.one_time_token(), first_key))
        sys.stdout.flush()

    try:
        await worker.run(ready)
    finally:
        await annex.stop()
        await starting
        await recorder.stop()


def take_over_prices(loaded: Loaded) -> None:
    """A newer price file of an upgraded litellm goes into the data folder, and what it changes into the history."""
    try:
        changes = adopt_packaged(loaded.data, time.time_ns() // 1000)
    except (ValueError, OSError) as exc:
        log.warning("prices: the packaged file was not taken over: %s", exc)
        return
    if changes is not None and changes.changed:
        log.info("prices: %d changed with the installed price file", len(changes.changed))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; CallgateError that says who to ask where the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise CallgateError(
            f"cannot listen on {host}:{port}: {reason}. Choose another with --port, or stop what has it."
        ) from exc
    listener.setblocking(False)
    os.set_inheritable(listener.fileno(), True)
    return listener
