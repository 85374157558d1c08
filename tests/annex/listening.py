"""An annex that listens in the process of a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.types import ASGIApp

from gateway.annex.answering import Answering

PATIENCE_S = 20


class NoHurry:
    """Of the test's process nothing is changed."""

    def waited_for(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    at_work = waited_for


async def nothing() -> None:
    """Before a question."""


@contextlib.asynccontextmanager
async def annex(app: ASGIApp, data: Path | None) -> AsyncIterator[Answering]:
    assert data is not None
    answering = Answering(app, nothing, NoHurry())  # type: ignore[arg-type]  # all that is asked of it
    server = await answering.listen(data)
    try:
        yield answering
    finally:
        server.close()
        async with asyncio.timeout(PATIENCE_S):
            await answering.finish()
