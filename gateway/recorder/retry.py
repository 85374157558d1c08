"""`python -m gateway.recorder.retry`: another try for the rows that the store refused, in a process of its own.

The gateway asks for it from the Operations page: writing thousands of rows must not keep its calls waiting. It is told
what to do on its standard input, since the store's URL may hold a password, and answers on its standard output.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from gateway.errors import CallgateError
from gateway.recorder.deadletter import DeadLetters
from gateway.settings.privacy import Encryption
from gateway.store import open_store
from gateway.store.sealing import sealer_of


class Order(msgspec.Struct):
    data: str
    store_url: str
    encryption: Encryption = Encryption()
    """Bodies are sealed as the recorder seals them."""


class Outcome(msgspec.Struct):
    stored: int = 0
    left: int = 0
    problem: str | None = None
    """Why nothing was done."""


async def retry_in_child(order: Order) -> Outcome:
    """Raises nothing: what went wrong is the outcome's `problem`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.recorder.retry",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    answer, _ = await process.communicate(msgspec.json.encode(order))
    try:
        return msgspec.json.decode(answer, type=Outcome)
    except msgspec.DecodeError:
        return Outcome(problem=f"the process that retries ended with {process.returncode}")


async def retry(order: Order) -> Outcome:
    data = Path(order.data)
    try:
        store = open_store(order.store_url, data, sealer_of(order.encryption))
        await store.connect()
        try:
            stored, left = await DeadLetters(data).retry(store)
        finally:
            await store.close()
    except (CallgateError, OSError) as exc:
        return Outcome(problem=str(exc))
    return Outcome(stored, left)


if __name__ == "__main__":
    os.nice(10)
    told = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(retry(told))))
