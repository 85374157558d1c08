"""Every record of a filter as a stream of bytes, in constant memory, for the API and the command line.

Read and encoded a few at a time, some milliseconds, so that others have their turn on the event loop. What makes an
export fast: a page is read and then encoded, not both at once, for two threads of Python pass the interpreter to and
fro at every row; rows stay as the store has them and are taken by column (`gateway.core.stored`), no span made of any;
and Parquet, whose library is large, is written by a process of its own (`gateway.parquet`), which gets rows too.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

import msgspec

from gateway.api import csv_rows
from gateway.api.columns import columns_of
from gateway.api.record import Record
from gateway.core.packed import message
from gateway.core.stored import Block, StoredRow
from gateway.errors import CallError, CallgateError
from gateway.store.base import SpanFilter, SpanReader

PAGE = 1000
SLICE = 100
READ_SIZE = 64 * 1024
REMEMBERED = 64
Lines = Callable[[list[StoredRow]], bytes]


class Format(msgspec.Struct, frozen=True):
    suffix: str
    media_type: str
    lines: Lines
    """A few rows to bytes."""
    head: bytes = b""
    through_parquet: bool = False


class Progress(msgspec.Struct):
    """How far an export is. `state`: running, done, or failed (which is also: given up by who asked for it)."""

    rows: int = 0
    state: str = "running"


class Exports:
    """How many exports run in this worker; each holds a connection to the store, a Parquet one a process too.

    Who wants to watch one gives it a token of their own; the last `REMEMBERED` can be asked after.
    """

    def __init__(self, most: int = 4) -> None:
        self.most = most
        self.running = 0
        self._watched: OrderedDict[str, Progress] = OrderedDict()

    def watched(self, token: str | None) -> Progress:
        progress = Progress()
        if token:
            self._watched[token] = progress
            while len(self._watched) > REMEMBERED:
                self._watched.popitem(last=False)
        return progress

    def progress(self, token: str) -> Progress | None:
        """Of an export of this worker."""
        return self._watched.get(token)

    def admitted(self, body: AsyncIterator[bytes], progress: Progress | None = None) -> AsyncIterator[bytes]:
        """Raises CallError 429 when as many run as may."""
        if self.running >= self.most:
            message = f"{self.most} exports are running already. Try again when one is done."
            raise CallError(429, "too_many_exports", message, headers=((b"retry-after", b"10"),))
        return self._counted(body, progress or Progress())

    async def _counted(self, body: AsyncIterator[bytes], progress: Progress) -> AsyncIterator[bytes]:
        self.running += 1
        try:
            async with _closing(body):
                async for chunk in body:
                    yield chunk
            progress.state = "done"
        finally:
            self.running -= 1
            if progress.state != "done":
                progress.state = "failed"


async def exported(
    store: SpanReader, which: SpanFilter, form: Format, progress: Progress | None = None
) -> AsyncIterator[bytes]:
    """The file, chunk by chunk. Raises CallgateError if the Parquet writer fails, StoreError if the store does."""
    plain = _lines(store, which, form, progress or Progress())
    chunks = _parquet(plain) if form.through_parquet else plain
    async with _closing(chunks):
        async for chunk in chunks:
            yield chunk


async def _lines(store: SpanReader, which: SpanFilter, form: Format, progress: Progress) -> AsyncIterator[bytes]:
    if form.head:
        yield form.head
    pages = store.export_rows(which, page=PAGE)
    async with _closing(pages):
        async for page in pages:
            for start in range(0, len(page), SLICE):
                rows = page[start : start + SLICE]
                yield form.lines(rows)
                progress.rows += len(rows)
                await asyncio.sleep(0)


async def _parquet(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "gateway.parquet", stdin=PIPE, stdout=PIPE
    )
    feeder = asyncio.create_task(_feed(process, lines))
    try:
        assert process.stdout is not None
        while chunk := await process.stdout.read(READ_SIZE):
            yield chunk
        code = await process.wait()
        if code == 0 or feeder.done():
            await feeder  # raises what ended it: the store's error goes before that of the writer it killed
        if code != 0:
            raise CallgateError(f"the Parquet writer ended with code {code}")
    finally:
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _feed(process: Process, lines: AsyncIterator[bytes]) -> None:
    """Closes standard input only when all is written: the writer takes its end for the end of the data.

    A writer that died says so by its exit code, not by the pipe it broke.
    """
    assert process.stdin is not None
    try:
        async with _closing(lines):
            async for chunk in lines:
                process.stdin.write(chunk)
                await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    process.stdin.close()


@contextlib.asynccontextmanager
async def _closing(chunks: AsyncIterator[object]) -> AsyncIterator[None]:
    """An abandoned generator lets go of what it holds now, not when it is collected."""
    try:
        yield
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


def _json_lines(rows: list[StoredRow]) -> bytes:
    return _encode_lines(list(map(Record, *columns_of(Block(rows)))))


def _csv_lines(rows: list[StoredRow]) -> bytes:
    return csv_rows.lines(columns_of(Block(rows))).encode()


_encode_lines = msgspec.json.Encoder().encode_lines
_COLUMNS = message(list(Record.__annotations__.items()))
_NDJSON = "application/x-ndjson"
FORMATS = {
    "csv": Format("csv", "text/csv; charset=utf-8", _csv_lines, head=csv_rows.HEAD.encode()),
    "jsonl": Format("jsonl", _NDJSON, _json_lines),
    "parquet": Format("parquet", "application/vnd.apache.parquet", message, _COLUMNS, through_parquet=True),
}
