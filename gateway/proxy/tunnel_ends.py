"""The two ends of a tunnel: asyncio protocols that tell it what comes, and hold one side up while the other is full."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httptools

from gateway.proxy.headers import Headers

if TYPE_CHECKING:
    from gateway.proxy.tunnel import Tunnel

MOST_REFUSAL = 64 * 1024
"""Of an answer that is no websocket, bytes that are passed on."""


class ClientEnd(asyncio.Protocol):
    """Takes the transport over from the HTTP protocol that read the handshake."""

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._tunnel = tunnel
        self._connections: set[Any] = set()

    def join(self, connections: set[Any]) -> None:
        """Counted with the server's connections: a shutdown tells it, and waits for it."""
        self._connections = connections
        connections.add(self)

    def shutdown(self) -> None:
        self._tunnel.shutdown()

    def data_received(self, data: bytes) -> None:
        self._tunnel.from_client(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.gateway.counters.client_connections -= 1
        self._connections.discard(self)
        self._tunnel.client_lost()

    def pause_writing(self) -> None:
        if self._tunnel.provider is not None:
            self._tunnel.provider.transport.pause_reading()

    def resume_writing(self) -> None:
        provider = self._tunnel.provider
        if provider is not None and not provider.transport.is_closing():
            provider.transport.resume_reading()


class ProviderEnd(asyncio.Protocol):
    """HTTP until the provider switches protocols, then bytes."""

    def __init__(self, tunnel: Tunnel) -> None:
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else happens
        self._tunnel = tunnel
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._tunnel.connected(self)

    def data_received(self, data: bytes) -> None:
        if self._tunnel.is_open:
            self._tunnel.from_provider(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._tunnel.switched(self._headers)
            if rest := data[upgrade.args[0] :]:
                self._tunnel.from_provider(rest)
        except httptools.HttpParserError as exc:
            self.transport.abort()
            self._tunnel.provider_lost(f"it is not HTTP: {exc}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.provider_lost("it closed the connection" if exc is None else f"it reset the connection: {exc}")

    def pause_writing(self) -> None:
        self._tunnel.client.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._tunnel.client.transport.is_closing():
            self._tunnel.client.transport.resume_reading()

    # ------------------------------------------------------------------ httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self._body = (self._body + body)[:MOST_REFUSAL]

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._tunnel.declined(status, self._headers, self._body)
