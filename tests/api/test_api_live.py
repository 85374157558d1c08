"""The live tail over real sockets: what arrives, when it ends, and what a client that does not read does to others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from gateway.api.live import LiveTail, live_tail
from gateway.settings import ApiKey
from gateway.store.base import SpanFilter
from tests.api.fakes import KEYS, NOW, TOKENS, FakeStore, ask, make_app, make_state, span

Talk = Callable[[Starlette, int], Awaitable[None]]


class Events:
    """A client of the live tail: the events and comments it gets, one after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""

    async def next(self, kind: str = "request") -> dict[str, Any]:
        """The next event of this kind: its id and data; comments and other events are passed over."""
        while True:
            block = (await self.reader.readuntil(b"\n\n")).decode()
            lines = [line.partition(": ") for line in block.splitlines()]
            fields = {name: value for name, _, value in lines if name}
            if fields.get("event") == kind:
                return {"id": fields.get("id"), **json.loads(fields["data"])}

    async def comment(self, text: bytes) -> None:
        await self.reader.readuntil(b": " + text + b"\n\n")

    async def end(self) -> bytes:
        """What comes until the stream ends."""
        return await self.reader.readuntil(b"0\r\n\r\n")


@contextlib.asynccontextmanager
async def listening(port: int, query: str = "", key: str = "admin", last: int | None = None) -> AsyncIterator[Events]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    again = "" if last is None else f"last-event-id: {last}\r\n"
    head = f"GET /api/requests/stream{query} HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKENS[key]}\r\n{again}\r\n"
    writer.write(head.encode())
    events = Events(reader, writer)
    events.head = await reader.readuntil(b"\r\n\r\n")
    try:
        yield events
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def serve(store: FakeStore, folder: Path, talk: Talk, **tail: Any) -> None:
    """The application on a port of its own, with a fast tail, for as long as `talk` talks."""

    async def run() -> None:
        app = make_app(make_state(store, folder))
        app.state.live_tail = LiveTail(store, **{"interval_s": 0.01, **tail})
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=5))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await until(lambda: server.started)
            async with asyncio.timeout(20):
                await talk(app, listener.getsockname()[1])
        finally:
            live_tail(app).close()
            server.should_exit = True
            await serving

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore([span(1, NOW), span(2, NOW)])


def test_new_rows_arrive_in_order_and_old_ones_do_not(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        async with listening(port) as events:
            assert b"text/event-stream" in events.head
            await events.comment(b"connected")
            store.add(span(3, NOW - 10**9), span(4, NOW))  # the first began long ago, and is new all the same
            first, second = await events.next(), await events.next()
            assert [first["request_id"], second["request_id"]] == [row.request_id for row in store.rows[2:]]
            assert (first["id"], second["id"]) == ("3", "4")

    serve(store, tmp_path, talk)


def test_filters_and_scopes_hold(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        async with (
            listening(port, "?model=a&period=1h") as by_model,
            listening(port, key="acme") as by_tenant,
            listening(port, key="app") as by_key,
        ):
            for events in (by_model, by_tenant, by_key):
                await events.comment(b"connected")
            store.add(span(3, NOW, model="b"), span(4, NOW, model="a"), span(5, NOW, tenant="acme"))
            store.add(span(6, NOW, tenant="acme", key_id="config:app"), span(7, NOW, tenant="globex"))
            assert (await by_model.next())["id"] == "4"
            assert [(await by_tenant.next())["id"], (await by_tenant.next())["id"]] == ["5", "6"]
            assert (await by_key.next())["id"] == "6"

    serve(store, tmp_path, talk)


def test_who_comes_back_misses_nothing(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        store.add(span(3, NOW), span(4, NOW))
        async with listening(port, last=2) as events:
            assert [(await events.next())["id"], (await events.next())["id"]] == ["3", "4"]
            store.add(span(5, NOW))
            assert (await events.next())["id"] == "5"

    serve(store, tmp_path, talk)


def test_who_missed_too_much_is_told_of_the_gap(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        store.add(*(span(number, NOW) for number in range(3, 1503)))
        async with listening(port, last=1) as events:
            await events.next("gap")
            store.add(span(2000, NOW))
            assert (await events.next())["id"] == str(len(store.rows))

    serve(store, tmp_path, talk)


def test_one_poll_serves_all_and_only_while_someone_listens(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        tail = live_tail(app)
        assert (tail.polling, store.asked["tail"]) == (False, 0)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(5):
                events = await stack.enter_async_context(listening(port))
                await events.comment(b"connected")
            assert (tail.listeners, tail.polling) == (5, True)
            before = store.asked["tail"]
            store.add(span(3, NOW))
            assert (await events.next())["id"] == "3"
            assert store.asked["tail"] - before < 20
        await until(lambda: tail.listeners == 0)
        assert not tail.polling

    serve(store, tmp_path, talk)


def test_heartbeats(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        async with listening(port) as events:
            await events.comment(b"still here")
            await events.comment(b"still here")

    serve(store, tmp_path, talk, heartbeat_s=0.02)


def test_a_client_that_does_not_read_is_let_go_and_the_others_do_not_wait(store: FakeStore, tmp_path: Path) -> None:
    long = "x" * 200_000

    async def talk(app: Starlette, port: int) -> None:
        tail = live_tail(app)
        slow = socket.create_connection(("127.0.0.1", port))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET /api/requests/stream HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKENS['admin']}\r\n\r\n".encode())
        await until(lambda: tail.listeners == 1)
        async with listening(port) as quick:
            await quick.comment(b"connected")
            for number in range(3, 103):
                store.add(span(number, NOW, output_preview=long))
                assert (await quick.next())["id"] == str(number)
            await until(lambda: tail.listeners == 1)
            store.add(span(200, NOW))
            assert (await quick.next())["id"] == "103"
        slow.close()

    serve(store, tmp_path, talk, queue=10, stalled_s=0.2)


def test_a_revoked_key_stops_reading(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        async with listening(port, key="viewer") as events:
            await events.comment(b"connected")
            app.state.callgate.keyring.declare([key for key in KEYS if key.name != "viewer"])
            store.add(span(3, NOW, tags={"secret": "x"}))
            assert b"secret" not in await events.end()

    serve(store, tmp_path, talk, heartbeat_s=0.02)


def test_closing_ends_every_stream(store: FakeStore, tmp_path: Path) -> None:
    async def talk(app: Starlette, port: int) -> None:
        async with listening(port) as events:
            await events.comment(b"connected")
            live_tail(app).close()
            await events.end()

    serve(store, tmp_path, talk)


def test_a_store_that_fails_for_a_while_loses_no_row(
    store: FakeStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(app: Starlette, port: int) -> None:
        async with listening(port) as events:
            await events.comment(b"connected")
            store.broken = "locked"
            store.add(span(3, NOW))
            asked = store.asked["tail"]
            await until(lambda: store.asked["tail"] > asked + 2)
            store.broken = None
            assert (await events.next())["id"] == "3"

    serve(store, tmp_path, talk)


def test_a_flood_jumps_to_now_and_says_so(store: FakeStore, tmp_path: Path) -> None:
    async def flood() -> None:
        tail = LiveTail(store, interval_s=0, batch=2)
        async with tail.listening(SpanFilter()) as listener:
            store.add(*(span(number, NOW) for number in range(3, 103)))
            marks: list[int] = []
            while not listener.missed:
                marks += [row.mark for row in await listener.next()]
            assert marks == list(range(3, 3 + len(marks)))
            store.add(span(500, NOW))
            listener.missed = False
            while not (rows := await listener.next()):
                pass
            assert [row.mark for row in rows] == [len(store.rows)]

    asyncio.run(flood())


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "²"])
def test_a_strange_last_event_id(last: str, store: FakeStore, tmp_path: Path) -> None:
    app = make_app(make_state(store, tmp_path))
    headers = {"last-event-id": last.encode("latin-1")}
    assert ask(app, "/api/requests/stream", headers=headers).json()["error"]["param"] == "last-event-id"  # type: ignore[arg-type]


def test_there_is_a_most_of_listeners(store: FakeStore, tmp_path: Path) -> None:
    app = make_app(make_state(store, tmp_path))
    app.state.live_tail = LiveTail(store, most_listeners=0)
    answer = ask(app, "/api/requests/stream")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too_many_listeners")


def test_a_stranger_hears_nothing(store: FakeStore, tmp_path: Path) -> None:
    app = make_app(make_state(store, tmp_path, keys=[ApiKey(name="other", key="cg-other-other-other")]))
    assert ask(app, "/api/requests/stream").status_code == 401
    assert ask(app, "/api/requests/stream", None).status_code == 401
