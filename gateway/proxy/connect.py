"""Making one upstream connection: names looked up and remembered, TLS, HTTP proxies, the in-process demo provider."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import httptools
import msgspec

DNS_TTL_S = 30.0
DNS_STALE_S = 600.0
"""How long an old answer serves when the resolver does not."""

TUNNEL_S = 60.0
"""How long a proxy may take over a tunnel. Callers give up earlier, each by its own limit."""

Address = tuple[int, str]
"""(family, address)"""


class Origin(msgspec.Struct, frozen=True):
    """Where to connect. `proxy` is an `http://[user:password@]host:port` URL; `dial` makes a socket in process."""

    host: str
    port: int
    tls: bool
    verify_tls: bool = True
    proxy: str | None = None
    dial: Callable[[], socket.socket] | None = None

    def __repr__(self) -> str:
        return f"Origin({'https' if self.tls else 'http'}://{self.host}:{self.port})"


class Resolver:
    """`getaddrinfo` in a thread, its answers kept for `DNS_TTL_S`, and longer while the resolver fails."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        known = self._known.get((host, port))
        if known and self._now() - known[0] < DNS_TTL_S:
            return known[1]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            if known and self._now() - known[0] < DNS_STALE_S:
                return known[1]
            raise
        addresses = [(int(family), str(address[0])) for family, _, _, _, address in found]
        self._known[host, port] = (self._now(), addresses)
        return addresses


class Connector:
    """Opens connections to origins. Holds the resolver's memory and one TLS context for each way of checking."""

    def __init__(self) -> None:
        self._resolver = Resolver()
        self._tls: dict[bool, ssl.SSLContext] = {}

    async def connect(self, origin: Origin, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connects a protocol made by `factory`. Raises OSError (ssl.SSLError among them) when that fails."""
        loop = asyncio.get_running_loop()
        if origin.dial is not None:
            await loop.create_connection(factory, sock=origin.dial())
        elif origin.proxy is not None:
            await self._through_proxy(origin, factory)
        else:
            await self._direct(origin.host, origin.port, factory, origin)

    def _context(self, verify: bool) -> ssl.SSLContext:
        context = self._tls.get(verify)
        if context is None:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._tls[verify] = context
        return context

    async def _direct(
        self, host: str, port: int, factory: Callable[[], asyncio.Protocol], secured: Origin | None
    ) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        tls = self._context(secured.verify_tls) if secured is not None and secured.tls else None
        failure: OSError | None = None
        for family, address in await self._resolver.addresses(host, port):
            try:
                transport, _ = await loop.create_connection(
                    factory,
                    address,
                    port,
                    family=family,
                    ssl=tls,
                    server_hostname=host if tls else None,
                )
            except ssl.SSLCertVerificationError:
                raise
            except OSError as exc:
                failure = exc
                continue
            return transport
        raise failure or OSError(f"{host} has no address")

    async def _through_proxy(self, origin: Origin, factory: Callable[[], asyncio.Protocol]) -> None:
        assert origin.proxy is not None
        parts = urlsplit(origin.proxy)
        proxy_host, proxy_port = parts.hostname or "", parts.port or 3128
        if not origin.tls:
            await self._direct(proxy_host, proxy_port, factory, None)
            return
        loop = asyncio.get_running_loop()
        tunnel = _Tunnel(origin.host, origin.port, proxy_authorization(origin.proxy))
        transport = await self._direct(proxy_host, proxy_port, lambda: tunnel, None)
        try:
            async with asyncio.timeout(TUNNEL_S):
                await tunnel.ready
            protocol = factory()
            secure = await loop.start_tls(
                transport, protocol, self._context(origin.verify_tls), server_hostname=origin.host
            )
        except BaseException:
            transport.abort()
            raise
        if secure is None:
            raise ConnectionResetError(f"the proxy closed the tunnel to {origin.host}")
        protocol.connection_made(secure)


def proxy_authorization(proxy: str) -> bytes | None:
    """The `Proxy-Authorization` value for the credentials in a proxy's URL."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return b"Basic " + base64.b64encode(pair)


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel (CONNECT, RFC 9110 9.3.6). `ready` is done when it stands."""

    def __init__(self, host: str, port: int, authorization: bytes | None) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        target = f"{host}:{port}".encode("idna" if not host.isascii() else "ascii")
        self._request = b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n" % (target, target)
        if authorization:
            self._request += b"proxy-authorization: %b\r\n" % authorization
        self._request += b"\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.ready.done():
                self.ready.set_exception(ConnectionError("the proxy's answer to CONNECT is not HTTP"))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.ready.done():
            return
        if 200 <= status < 300:
            self.ready.set_result(None)
        else:
            self.ready.set_exception(ConnectionError(f"the proxy refused the tunnel with status {status}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("the proxy closed the connection"))
