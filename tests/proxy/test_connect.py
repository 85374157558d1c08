"""Making a connection: names, tunnels, certificates. Over loopback sockets; the resolver is a fake."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.proxy.connect import DNS_STALE_S, DNS_TTL_S, Connector, Origin, Resolver, proxy_authorization
from tests import needs

Found = list[tuple[int, int, int, str, tuple[str, int]]]


class Names:
    """A resolver in the place of the loop's, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.known: dict[str, str] = {}
        self.asked: list[str] = []
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", self._getaddrinfo)
        self.resolver = Resolver(lambda: self.now)

    async def _getaddrinfo(self, host: str, port: int, **_: Any) -> Found:
        self.asked.append(host)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.known[host], port))]

    def addresses(self, host: str = "api.test") -> list[tuple[int, str]]:
        return asyncio.run(self.resolver.addresses(host, 443))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


ONE, TWO = [(int(socket.AF_INET), "192.0.2.1")], [(int(socket.AF_INET), "192.0.2.2")]


def test_an_answer_is_remembered_for_its_time(names: Names) -> None:
    names.known["api.test"] = "192.0.2.1"
    assert names.addresses() == ONE
    names.known["api.test"] = "192.0.2.2"
    names.now += DNS_TTL_S - 1
    assert (names.addresses(), len(names.asked)) == (ONE, 1)
    names.now += 1
    assert (names.addresses(), len(names.asked)) == (TWO, 2)


def test_an_old_answer_serves_while_the_resolver_does_not(names: Names) -> None:
    names.known["api.test"] = "192.0.2.1"
    names.addresses()
    names.known.clear()
    names.now += DNS_STALE_S - 1
    assert names.addresses() == ONE
    names.now += 1
    with pytest.raises(socket.gaierror, match="no answer"):
        names.addresses()


def test_a_name_that_was_never_known_is_an_error(names: Names) -> None:
    with pytest.raises(OSError, match="no answer"):
        names.addresses()
    names.known["api.test"] = "192.0.2.1"
    assert names.addresses() == ONE


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of `localhost`, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    needs.program("openssl")
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem "
        "-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(make.split(), cwd=folder, check=True, capture_output=True)
    return folder


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1000):
            writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def listening(serve: Any, tls: Path | None = None) -> AsyncIterator[int]:
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
    writers: list[asyncio.StreamWriter] = []
    serving: list[asyncio.Task[Any] | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the client went away
            await serve(reader, writer)
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*filter(None, serving))
        await asyncio.sleep(0)


class Proxy:
    """An HTTP proxy that makes tunnels, or refuses to. `asked` are the heads it was sent."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        writer.write(self.answer)
        if b" 200 " not in self.answer:
            writer.close()
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back), pump(there, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


class Hello(asyncio.Protocol):
    """Says hello and waits for the echo."""

    def __init__(self) -> None:
        self.made = 0
        self.got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.made += 1
        self.transport = transport
        transport.write(b"hello")

    def data_received(self, data: bytes) -> None:
        if not self.got.done():
            self.got.set_result(data)


async def says_hello(connector: Connector, origin: Origin) -> None:
    hello = Hello()
    async with asyncio.timeout(10):
        await connector.connect(origin, lambda: hello)
        assert await hello.got == b"hello"
    assert hello.made == 1
    hello.transport.abort()


def trusting(certificate: Path) -> Connector:
    """A connector to whose trust store the certificate has been added."""
    connector = Connector()
    connector._context(True).load_verify_locations(certificate / "cert.pem")
    return connector


def test_a_plain_connection() -> None:
    async def scenario() -> None:
        async with listening(echo) as port:
            await says_hello(Connector(), Origin("127.0.0.1", port, False))

    asyncio.run(scenario())


def test_a_connection_in_process() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=theirs)
        echoing = asyncio.create_task(echo(reader, writer))
        await says_hello(Connector(), Origin("demo", 80, False, dial=lambda: ours))
        await echoing

    asyncio.run(scenario())


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with listening(echo) as port:
            connector = Connector()

            async def addresses(host: str, port: int) -> list[tuple[int, str]]:
                return [(int(socket.AF_INET), "127.0.0.2"), (int(socket.AF_INET), "127.0.0.1")]

            monkeypatch.setattr(connector._resolver, "addresses", addresses)
            await says_hello(connector, Origin("two.test", port, False))

    asyncio.run(scenario())


def test_a_secure_connection(certificate: Path) -> None:
    async def scenario() -> None:
        async with listening(echo, certificate) as port:
            await says_hello(trusting(certificate), Origin("localhost", port, True))

    asyncio.run(scenario())


@pytest.mark.parametrize("through_proxy", [False, True])
def test_a_certificate_nobody_vouches_for_is_refused_unless_told_otherwise(
    certificate: Path, through_proxy: bool
) -> None:
    async def scenario() -> None:
        proxy = Proxy()
        async with listening(echo, certificate) as port, listening(proxy.serve) as proxy_port:
            via = f"http://127.0.0.1:{proxy_port}" if through_proxy else None
            with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
                await says_hello(Connector(), Origin("localhost", port, True, proxy=via))
            await says_hello(Connector(), Origin("localhost", port, True, verify_tls=False, proxy=via))

    asyncio.run(scenario())


def test_a_certificate_of_another_name_is_refused(certificate: Path) -> None:
    async def scenario() -> None:
        async with listening(echo, certificate) as port:
            with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
                await says_hello(trusting(certificate), Origin("127.0.0.1", port, True))

    asyncio.run(scenario())


def test_a_tunnel_through_a_proxy(certificate: Path) -> None:
    async def scenario() -> None:
        proxy = Proxy()
        async with listening(echo, certificate) as port, listening(proxy.serve) as proxy_port:
            origin = Origin("localhost", port, True, proxy=f"http://us%40er:p%3Aw@127.0.0.1:{proxy_port}")
            await says_hello(trusting(certificate), origin)
            target = f"localhost:{port}".encode()
            assert proxy.asked == [
                b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic dXNAZXI6cDp3\r\n\r\n" % (target, target)
            ]

    asyncio.run(scenario())


def test_without_tls_the_proxy_is_simply_spoken_to() -> None:
    async def scenario() -> None:
        async with listening(echo) as proxy_port:
            await says_hello(Connector(), Origin("api.test", 80, False, proxy=f"http://127.0.0.1:{proxy_port}"))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "refused the tunnel with status 407",
        ),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refused the tunnel with status 403"),
        (b"SOCKS is what this speaks\r\n\r\n", "is not HTTP"),
        (b"HTTP/1.1 200", "the proxy closed the connection"),
        (b"", "the proxy closed the connection"),
    ],
)
def test_a_tunnel_that_is_refused(answer: bytes, message: str) -> None:
    async def scenario() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with listening(refuse) as proxy_port:
            origin = Origin("localhost", 1, True, proxy=f"http://127.0.0.1:{proxy_port}")
            with pytest.raises(ConnectionError, match=message):
                await says_hello(Connector(), origin)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("proxy", "value"),
    [
        ("http://proxy:3128", None),
        ("http://user:pass@proxy:3128", b"Basic dXNlcjpwYXNz"),
        ("http://user@proxy", b"Basic dXNlcjo="),
    ],
)
def test_the_proxys_credentials(proxy: str, value: bytes | None) -> None:
    assert proxy_authorization(proxy) == value


def test_an_origin_does_not_show_its_proxys_password() -> None:
    assert repr(Origin("h", 443, True, proxy="http://user:secret@proxy")) == "Origin(https://h:443)"
