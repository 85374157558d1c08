"""The translator's side of a connection: plain HTTP/1.1 from the gateway's own pool, one task for each call."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import cast

import httptools
import msgspec

from gateway.dialects import dialect_for
from gateway.errors import CallError
from gateway.translation.backend import Backend
from gateway.translation.engine import Engine, Reply, Request

KEY_HEADERS = frozenset((b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"))
"""Where the gateway puts the provider's key; the client's own never come this far."""

TURN_S = 0.002
"""After so long of translating without a pause other calls have their turn."""

log = logging.getLogger("callgate.translation")


class Translator:
    """Answers on any number of connections, each for one backend."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._accepting: set[asyncio.Task[object]] = set()
        """The loop keeps only weak references to its tasks."""

    def connect(self, backend: Backend) -> socket.socket:
        """A new connection: the client's end of a socket pair, non-blocking. Needs a running loop."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        accepting = loop.create_task(loop.connect_accepted_socket(lambda: Connection(self.engine, backend), theirs))
        self._accepting.add(accepting)
        accepting.add_done_callback(self._accepting.discard)
        return ours


class Line(msgspec.Struct, frozen=True):
    """How to reach a backend through the translator. Equal lines are one origin, so they share a pool."""

    translator: Translator
    backend: Backend

    def __call__(self) -> socket.socket:
        return self.translator.connect(self.backend)

    def __repr__(self) -> str:
        return f"Line({self.backend!r})"


class Connection(asyncio.Protocol):
    """The gateway sends one request at a time and hears one answer; it hangs up when its client does."""

    def __init__(self, engine: Engine, backend: Backend) -> None:
        self._engine = engine
        self._backend = backend
        self._parser = httptools.HttpRequestParser(self)
        self._writable = asyncio.Event()
        self._writable.set()
        self._answering: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        """Pieces of a stream made in this turn of the loop."""
        self._since = 0.0
        """When the first of them was made."""
        self._transport: asyncio.Transport

    # ------------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or the gateway's patience: the provider is told by closing its connection."""
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # ------------------------------------------------------------------ the request, as the parser finds it

    def on_message_begin(self) -> None:
        self._url = b""
        self._key: str | None = None
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the headers only the provider's key matters: the rest is the client's, and none of it passes."""
        if name.lower() in KEY_HEADERS:
            self._key = value.removeprefix(b"Bearer ").decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.partition(b"?")
        dialect = dialect_for(self._parser.get_method(), path)
        request = Request(self._backend, dialect, path, b"".join(self._body), self._key, query)
        self._answering = asyncio.get_running_loop().create_task(self._answer(request))

    # ------------------------------------------------------------------ the answer

    async def _answer(self, request: Request) -> None:
        try:
            bridge = await self._engine.bridge()
            reply = await bridge.answer(request)
        except CallError as error:
            reply = Reply(error.status, [(b"content-type", b"application/json")], request.dialect.error_body(error))
        try:
            await self._send(reply)
        except Exception:
            log.exception("translation: %r broke", request)
            self._flush()
            self._transport.abort()

    async def _send(self, reply: Reply) -> None:
        head = _head(reply)
        if isinstance(reply.body, bytes):
            self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(reply.body), reply.body))
            return
        self._transport.write(head + b"transfer-encoding: chunked\r\n\r\n")
        try:
            async for events in reply.body:
                if events:
                    self._write_soon(b"%x\r\n%b\r\n" % (len(events), events))
                    if time.monotonic() - self._since > TURN_S:
                        await asyncio.sleep(0)
                await self._writable.wait()
        finally:
            await _close(reply.body)
        self._write_soon(b"0\r\n\r\n")

    def _write_soon(self, data: bytes) -> None:
        """What comes from the provider at once is translated in one turn of the loop, in which nobody could read it:
        it is written at the turn's end, together."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
            self._since = time.monotonic()
        self._unsent.append(data)

    def _flush(self) -> None:
        if self._unsent and not self._transport.is_closing():
            self._transport.write(b"".join(self._unsent))
        self._unsent = []


def _head(reply: Reply) -> bytes:
    lines = b"".join(b"%b: %b\r\n" % pair for pair in reply.headers)
    return b"HTTP/1.1 %d %b\r\n%b" % (reply.status, _reason(reply.status), lines)


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b"Unknown"


async def _close(body: AsyncIterator[bytes]) -> None:
    """Generators hold the provider's connection until they are closed."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
