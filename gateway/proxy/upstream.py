"""One connection to a provider: HTTP/1.1 over an asyncio transport, parsed by httptools."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import httptools

from gateway.proxy.headers import Headers

if TYPE_CHECKING:
    from gateway.proxy.pool import Pool

LARGEST_HEAD = 1024 * 1024
"""Bytes of an answer's head, all its headers together."""


class Caller(Protocol):
    """What a connection tells the exchange it works for. After `answer_lost` or a complete answer it says no more."""

    def connected(self, connection: UpstreamConnection) -> None: ...

    def connect_failed(self, error: Exception) -> None: ...

    def answer_started(self, status: int, headers: Headers, complete: bool) -> None:
        """The head, and whether the whole answer came with it."""
        ...

    def answer_data(self, data: bytes, complete: bool) -> None:
        """The next bytes of the body, unframed, and whether they are the last. `data` may be empty."""
        ...

    def answer_lost(self, reason: str, malformed: bool) -> None:
        """The answer will not be completed."""
        ...

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """Serves one caller at a time and goes back to its pool after a complete answer that allows it."""

    __slots__ = (
        "_body",
        "_caller",
        "_complete",
        "_head_bytes",
        "_head_new",
        "_headers",
        "_headers_done",
        "_informational",
        "_no_body",
        "_outbox",
        "_parser",
        "_pool",
        "_request_done",
        "_reusable",
        "_status",
        "first_byte_s",
        "idle_since",
        "transport",
        "was_idle",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._outbox = pool.outbox
        self._caller: Caller | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else happens
        self.idle_since = 0.0
        self.first_byte_s = 0.0
        """The first-byte limit of the call it serves."""
        self.was_idle = False
        """Whether it lay in the pool before this call: its peer may have closed it meanwhile, unnoticed."""
        self._reset()

    def _reset(self) -> None:
        self._headers: Headers = []
        self._status = 0
        self._headers_done = False
        self._head_new = False
        self._head_bytes = 0
        self._informational = False
        self._no_body = False
        self._body: list[bytes] = []
        self._complete = False
        self._reusable = False
        self._request_done = True

    # ------------------------------------------------------------------ used by the exchange

    def send(self, caller: Caller, data: bytes, *, complete: bool, head_only: bool = False) -> None:
        """Starts a call: the head and as much of the body as there is. `complete` when that is all of it."""
        self._caller = caller
        self._request_done = complete
        self._no_body = head_only
        self._outbox.write(self.transport, data)

    def send_more(self, data: bytes, *, complete: bool) -> None:
        self._request_done = complete
        if data:
            self._outbox.write(self.transport, data)

    @property
    def answering(self) -> bool:
        """Whether any byte of an answer has come for the current call."""
        return self._head_bytes > 0

    def pause(self) -> None:
        self.transport.pause_reading()

    def resume(self) -> None:
        self.transport.resume_reading()

    def abandon(self) -> None:
        """Closes at once; the caller hears nothing more."""
        self._caller = None
        self._pool.closed(self)
        self.transport.abort()

    # ------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        caller = self._caller
        if caller is None:  # an answer nobody asked for
            self.abandon()
            return
        if not self._headers_done:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._fail(f"its head is larger than {LARGEST_HEAD // 1024} kB", malformed=True)
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("it switched protocols unasked", malformed=True)
            return
        except httptools.HttpParserError as exc:
            self._reusable = False
            self._deliver(caller)
            if self._caller is caller and not self._complete:
                self._fail(f"it is not HTTP: {exc}", malformed=True)
            return
        self._deliver(caller)

    def _deliver(self, caller: Caller) -> None:
        if self._head_new:
            self._head_new = False
            caller.answer_started(self._status, self._headers, self._complete)
            if self._caller is not caller:
                return
        complete = self._complete
        if self._body or complete:
            pieces = self._body
            self._body = []
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if complete:
                self._caller = None
                self._finish()
            caller.answer_data(data, complete)

    def _finish(self) -> None:
        """After a complete answer: back to the pool, or closed where either side asked for it or is not done."""
        keep = self._reusable and self._request_done and not self._no_body
        self._reset()
        if keep and not self.transport.is_closing():
            self._pool.released(self)
        else:
            self._pool.closed(self)
            self.transport.close()

    def _fail(self, reason: str, *, malformed: bool) -> None:
        caller, self._caller = self._caller, None
        self._pool.closed(self)
        self.transport.abort()
        if caller is not None:
            caller.answer_lost(reason, malformed)

    def eof_received(self) -> None:
        """The default: the transport closes itself, and `connection_lost` decides what that means."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.closed(self)
        caller, self._caller = self._caller, None
        if caller is None:
            return
        if exc is None and self._headers_done and not self._is_framed:  # a body that ends with the connection
            caller.answer_data(b"", True)
        else:
            caller.answer_lost("it closed the connection" if exc is None else f"it reset the connection: {exc}", False)

    @property
    def _is_framed(self) -> bool:
        """Whether the answer's end is told by its head or its body."""
        return self._status in (204, 304) or any(
            name in (b"content-length", b"transfer-encoding") for name, _ in self._headers
        )

    def pause_writing(self) -> None:
        if self._caller is not None:
            self._caller.pause_sending()

    def resume_writing(self) -> None:
        if self._caller is not None:
            self._caller.resume_sending()

    # ------------------------------------------------------------------ httptools

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("an answer nobody asked for")  # stops the parser: what is complete is delivered

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._informational = True
            self._headers = []
            return
        self._status = status
        self._headers_done = self._head_new = True
        if self._no_body:
            self._complete = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._informational:
            self._informational = False
            return
        self._complete = True
        self._reusable = self._parser.should_keep_alive()  # the parser only knows it now
