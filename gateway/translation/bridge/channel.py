"""The way to a provider: one httpx client for each backend, with its timeouts, proxy and trust, and ears.

litellm says what a provider answered as exceptions and objects of its own. What it really sent is heard here, below
litellm: status, headers, and the bytes of the body, so that the bill is read by the provider's native dialect and an
error keeps its words.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import httpx
import msgspec

from gateway.dialects import OPAQUE, Dialect, dialect_for
from gateway.dialects.base import Answer, Context
from gateway.errors import CallError
from gateway.translation.backend import Backend
from gateway.translation.bridge.library import http_handler, litellm

KEPT_BYTES = 1024 * 1024
"""Of an answer's beginning; and as much of its end."""
DRAIN_S = 1.0
"""How long the end of a stream may take to come after the last that matters in it."""
_CLIENTS = 256
"""Backends whose connections are kept."""


class Heard(msgspec.Struct):
    """What a provider sent for one call; of several requests, the last."""

    backend: Backend
    status: int | None = None
    """None where nothing was answered."""
    headers: dict[bytes, bytes] = {}
    dialect: Dialect = OPAQUE
    path: bytes = b""
    request: bytes = b""
    first: bytearray = msgspec.field(default_factory=bytearray)
    last: bytearray = msgspec.field(default_factory=bytearray)
    response: httpx.Response | None = None
    rest: AsyncIterator[bytes] | None = None
    """What has not been read yet of the answer."""

    def begin(self, response: httpx.Response) -> None:
        request = response.request
        self.response = response
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.raw}
        self.path = request.url.raw_path.partition(b"?")[0]
        self.dialect = dialect_for(request.method.encode("ascii"), self.path)
        self.request = request.content if isinstance(request.stream, httpx.ByteStream) else b""
        self.first, self.last = bytearray(), bytearray()

    def add(self, data: bytes) -> None:
        if len(self.first) < KEPT_BYTES:
            self.first += data
            return
        self.last += data
        if len(self.last) > 2 * KEPT_BYTES:
            del self.last[:-KEPT_BYTES]

    async def drain(self) -> None:
        """Reads what litellm leaves unread of a stream: usage that comes late, and the end, without which the
        connection could not be used again. CallError 502 for a stream that was cut: litellm would finish it."""
        has_ended = False
        try:
            async with asyncio.timeout(DRAIN_S):
                while self.rest is not None:
                    self.add(await anext(self.rest))
        except (StopAsyncIteration, httpx.HTTPError):
            has_ended = True
        except TimeoutError:
            pass
        answer = self.answer()
        if has_ended and not (answer.complete and self.is_stream):
            cut = f"The stream of {self.backend.name} ended before the answer was complete."
            raise CallError(502, "upstream_reset", answer.error or cut)

    async def close(self) -> None:
        """Ends the call to the provider, unless it is complete."""
        if self.response is not None:
            await self.response.aclose()

    @property
    def is_stream(self) -> bool:
        """Whether the provider answers with a stream: asked for one, a broken one may answer with nothing at all."""
        return self.headers.get(b"content-type", b"").startswith(self.dialect.stream_types)

    @property
    def body(self) -> bytes:
        return bytes(self.first + self.last)

    def answer(self) -> Answer:
        """What the provider says that it used, in the words of its own dialect."""
        return self.dialect.settle(self.body, self.is_stream, Context(self.path, self.request, self.headers))


HEARD: ContextVar[Heard] = ContextVar("heard")
"""Of the call that is being made; litellm carries the context into its threads."""


class ForeignHostError(httpx.RequestError):
    """A request was about to leave for another host than the provider's."""


@functools.lru_cache(maxsize=_CLIENTS)
def client_for(backend: Backend) -> httpx.AsyncClient:
    own = httpx.URL(backend.base_url)

    async def sending(request: httpx.Request) -> None:
        if (request.url.scheme, request.url.host, request.url.port) != (own.scheme, own.host, own.port):
            raise ForeignHostError(f"{backend.name} is not at {request.url.host}", request=request)
        key = request.headers.pop("x-goog-api-key", None) if backend.on_vertex else None
        if key is not None:
            request.headers["authorization"] = f"Bearer {key}"

    async def answered(response: httpx.Response) -> None:
        heard = HEARD.get()
        heard.begin(response)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Tapped(response.stream, heard)

    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(
            verify=backend.verify_tls,
            proxy=backend.proxy,
            limits=httpx.Limits(max_connections=backend.max_connections, max_keepalive_connections=100),
        ),
        timeout=timeout_of(backend),
        headers={"accept-encoding": "identity"},  # what is heard is read as it came
        follow_redirects=False,
        trust_env=False,
        event_hooks={"request": [sending], "response": [answered]},
    )


@functools.lru_cache(maxsize=_CLIENTS)
def handler_for(backend: Backend) -> Any:
    """The same client as litellm's adapters take it."""
    handler = http_handler.AsyncHTTPHandler(transport=_Nowhere())
    handler.client = client_for(backend)
    return handler


class _Nowhere(httpx.AsyncBaseTransport, httpx.BaseTransport):
    """Refuses: for whatever of litellm would go to the network on a way of its own."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise ForeignHostError(f"nothing is sent to {request.url.host} here", request=request)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise ForeignHostError(f"nothing is sent to {request.url.host} here", request=request)


class _Clients:
    """In place of litellm's cache of clients, where adapters look that were not handed one: the call's own channel."""

    def get_cache(self, key: str, *_: object, **__: object) -> Any:
        heard = HEARD.get(None)
        if key.startswith("async_httpx_client"):
            return handler_for(heard.backend) if heard is not None else _NOBODY
        return _NOBODY_SYNC if key.startswith("httpx_client") else None

    def set_cache(self, *_: object, **__: object) -> None:
        """Nothing is kept here."""


_NOBODY: Any = http_handler.AsyncHTTPHandler(transport=_Nowhere())
_NOBODY_SYNC: Any = http_handler.HTTPHandler(client=httpx.Client(transport=_Nowhere()))
litellm.in_memory_llm_clients_cache = _Clients()
litellm.module_level_aclient = _NOBODY
litellm.module_level_client = _NOBODY_SYNC


def timeout_of(backend: Backend) -> httpx.Timeout:
    """The exchange keeps the limits; these end what it has given up, should it ever not be told."""
    limits = backend.timeout
    patience = max(limits.first_byte_s, limits.idle_s)
    return httpx.Timeout(connect=limits.connect_s, read=patience, write=patience, pool=limits.connect_s)


class _Tapped(httpx.AsyncByteStream):
    """An answer's body, remembered while litellm reads it."""

    def __init__(self, stream: httpx.AsyncByteStream, heard: Heard) -> None:
        self._stream = stream
        self._heard = heard
        self._pieces = heard.rest = stream.__aiter__()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._pieces:
            self._heard.add(data)
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()
