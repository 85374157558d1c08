"""The worker's side: a middleware that has the annex answer what it can answer, and passes the answer on as it comes.

Where no annex listens (it starts, or died a moment ago) the worker answers by itself: slower calls are better than no
page. An annex that dies over a question is not followed by the worker over the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.annex import wire
from gateway.annex.places import is_place, shows_own, shows_standings
from gateway.api.access import READ
from gateway.api.limits import standings_in
from gateway.control.admission_status import Standings
from gateway.control.local_socket import FOLDER, address
from gateway.control.machine import own_in
from gateway.control.sessions import Sessions
from gateway.control.state import AppState
from gateway.dashboard.errors import cut_off_page, is_page
from gateway.errors import CallError

log = logging.getLogger(__name__)

ENDED = "The process that reads the log ended over this question; it is started again. Calls go on. Try again."


def facts_for(state: AppState, path: str) -> wire.Facts:
    """What a page at this path shows of the worker."""
    return wire.Facts(
        state.journal_health(),
        standings_in(state) if shows_standings(path) else Standings(),
        own_in(state) if shows_own(path) else None,
    )


class Way:
    """To the annex of a data folder."""

    def __init__(self, data: Path, sessions: Sessions, facts: Callable[[str], wire.Facts]) -> None:
        """`facts` are asked for by the path."""
        self._data = data
        self._sessions = sessions
        self._facts = facts
        self._streams: set[asyncio.StreamWriter] = set()

    def end_streams(self) -> None:
        """Event streams never end by themselves, and a server that stops waits for what is open."""
        for writer in self._streams:
            writer.close()

    async def ask(self, scope: Scope) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection over which the answer will come; None where nobody listens."""
        try:
            with address(self._data / FOLDER, wire.SOCKET) as path:
                reader, writer = await asyncio.open_unix_connection(path, limit=2 * wire.PIECE)
        except OSError:
            return None
        try:
            wire.put(writer, wire.encode(self._question(scope)))
            await wire.take(reader)
        except EOFError:  # it died, or was relieved, with us in its queue
            writer.close()
            return None
        return reader, writer

    def _question(self, scope: Scope) -> wire.Question:
        return wire.Question(
            scope["method"],
            scope["path"],
            scope["query_string"],
            list(scope["headers"]),
            scope["scheme"],
            scope["client"],
            scope["server"],
            scope["state"]["principal"],
            self._facts(scope["path"]),
        )

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scope: Scope, send: Send) -> None:
        """Hands on the answer. Raises CallError where there is none."""
        try:
            head = wire.read_head(await wire.take(reader))
        except EOFError as exc:
            raise CallError(503, "log_reader_ended", ENDED, headers=((b"retry-after", b"5"),)) from exc
        await send({"type": "http.response.start", "status": head.status, "headers": head.headers})
        is_stream = head.is_event_stream()
        if is_stream:
            self._streams.add(writer)
        try:
            while piece := await self._piece(reader, is_stream):
                if is_stream and self._sessions.principal(Request(scope)) is None:
                    break  # who was signed out while they listened
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            self._streams.discard(writer)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _piece(self, reader: asyncio.StreamReader, is_stream: bool) -> bytes:
        """Empty at the end. An answer that breaks off must not look whole: EOFError, which ends the connection."""
        try:
            return await wire.take(reader)
        except EOFError:
            if is_stream:
                return b""
            raise


class AnnexMiddleware:
    """Inside the access middleware: who asks is known, and may."""

    def __init__(self, app: ASGIApp, way: Way) -> None:
        self._app = app
        self._way = way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = scope["type"] == "http" and scope["method"] in READ and is_place(scope["path"])
        connection = await self._way.ask(scope) if asks else None
        if connection is None:
            await self._app(scope, receive, send)
            return
        try:
            await self._answered(*connection, scope, receive, send)
        except CallError as exc:
            request = Request(scope)
            if not is_page(request):
                raise  # the access middleware around this answers for the API
            await cut_off_page(request, exc)(scope, receive, send)

    async def _answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Returns at the end of the answer, or when nobody waits for it any more."""
        carrying = asyncio.create_task(self._way.carry(reader, writer, scope, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({carrying, gone}, return_when=asyncio.FIRST_COMPLETED)
            if carrying.done():
                await carrying
        finally:
            writer.close()  # which the annex takes for: nobody wants to know any more
            for task in (carrying, gone):
                task.cancel()
            await asyncio.gather(carrying, gone, return_exceptions=True)
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
