"""The live tail: one poll of the store for all who listen, while somebody listens.

A listener has a short queue. Who does not keep up loses it, is told so (`gap`) and comes back with `Last-Event-ID`,
the mark of the last row it saw; nobody waits for a slow listener, and none holds more memory than its queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from functools import cached_property

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.errors import invalid
from gateway.api.matching import matches
from gateway.api.record import encode, record_of
from gateway.api.scope import asked, state_of
from gateway.core.span import Span
from gateway.errors import CallError, StoreError
from gateway.store.base import SpanFilter, SpanReader

log = logging.getLogger(__name__)

REPLAY = 1000
"""Rows a returning listener is given at most; who missed more is told of a gap."""
MOST_FULL_POLLS = 4
"""Polls in a row that come back full before the tail jumps to now: it is for eyes, the export is for completeness."""


class LiveSpan:
    """A row and its mark. The record is encoded once, whoever is the first to send it."""

    def __init__(self, mark: int, span: Span) -> None:
        self.mark = mark
        self.span = span

    @cached_property
    def event(self) -> bytes:
        return b"id: %d\nevent: request\ndata: %b\n\n" % (self.mark, encode(record_of(self.span)))


class Listener:
    """`next` gives rows as they come; None once it has been dropped or the tail is closed."""

    def __init__(self, which: SpanFilter, size: int) -> None:
        self.which = which
        self.closed = False
        self.missed = False
        """Rows that should have come here were left out."""
        self._size = size
        self._rows: list[LiveSpan] = []
        self._news = asyncio.Event()

    def offer(self, rows: list[LiveSpan], *, before: bool = False) -> None:
        """Takes those that match; `before` what is waiting already."""
        if self.closed:
            return
        taken = [row for row in rows if matches(self.which, row.span)]
        self._rows = taken + self._rows if before else self._rows + taken
        if len(self._rows) > self._size:
            self.skip()
            self.close()
        elif self._rows:
            self._news.set()

    def skip(self) -> None:
        self._rows.clear()
        self.missed = True
        self._news.set()

    def close(self) -> None:
        self.closed = True
        self._news.set()

    async def next(self) -> list[LiveSpan]:
        """Waits for rows, for a gap or for the end; empty for the last two."""
        await self._news.wait()
        rows, self._rows = self._rows, []
        if not self.closed:
            self._news.clear()
        return rows


class LiveTail:
    """Polls the store's `tail` from the first listener's coming to the last one's leaving."""

    def __init__(
        self,
        store: SpanReader,
        *,
        interval_s: float = 0.5,
        batch: int = 500,
        queue: int = 2000,
        most_listeners: int = 50,
        heartbeat_s: float = 15,
        stalled_s: float = 30,
    ) -> None:
        self._store = store
        self._interval_s = interval_s
        self._batch = batch
        self._queue = queue
        self._most_listeners = most_listeners
        self.heartbeat_s = heartbeat_s
        self.stalled_s = stalled_s
        self._listeners: set[Listener] = set()
        self._poller: asyncio.Task[None] | None = None
        self._mark = 0
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    @property
    def polling(self) -> bool:
        return self._poller is not None

    @contextlib.asynccontextmanager
    async def listening(self, which: SpanFilter, after: int | None = None) -> AsyncIterator[Listener]:
        """Rows written from now on, or after a mark. Raises CallError 503 when too many listen or on shutdown."""
        if self._closed or len(self._listeners) >= self._most_listeners:
            message = f"{len(self._listeners)} are listening already. Close one of them, or try again later."
            raise CallError(503, "too_many_listeners", message, headers=((b"retry-after", b"5"),))
        listener = Listener(which, self._queue)
        self._listeners.add(listener)
        try:
            await self._start()
            if after is not None:
                await self._replay(listener, after)
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._stop()

    def close(self) -> None:
        """Ends every stream, so that a server that shuts down need not wait for its readers."""
        self._closed = True
        for listener in self._listeners:
            listener.close()
        self._stop()

    async def _start(self) -> None:
        async with self._starting:
            if self._poller is None:
                self._mark = (await self._store.tail(None)).mark
                self._poller = asyncio.create_task(self._poll())

    def _stop(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _replay(self, listener: Listener, after: int) -> None:
        until = self._mark
        missed = await self._store.tail(after, limit=REPLAY)
        rows = [LiveSpan(mark, span) for mark, span in missed.items if mark <= until]
        if len(rows) == REPLAY:
            listener.skip()
        else:
            listener.offer(rows, before=True)  # what the poller has offered meanwhile is newer than `until`

    async def _poll(self) -> None:
        full = 0
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                found = await self._store.tail(self._mark, limit=self._batch)
                full = full + 1 if len(found.items) == self._batch else 0
                if full > MOST_FULL_POLLS:
                    full = 0
                    self._mark = (await self._store.tail(None)).mark
                    for listener in self._listeners:
                        listener.skip()
                    continue
            except StoreError as exc:
                log.warning("the live tail cannot read the store, it tries again: %s", exc)
                continue
            self._mark = found.mark
            rows = [LiveSpan(mark, span) for mark, span in found.items]
            for listener in list(self._listeners):
                listener.offer(rows)


class EventStream(Response):
    """Server-sent events (WHATWG HTML, 9.2). Ends when the client goes, stalls, falls behind or may no longer read."""

    def __init__(
        self, tail: LiveTail, which: SpanFilter, after: int | None, may_still_read: Callable[[], bool]
    ) -> None:
        super().__init__(media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._tail = tail
        self._which = which
        self._after = after
        self._may_still_read = may_still_read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._tail.listening(self._which, self._after) as listener:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            gone = asyncio.create_task(_gone(receive))
            pump = asyncio.create_task(self._pump(listener, send))
            try:
                await asyncio.wait({gone, pump}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (gone, pump):
                    task.cancel()
                results = await asyncio.gather(gone, pump, return_exceptions=True)
        stalled = isinstance(results[1], TimeoutError)
        if isinstance(results[1], Exception) and not stalled:
            raise results[1]

    async def _pump(self, listener: Listener, send: Send) -> None:
        await self._send(send, b"retry: 2000\n: connected\n\n")
        while not listener.closed:
            rows: list[LiveSpan] | None = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tail.heartbeat_s):
                    rows = await listener.next()
            if not self._may_still_read():
                break
            if rows is None:
                await self._send(send, b": still here\n\n")
            elif rows:
                await self._send(send, b"".join(row.event for row in rows))
            if listener.missed:
                listener.missed = False
                await self._send(send, b'event: gap\ndata: {"message":"some requests were left out"}\n\n')
        await self._send(send, b"", more=False)

    async def _send(self, send: Send, body: bytes, more: bool = True) -> None:
        """Raises TimeoutError when the client has not taken anything for long."""
        async with asyncio.timeout(self._tail.stalled_s):
            await send({"type": "http.response.body", "body": body, "more_body": more})


async def stream(request: Request) -> Response:
    """Periods are left out of the filter: what is new is always after them."""
    which = msgspec.structs.replace(asked(request).which, from_us=None, to_us=None)
    sessions = state_of(request).sessions
    tail = live_tail(request.app)
    return EventStream(tail, which, _last_event_id(request), lambda: sessions.principal(request) is not None)


def live_tail(app: Starlette) -> LiveTail:
    """The one of the application; made when first asked for."""
    if not hasattr(app.state, "live_tail"):
        app.state.live_tail = LiveTail(app.state.callgate.store)
    tail: LiveTail = app.state.live_tail
    return tail


def _last_event_id(request: Request) -> int | None:
    value = request.headers.get("last-event-id", "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise invalid("last-event-id", f"'Last-Event-ID' has the value {value[:100]!r}. It takes the id of an event.")
    return int(value)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
