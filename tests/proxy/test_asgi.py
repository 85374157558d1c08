"""The other door: the same exchange as an ASGI app under a real uvicorn, with the demo provider behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.core.proxies import Proxies
from gateway.demo import PRICES, Demo, connect
from gateway.proxy.asgi import GatewayApp
from gateway.proxy.connect import Connector
from gateway.proxy.gateway import Counters, Gateway
from gateway.proxy.pools import Pools
from gateway.proxy.table import Table
from gateway.settings import Settings
from pricing import Catalog
from pricing.edition import Edition, parse
from pricing.history import History
from pricing.override import read_overrides
from tests.proxy.fakes import APP_TOKEN, Journal, Keys

PATIENCE_S = 10.0


@dataclass
class Running:
    gateway: Gateway
    journal: Journal
    port: int

    async def send(self, method: str, path: str, body: Any = None, *lines: str, token: bytes = APP_TOKEN) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "host: gateway", f"authorization: Bearer {token.decode()}", *lines]
        head += ["content-type: application/json", f"content-length: {len(data)}", "", ""]
        writer.write("\r\n".join(head).encode() + data)
        return Client(reader, writer)


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> tuple[int, dict[str, str]]:
        raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = raw.removesuffix("\r\n\r\n").split("\r\n")
        return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in lines)

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def whole(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        body = b""
        if bodiless:
            pass
        elif "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            while chunk := await self.chunk():
                body += chunk
        await self.close()
        return status, headers, body

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Running]:
    demo, journal = Demo({"ttft-ms": 0, "tps": 0}), Journal()
    pools = Pools(Connector(), lambda: connect(demo))
    priced = Catalog(Edition(parse(b"{}"), History(), "2026-11-01", "none"), read_overrides(PRICES))
    settings = msgspec.convert({"default_provider": "demo", "server": {"max_body_mb": 1}}, Settings)
    gateway = Gateway(
        table=Table(settings, Proxies(), priced, pools),
        pools=pools,
        journal=journal,  # type: ignore[arg-type]
        keys=Keys(),
        counters=Counters(),
    )
    gateway.start()
    page = Starlette(routes=[Route("/hello", lambda _: PlainTextResponse("Hello from the app"))])
    app = GatewayApp(gateway, page)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", ws="none", log_config=None, access_log=False))
    server.config.load()
    serving = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield Running(gateway, journal, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await serving
        gateway.stop()
        await asyncio.sleep(0)


@pytest.fixture
def errors() -> Iterator[list[str]]:
    """What was logged as an error."""
    said: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    yield said
    logging.getLogger().removeHandler(handler)


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "demo/echo", "messages": [{"role": "user", "content": text}], **more}


CHAT = "/v1/chat/completions"


def test_whole_answers_and_what_is_the_apps(errors: list[str]) -> None:
    async def scenario() -> None:
        async with running() as run:
            status, headers, body = await (await run.send("POST", CHAT, chat("Hi"))).whole()
            assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "Hi")
            [closed] = run.journal.closed
            assert (headers["x-request-id"], headers["x-callgate-provider"]) == (closed.request_id, "demo")
            assert closed.cost_nanousd
            assert float(headers["x-callgate-cost-usd"]) == closed.cost_nanousd / 1e9

            status, _, body = await (await run.send("GET", "/hello")).whole()
            assert (status, body) == (200, b"Hello from the app")
            assert len(run.journal.closed) == 1

    asyncio.run(scenario())
    assert errors == []


def test_a_stream_comes_without_the_usage_that_only_the_gateway_asked_for(errors: list[str]) -> None:
    async def scenario() -> None:
        async with running() as run:
            client = await run.send("POST", CHAT, chat("one two three", stream=True))
            status, headers = await client.head()
            assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            chunks = []
            while chunk := await client.chunk():
                chunks.append(chunk)
            await client.close()
            body = b"".join(chunks)
            assert body.endswith(b"data: [DONE]\n\n")
            assert b"prompt_tokens" not in body
            [closed] = run.journal.closed
            assert closed.usage
            assert closed.usage.output_tokens
            assert closed.error_type is None

    asyncio.run(scenario())
    assert errors == []


@pytest.mark.parametrize(
    ("method", "path", "body", "token", "status", "code"),
    [
        ("POST", CHAT, chat("x"), b"wrong", 401, "invalid_api_key"),
        ("POST", CHAT, b"hello", APP_TOKEN, 400, "invalid_request_error"),
        ("POST", CHAT, b"x" * 1_100_000, APP_TOKEN, 413, "request_too_large"),
        ("POST", CHAT, {**chat("x"), "demo": {"reset": True}}, APP_TOKEN, 502, "upstream_reset"),
        ("POST", CHAT, {**chat("x"), "demo": {"garbage": True}}, APP_TOKEN, 502, "upstream_malformed"),
        ("GET", "/p/nobody/x", None, APP_TOKEN, 404, "provider_not_found"),
    ],
)
def test_errors(method: str, path: str, body: Any, token: bytes, status: int, code: str, errors: list[str]) -> None:
    async def scenario() -> None:
        async with running() as run:
            answered, headers, said = await (await run.send(method, path, body, token=token)).whole()
            assert (answered, json.loads(said)["error"]["code"]) == (status, code)
            assert headers["x-request-id"]

    asyncio.run(scenario())
    assert errors == []


def test_the_providers_own_error_passes() -> None:
    async def scenario() -> None:
        async with running() as run:
            client = await run.send("POST", CHAT, chat("x"), "x-demo: status=429, retry-after=7")
            status, headers, body = await client.whole()
            assert (status, headers["retry-after"]) == (429, "7")
            assert "error" in json.loads(body)
            assert run.journal.closed[0].error_type == "rate_limit"

    asyncio.run(scenario())


def test_a_head_request_has_no_body() -> None:
    async def scenario() -> None:
        async with running() as run:
            status, headers, _ = await (await run.send("HEAD", "/v1/files", token=b"wrong")).whole(bodiless=True)
            assert status == 401
            assert headers["x-request-id"]

    asyncio.run(scenario())


@pytest.mark.parametrize("controls", [{"stall": True}, {"stall_after": 2}, {"delay_ms": 60_000}])
def test_a_client_that_goes_away_ends_its_call_and_is_no_error(controls: dict[str, Any], errors: list[str]) -> None:
    async def scenario() -> None:
        async with running() as run:
            demo = {name.replace("_", "-"): value for name, value in controls.items()}
            client = await run.send("POST", CHAT, chat("one two three four", stream=True, demo=demo))
            await until(lambda: run.journal.opened)
            if "stall_after" in controls:
                await client.head()
                await client.chunk()
            await client.close()
            await until(lambda: run.journal.closed)
            assert (run.journal.closed[0].status_code, run.journal.closed[0].error_type) == (499, "cancelled")
            assert (run.gateway.counters.in_flight, run.gateway.counters.client_gone) == (0, 1)

    asyncio.run(scenario())
    assert errors == []


def test_a_stream_that_breaks_off_ends_with_an_error_event() -> None:
    async def scenario() -> None:
        async with running() as run:
            broken = chat("one two three four", stream=True, demo={"cut-after": 2})
            status, _, body = await (await run.send("POST", CHAT, broken)).whole()
            last = body.rstrip().rpartition(b"data: ")[2]
            assert (status, json.loads(last)["error"]["code"]) == (200, "upstream_reset")
            assert run.journal.closed[0].error_type == "network"

    asyncio.run(scenario())
