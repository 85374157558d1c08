"""A provider for translated calls: answers over a real socket with what a test hands it, and remembers what it got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httptools

from gateway.config import quiet_litellm
from gateway.dialects import dialect_for
from gateway.settings import Timeout
from gateway.translation import Backend, Engine
from gateway.translation.engine import Reply, Request

KEY = "sk-provider-0123456789"


@dataclass
class Got:
    """A request that reached the provider."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What the provider says; `pieces` are chunks, each on its own."""

    pieces: list[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Whether the connection breaks after the last piece."""
    stalls: bool = False
    """Whether it falls silent after the last piece."""


def whole(body: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer([json.dumps(body).encode()], status, headers=named)


def events(*bodies: object, named: bool = False, done: bool = False) -> Answer:
    """A stream of server-sent events, each a chunk of its own."""
    pieces = []
    for body in bodies:
        name = f"event: {body['type']}\n" if named and isinstance(body, dict) else ""
        pieces.append(f"{name}data: {json.dumps(body)}\n\n".encode())
    return Answer([*pieces, *([b"data: [DONE]\n\n"] if done else [])], content_type="text/event-stream")


class Provider:
    """Gives its answers in turn, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.got: list[Got] = []
        self.port = 0
        self.gone = asyncio.Event()
        """Set when a client hung up before its answer was complete."""

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def backend(self, dialect: str, **more: Any) -> Backend:
        path = "/v1" if dialect == "openai" else ""
        named = {"name": dialect, "timeout": Timeout(first_byte_s=20), "region": "us-east-1"} | more
        return Backend(dialect=dialect, base_url=f"http://127.0.0.1:{self.port}{path}", **named)


class _Connection(asyncio.Protocol):
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.parser = httptools.HttpRequestParser(self)
        self.answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answering:
            self.provider.gone.set()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url, self.headers, self.body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        got = Got(self.parser.get_method().decode(), self.url.decode(), self.headers, self.body)
        self.provider.got.append(got)
        answer = self.provider.next()
        self.answering = answer.stalls
        head = f"HTTP/1.1 {answer.status} X\r\ncontent-type: {answer.content_type}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        self.transport.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        for piece in answer.pieces:
            self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if answer.cut:
            self.transport.close()
        elif not answer.stalls:
            self.transport.write(b"0\r\n\r\n")


@asynccontextmanager
async def serving(provider: Provider) -> AsyncIterator[Provider]:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(provider), "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()


ENGINE = Engine(quiet_litellm)


def request(backend: Backend, path: str, body: object, key: str | None = KEY) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named, _, query = path.encode().partition(b"?")
    return Request(backend, dialect_for(b"POST", named), named, raw, key, query)


async def said(reply: Reply) -> bytes:
    """The whole body, streamed or not."""
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([piece async for piece in reply.body])


def translated(
    answer: Answer | Provider, dialect: str, path: str, body: object, key: str | None = KEY, **more: Any
) -> tuple[int, dict[str, str], bytes, Provider]:
    """(status, headers, body, provider) of one call through the bridge, to a provider that speaks `dialect`."""

    async def call() -> tuple[int, dict[str, str], bytes, Provider]:
        provider = answer if isinstance(answer, Provider) else Provider(answer)
        bridge = await ENGINE.bridge()
        async with serving(provider):
            backend = provider.backend(dialect, **more)
            reply = await bridge.answer(request(backend, path, body, key))
            data = await said(reply)
            await closing(backend)
        headers = {name.decode(): value.decode() for name, value in reply.headers}
        return reply.status, headers, data, provider

    return asyncio.run(call())


async def closing(backend: Backend) -> None:
    """Each test has a loop of its own, and connections belong to one."""
    from gateway.translation.bridge.channel import client_for, handler_for

    await client_for(backend).aclose()
    client_for.cache_clear()  # a port may come again
    handler_for.cache_clear()
