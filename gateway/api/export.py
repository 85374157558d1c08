"""Every record of a filter as a stream of bytes, in constant memory, for the API and the command line.

Read and encoded a few at a time, some milliseconds, so that others have their turn on the event loop. What makes an
export fast: a page is read and then encoded, not both at once, for two threads of Python pass the interpreter to and
fro at every row; cells are made by column, most of which need no look at their characters; and Parquet, whose library
is large, is written by a process of its own (`gateway.parquet`), which gets spans rather than text.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from gateway.api.record import FIELDS, Record, encode, record_of, values_of
from gateway.core.packed import message
from gateway.core.span import Span
from gateway.errors import CallError, CallgateError
from gateway.store.base import SpanFilter, SpanReader

PAGE = 1000
SLICE = 100
READ_SIZE = 64 * 1024
REMEMBERED = 64
PARQUET_WRITER = (sys.executable, "-P", "-m", "gateway.parquet")
FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
"""A cell that begins with one is run by some spreadsheet (OWASP, CSV injection)."""

_breaks_a_row = re.compile('[",\r\n]').search

Lines = Callable[[list[Span]], bytes]


class Format(msgspec.Struct, frozen=True):
    suffix: str
    media_type: str
    lines: Lines
    """A few spans to bytes."""
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
    pages = store.export(which, page=PAGE)
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


def _json_lines(spans: list[Span]) -> bytes:
    return b"".join(encode(record_of(span)) + b"\n" for span in spans)


def _packed(spans: list[Span]) -> bytes:
    return message(spans)


def _csv_lines(spans: list[Span]) -> bytes:
    return "".join([_row(values_of(span)) for span in spans]).encode()


def _row(values: Iterable[object]) -> str:
    """RFC 4180: CRLF, quotes doubled. The csv module looks at every character by itself, which is half of an export."""
    return ",".join(["" if value is None else cell(value) for cell, value in zip(CELLS, values, strict=True)]) + "\r\n"


def _text(value: str) -> str:
    """Text that a spreadsheet would run gets an apostrophe before it."""
    text = "'" + value if value[:1] in FORMULA_STARTS else value
    # four searches in C are faster than one pattern
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _digits(value: msgspec.Raw) -> str:
    return bytes(value).decode()


def _json(value: object) -> str:
    text = encode(value).decode()
    return '"' + text.replace('"', '""') + '"' if _breaks_a_row(text) else text


def _cell_of(name: str, annotation: str) -> Callable[[Any], str]:
    """What makes a cell of a field's values: all but text is JSON. Names that many rows share are looked at once;
    of times and amounts, made here, nothing needs a look."""
    if name.endswith("_at"):
        return str
    if name.endswith("_usd"):
        return _digits
    kind = annotation.split()[0]
    if kind == "str":
        return _text if name in OF_ONE_ROW else lru_cache(maxsize=4096)(_text)
    return repr if kind in ("int", "float") else _json


OF_ONE_ROW = frozenset(
    (
        "request_id",
        "trace_id",
        "span_id",
        "parent_span_id",
        "session",
        "response_id",
        "upstream_request_id",
        "client_request_id",
        "error_message",
        "input_preview",
        "output_preview",
    )
)
CELLS = [_cell_of(name, annotation) for name, annotation in Record.__annotations__.items()]


_COLUMNS = message(list(Record.__annotations__.items()))
_NDJSON = "application/x-ndjson"
FORMATS = {
    "csv": Format("csv", "text/csv; charset=utf-8", _csv_lines, head=(",".join(FIELDS) + "\r\n").encode()),
    "jsonl": Format("jsonl", _NDJSON, _json_lines),
    "parquet": Format("parquet", "application/vnd.apache.parquet", _packed, _COLUMNS, through_parquet=True),
}
