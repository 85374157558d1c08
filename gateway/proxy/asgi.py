"""The same exchange behind any ASGI server: for tests, and where another server than uvicorn's loop is wanted.

An exchange is callbacks, ASGI is awaits; a short queue of messages lies between the two, and the exchange is paused
while it is full.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.proxy.exchange import Exchange
from gateway.proxy.gateway import Gateway
from gateway.proxy.head import Head
from gateway.proxy.paths import is_model_traffic

HIGH_WATER = 16
"""Messages that wait to be sent before the provider is held up."""


class GatewayApp:
    """Takes the model paths itself and gives every other one to `app`."""

    def __init__(self, gateway: Gateway, app: ASGIApp) -> None:
        self._gateway = gateway
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_model_traffic(scope["method"].encode(), _url(scope)):
            await self._app(scope, receive, send)
            return
        door = AsgiDoor((scope.get("client") or ("",))[0])
        length, headers = None, []
        for name, value in scope["headers"]:
            if name.lower() == b"content-length":
                length = int(value)
            else:
                headers.append((name, value))
        head = Head(scope["method"].encode(), _url(scope), headers, self._gateway.table.spoken)
        await carried(Exchange(self._gateway, door, head, length), door, receive, send)


async def carried(exchange: Exchange, door: AsgiDoor, receive: Receive, send: Send) -> None:
    """An exchange from its begin to its end, or to the client's going away. Raises ConnectionAbortedError where the
    answer broke off."""
    door.exchange = exchange
    exchange.begin()
    reading = asyncio.create_task(_read(exchange, door, receive))
    try:
        await door.send_all(send)
    finally:
        reading.cancel()
        exchange.client_gone()


async def _read(exchange: Exchange, door: AsgiDoor, receive: Receive) -> None:
    """The request's body, then the client's going away."""
    more = True
    while more:
        await door.takes_body.wait()
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        if body := message.get("body", b""):
            exchange.body(body)
        more = message.get("more_body", False)
        if more:
            exchange.body_waits()
        else:
            exchange.body_end()
    else:
        while (await receive())["type"] != "http.disconnect":
            pass
    exchange.client_gone()
    door.leave()


class AsgiDoor:
    """Keeps what the exchange says until it can be sent."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.exchange: Exchange | None = None
        self.takes_body = asyncio.Event()
        self.takes_body.set()
        self._messages: deque[Message] = deque()
        self._news = asyncio.Event()
        self._ended = False
        self._aborted = False
        self._paused = False

    async def send_all(self, send: Send) -> None:
        while True:
            while self._messages:
                await send(self._messages.popleft())
                if self._paused and len(self._messages) < HIGH_WATER // 2 and self.exchange is not None:
                    self._paused = False
                    self.exchange.resume()
            if self._ended:
                break
            self._news.clear()
            await self._news.wait()
        if self._aborted:
            raise ConnectionAbortedError("the answer broke off and must not look complete")

    def _put(self, *messages: Message) -> None:
        self._messages.extend(messages)
        self._news.set()
        if len(self._messages) > HIGH_WATER and not self._paused and self.exchange is not None:
            self._paused = True
            self.exchange.pause()

    # ------------------------------------------------------------------ what an exchange asks of its door

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        self.start(status, head, None if status in (204, 304) else len(body))
        self.finish(body)

    def start(self, status: int, head: bytes, length: int | None) -> None:
        headers: list[Any] = [line.partition(b": ")[::2] for line in head.split(b"\r\n") if line]
        if length is not None and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", b"%d" % length))
        self._put({"type": "http.response.start", "status": status, "headers": headers})

    def relay(self, data: bytes) -> None:
        self._put({"type": "http.response.body", "body": data, "more_body": True})

    def finish(self, data: bytes) -> None:
        self._ended = True
        self._put({"type": "http.response.body", "body": data, "more_body": False})

    def abort(self) -> None:
        self._ended = self._aborted = True
        self._news.set()

    def leave(self) -> None:
        """There is nobody to send anything to."""
        self._messages.clear()
        self._ended = True
        self._news.set()

    def pause_body(self) -> None:
        self.takes_body.clear()

    def resume_body(self) -> None:
        self.takes_body.set()


def _url(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path
