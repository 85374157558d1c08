"""A replay that is watched: its text as it comes, and at its end the comparison, as server-sent events.

`text` is what is said, `more` what comes after it, `done` the part of the page that sets both side by side,
`refused` why nothing was sent. Whoever goes away ends the call, as a client does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.replay import replayed, text_so_far
from gateway.dashboard.compare import Comparison, compare
from gateway.dashboard.render import HEADERS, html
from gateway.dashboard.view import View
from gateway.errors import CallError
from gateway.store.base import SpanDetail

if TYPE_CHECKING:
    from gateway.proxy.headers import Headers

EVERY_S = 0.1
SHARE = 10
"""Reading all that came so far takes longer with every piece: between two readings the event loop is left alone for so
many times as long."""
HEARTBEAT_S = 5.0


@dataclass(frozen=True)
class ReplayResult:
    """Both side by side, without a page around them."""

    template: ClassVar[str] = "_replay_result.html"
    comparison: Comparison


class Replaying(Response):
    def __init__(self, view: View, found: SpanDetail, model: str | None) -> None:
        headers = {**HEADERS, "x-accel-buffering": "no", "cache-control": "no-store"}
        super().__init__(media_type="text/event-stream", headers=headers)
        del self.headers["content-length"]
        self._view = view
        self._found = found
        self._model = model
        self._came = asyncio.Event()
        self._heads: Headers = []
        self._data = bytearray()
        self._said = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.create_task(_gone(receive))
        work = asyncio.create_task(self._work(send))
        try:
            await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, work):
                task.cancel()
            results = await asyncio.gather(gone, work, return_exceptions=True)
        if isinstance(results[1], Exception):
            raise results[1]

    async def _work(self, send: Send) -> None:
        view, found = self._view, self._found
        call = asyncio.create_task(replayed(view.state, view.principal, found, self._model, self._hear))
        try:
            await self._follow(call, send)
            try:
                comparison = await asyncio.to_thread(compare, found, call.result())
            except CallError as exc:
                last = _event("refused", exc.message)
            else:
                last = _event("done", html(ReplayResult(comparison)))
        finally:
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await call
        await send({"type": "http.response.body", "body": last, "more_body": False})

    def _hear(self, headers: Headers, data: bytes) -> None:
        self._heads = headers
        self._data += data
        self._came.set()

    async def _follow(self, call: asyncio.Task[SpanDetail], send: Send) -> None:
        """Until the call is over. A comment now and then keeps proxies from closing a quiet line."""
        while not call.done():
            coming = asyncio.create_task(self._came.wait())
            await asyncio.wait({call, coming}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            coming.cancel()
            if not self._came.is_set():
                await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})
                continue
            self._came.clear()
            began = time.perf_counter()
            event = self._new_text()
            pause = max(EVERY_S, SHARE * (time.perf_counter() - began))
            if event:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.wait({call}, timeout=pause)

    def _new_text(self) -> bytes:
        """An event of what is new, or of everything where what was said before has changed; empty without news."""
        before, self._said = self._said, text_so_far(self._found.span, self._heads, bytes(self._data))
        if self._said == before:
            return b""
        return (
            _event("more", self._said[len(before) :]) if self._said.startswith(before) else _event("text", self._said)
        )


def _event(name: str, what: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(what) + b"\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
