"""`python -m gateway.recorder`: the recorder's process, and its composition root.

Started by the supervisor, which writes the assignment as one line of JSON to standard input and keeps the pipe open.
Its end means that the gateway is gone: drain the journal, and end.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
from pathlib import Path

from gateway.core.logline import log_to_stderr
from gateway.errors import StoreError
from gateway.recorder.assignment import Assignment, parse
from gateway.recorder.priority import Priority, leave_group
from gateway.recorder.recorder import Recorder
from gateway.store import open_store
from gateway.store.sealing import sealer_of

LOCK = "recorder.lock"
LOCK_POLL_S = 0.1


def main() -> int:
    leave_group()
    log_to_stderr("%(asctime)s recorder %(levelname)s %(message)s", logging.INFO)
    priority = Priority()  # under load the log may be late, the answers may not
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway; its end reaches us through the pipe
    return asyncio.run(record(parse(sys.stdin.buffer.readline()), priority))


async def record(assignment: Assignment, priority: Priority) -> int:
    data = Path(assignment.data)
    store = open_store(assignment.store_url, data, sealer_of(assignment.privacy.encryption))
    recorder = Recorder(
        data,
        assignment.log,
        store,
        priority,
        restarts=assignment.restarts,
        pid=os.getpid(),
        privacy=assignment.privacy,
        tenants=store,
    )
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _on_input, recorder)
    loop.add_signal_handler(signal.SIGTERM, recorder.draining.set)
    lock = await _lock(data / LOCK)
    try:
        await recorder.patiently(store.connect)
        await recorder.run()
    except StoreError as exc:
        logging.getLogger("callgate.recorder").error("ends without its store, the journal is kept: %s", exc)
        return 1
    finally:
        await store.close()
        os.close(lock)
    return 0


def _on_input(recorder: Recorder) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        recorder.draining.set()


async def _lock(path: Path) -> int:
    """One recorder a data folder. The one of an earlier gateway may still be draining: it is waited for."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            await asyncio.sleep(LOCK_POLL_S)
        else:
            return fd


if __name__ == "__main__":
    sys.exit(main())
