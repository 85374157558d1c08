"""The annex's side of the wire: a question becomes a request of the same application that a worker has."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Scope

from gateway.annex import wire
from gateway.annex.pace import Pace
from gateway.annex.places import takes_long
from gateway.control.local_socket import FOLDER, listener
from gateway.control.principal import Principal
from gateway.control.sessions import Sessions

log = logging.getLogger("callgate.annex")

INTRODUCED = "callgate.introduced"
"""In the scope of a request: the principal that the worker named. No header can put it there."""

facts: ContextVar[wire.Facts] = ContextVar("facts")
"""Of the worker whose question is being answered."""


class Introduced(Sessions):
    """Who asks is who the worker says."""

    def principal(self, request: HTTPConnection) -> Principal | None:
        principal: Principal | None = request.scope.get(INTRODUCED)
        return principal


class Answering:
    """Answers connections with an ASGI application. `before` is awaited ahead of each question."""

    def __init__(self, app: ASGIApp, before: Callable[[], Awaitable[None]], pace: Pace) -> None:
        self._app = app
        self._before = before
        self._pace = pace
        self._open: set[asyncio.Task[None]] = set()

    async def listen(self, data: Path) -> asyncio.Server:
        """Raises OSError. In place of the socket of an annex before, whose connections go on."""
        listening = listener(data / FOLDER, wire.SOCKET)
        return await asyncio.start_unix_server(self._connected, sock=listening, limit=2 * wire.PIECE)

    async def finish(self) -> None:
        """Returns when the last answer under way has ended."""
        while self._open:
            await asyncio.wait(self._open)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        path = ""
        try:
            question = wire.read_question(await wire.take(reader))
            wire.put(writer, wire.TAKEN)
            path = question.path
            facts.set(question.facts)
            exchange = _Exchange(reader, writer)
            with self._pace.at_work() if takes_long(path) else self._pace.waited_for():
                await self._before()
                await self._app(_scope(question), exchange.receive, exchange.send)
        except (EOFError, OSError):
            log.debug("nobody waits any more for %r", path)
        except Exception:
            log.exception("unexpected error in %r", path)  # the application has answered, where it still could
        finally:
            writer.close()


class _Exchange:
    """ASGI's two callables over a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked = False

    async def receive(self) -> Message:
        """An empty body, and then nothing until the worker hangs up."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        with contextlib.suppress(OSError):
            await self._reader.read()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Returns when the worker has room for more. Once it has hung up nothing happens, as under any server: the
        application is told by `receive`."""
        if message["type"] == "http.response.start":
            wire.put(self._writer, wire.encode(wire.Head(message["status"], list(message.get("headers", ())))))
            return
        try:
            await self._put(message.get("body", b""))
            if not message.get("more_body", False):
                wire.put(self._writer, b"")
                await self._writer.drain()
        except OSError:
            await asyncio.sleep(0)  # to who waits in `receive`

    async def _put(self, body: bytes) -> None:
        for start in range(0, len(body), wire.PIECE):
            wire.put(self._writer, body[start : start + wire.PIECE])
            await self._writer.drain()


def _scope(question: wire.Question) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": question.method,
        "path": question.path,
        "raw_path": question.path.encode(),
        "root_path": "",
        "query_string": question.query,
        "headers": question.headers,
        "scheme": question.scheme,
        "client": question.client,
        "server": question.server,
        INTRODUCED: question.principal,
    }
