"""A call that the gateway makes by itself: the same exchange as a client's, behind a door that collects the answer or
passes it on.

It is admitted, planned, metered and logged like any other; what is left out is the socket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
from starlette.types import Message, Receive, Send

from gateway.proxy.asgi import AsgiDoor, carried
from gateway.proxy.exchange import Exchange
from gateway.proxy.gateway import Gateway
from gateway.proxy.head import Head
from gateway.proxy.headers import Headers

Heard = Callable[[Headers, bytes], None]
"""Is told each piece of an answer's body as it comes, with the answer's headers. It must be quick: calls wait."""


class InsideAnswer(msgspec.Struct, kw_only=True):
    request_id: str
    started_at: int
    """µs UTC."""
    status: int
    headers: Headers
    body: bytes
    is_whole: bool
    """False where the answer broke off after it had begun."""
    latency_us: int
    ttft_us: int | None
    """Until the first bytes of the answer's body."""
    cost_nanousd: int | None
    price_id: str | None
    provider: str | None
    model: str | None
    """As it was sent upstream."""


class InsideCaller:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def call(
        self, method: bytes, url: bytes, headers: Headers, body: bytes, heard: Heard | None = None
    ) -> InsideAnswer:
        """Waits for the whole answer. `headers` hold a gateway key. Cancelled, it ends the call as a client would
        that goes away."""
        door = _Collecting(heard)
        exchange = Exchange(self._gateway, door, Head(method, url, headers, self._gateway.table.spoken), len(body))
        exchange.begin()
        exchange.body(body)
        exchange.body_end()
        try:
            await door.ended.wait()
        finally:
            exchange.client_gone()
        plan, cost = exchange.plan, exchange.booked
        return InsideAnswer(
            request_id=exchange.request_id,
            started_at=exchange.started_at,
            status=door.status,
            headers=door.headers,
            body=b"".join(door.pieces),
            is_whole=door.is_whole,
            latency_us=(door.ended_ns - exchange.began_ns) // 1000,
            ttft_us=None if door.first_ns is None else (door.first_ns - exchange.began_ns) // 1000,
            cost_nanousd=None if cost is None else cost.total,
            price_id=None if cost is None else cost.price_id,
            provider=None if plan is None else plan.target.upstream.name,
            model=None if plan is None else plan.target.model,
        )

    async def pass_on(
        self, url: bytes, headers: Headers, body: bytes, address: str, receive: Receive, send: Send
    ) -> None:
        """POSTs `body` and answers with what comes, as it comes; a stream ends with an event `callgate` that says what
        it came to (`Summary`). `address` is where the person is. The call ends when `receive` says that they left.

        Raises ConnectionAbortedError where a whole answer broke off.
        """
        door = _Summing(address)
        head = Head(b"POST", url, headers, self._gateway.table.spoken)
        exchange = Exchange(self._gateway, door, head, len(body))
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def next_message() -> Message:
            return unread.pop() if unread else await receive()

        await carried(exchange, door, next_message, send)


class Summary(msgspec.Struct):
    """What a streamed call came to, as far as it is known when its last byte is sent."""

    request_id: str
    served_by: str | None
    """`provider/model`, as it was sent upstream."""
    cost_nanousd: int | None
    latency_ms: float


class _Summing(AsgiDoor):
    """Adds the summary behind the last bytes of a stream."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._is_stream = False

    def start(self, status: int, head: bytes, length: int | None) -> None:
        self._is_stream = status < 400 and b"text/event-stream" in head.lower()
        super().start(status, head, None if self._is_stream else length)

    def finish(self, data: bytes) -> None:
        super().finish(data + self._summary() if self._is_stream else data)

    def _summary(self) -> bytes:
        exchange = self.exchange
        assert exchange is not None
        plan, cost = exchange.plan, exchange.booked
        summary = Summary(
            exchange.request_id,
            None if plan is None else f"{plan.target.upstream.name}/{plan.target.model}",
            None if cost is None else cost.total,
            (time.perf_counter_ns() - exchange.began_ns) / 1e6,
        )
        return b"event: callgate\ndata: " + msgspec.json.encode(summary) + b"\n\n"


class _Collecting:
    """A door onto a list."""

    address = ""

    def __init__(self, heard: Heard | None) -> None:
        self._heard = heard
        self.status = 0
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.is_whole = False
        self.first_ns: int | None = None
        self.ended_ns = 0
        self.ended = asyncio.Event()

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        self._begin(status, head)
        self.finish(body)

    def start(self, status: int, head: bytes, length: int | None) -> None:
        self._begin(status, head)

    def relay(self, data: bytes) -> None:
        if self.first_ns is None and data:
            self.first_ns = time.perf_counter_ns()
        self.pieces.append(data)
        if self._heard is not None and data:
            self._heard(self.headers, data)

    def finish(self, data: bytes) -> None:
        self.relay(data)
        self.is_whole = True
        self._end()

    def abort(self) -> None:
        self._end()

    def pause_body(self) -> None: ...

    def resume_body(self) -> None: ...

    def _begin(self, status: int, head: bytes) -> None:
        self.status = status
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b": ")
            if name:
                self.headers.append((name.lower(), value))

    def _end(self) -> None:
        if not self.ended_ns:
            self.ended_ns = time.perf_counter_ns()
        self.ended.set()
