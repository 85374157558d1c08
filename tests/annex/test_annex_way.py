"""A worker's application with an annex behind it, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from gateway.annex import wire
from gateway.annex.answering import INTRODUCED, facts
from gateway.annex.way import Way, facts_for
from gateway.control.local_socket import FOLDER, address
from gateway.control.state import AppState
from gateway.site import make_app
from tests.annex.listening import PATIENCE_S, annex
from tests.api.fakes import TOKENS, FakeStore, get, make_state


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Who asks, for what, and what the worker told of its journal and its limits."""
    told = facts.get()
    line = (
        f"{scope['method']} {scope['path']}?{scope['query_string'].decode()} {scope[INTRODUCED].name} "
        f"{told.journal.opened} {len(told.standings.limits)}"
    )
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-made-by", b"annex")]})
    await send({"type": "http.response.body", "body": line.encode()})


@pytest.fixture
def state(tmp_path: Path) -> AppState:
    return make_state(FakeStore(), tmp_path)


def worker(state: AppState) -> tuple[Any, Way]:
    assert state.data is not None
    way = Way(state.data, state.sessions, lambda path: facts_for(state, path))
    return make_app(state, way), way


def run(test: Callable[[], Any]) -> Any:
    async def in_time() -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await test()

    return asyncio.run(in_time())


def test_a_place_is_answered_by_the_annex_for_whom_the_worker_names(state: AppState) -> None:
    async def ask() -> None:
        app, _ = worker(state)
        async with annex(echo, state.data):
            answer = await get(app, "/api/requests?limit=3")
            assert (answer.headers["x-made-by"], answer.text) == ("annex", "GET /api/requests?limit=3 admin 7 0")
            assert answer.headers["x-content-type-options"] == "nosniff"

    run(ask)


def test_who_may_not_is_not_asked_for(state: AppState) -> None:
    async def ask() -> None:
        app, _ = worker(state)
        async with annex(echo, state.data):
            assert (await get(app, "/api/requests", None)).status_code == 401

    run(ask)


def test_without_an_annex_the_worker_answers(state: AppState) -> None:
    async def ask() -> None:
        app, _ = worker(state)
        answer = await get(app, "/api/requests")
        assert (answer.status_code, "x-made-by" in answer.headers) == (200, False)

    run(ask)


@pytest.mark.parametrize("path", ["/api/keys", "/api/requests/inflight", "/healthz"])
def test_what_is_no_place_stays_with_the_worker(path: str, state: AppState) -> None:
    async def ask() -> None:
        app, _ = worker(state)
        async with annex(echo, state.data):
            assert "x-made-by" not in (await get(app, path)).headers

    run(ask)


def test_long_answers_arrive_whole(state: AppState) -> None:
    body = bytes(range(256)) * 1024

    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 206, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def ask() -> None:
        app, _ = worker(state)
        async with annex(long, state.data):
            answer = await get(app, "/api/requests")
            assert (answer.status_code, answer.content == body * 3) == (206, True)

    run(ask)


async def dies(scope: Scope, receive: Receive, send: Send) -> None:
    raise OSError("gone")


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/api/requests", "*/*", '"code":"log_reader_ended"'),
        ("/", "text/html", "<h1>This page was cut off</h1>"),
        ("/operations", "text/html", "<h1>This page was cut off</h1>"),
        (
            "/?period=1h&model=a%26b",
            "text/html",
            '<a class="btn" data-kind="primary" href="/?period=1h&amp;model=a%26b">',
        ),
        ("/", "application/json", '"type":"api_error"'),
    ],
)
def test_an_annex_that_ends_over_a_question_is_an_error_that_says_to_try_again(
    path: str, accept: str, expected: str, state: AppState
) -> None:
    async def ask() -> None:
        app, _ = worker(state)
        async with annex(dies, state.data):
            answer = await get(app, path, headers={"accept": accept})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert expected in answer.text
            assert "The process that reads the log ended over this question" in answer.text
            assert answer.headers["content-type"].startswith("text/html" if "<" in expected else "application/json")
            assert answer.headers["x-content-type-options"] == "nosniff"

    run(ask)


def test_an_answer_that_breaks_off_does_not_look_whole(state: AppState) -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise OSError("gone")

    async def ask() -> None:
        app, _ = worker(state)
        async with annex(half, state.data):
            with pytest.raises(EOFError):
                await get(app, "/api/requests")

    run(ask)


# ---------------------------------------------------------------------------------------- clients that are not polite


class Client:
    """One call of an ASGI application, whose answer is taken in as slowly as the test wants."""

    def __init__(self, path: str, token: str = TOKENS["admin"]) -> None:
        self.scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {token}".encode()), (b"host", b"callgate.test")],
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        self.messages: list[Message] = []
        self.gone = asyncio.Event()
        self.may_send = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.may_send.wait()
        self.messages.append(message)


def test_a_client_that_does_not_read_holds_the_annex_up(state: AppState) -> None:
    sent = 0

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                yield b"x" * wire.PIECE
                sent += 1

        await StreamingResponse(pieces())(scope, receive, send)

    async def ask() -> None:
        app, _ = worker(state)
        async with annex(endless, state.data):
            client = Client("/api/requests")
            call = asyncio.create_task(app(client.scope, client.receive, client.send))
            before = -1
            while sent == 0 or before != sent:  # until nothing moves any more
                before = sent
                await asyncio.sleep(0.05)
            assert sent < 64
            client.gone.set()  # and then it goes: what was being made for it ends
            await call

    run(ask)


def test_a_client_that_goes_is_told_to_the_application(state: AppState) -> None:
    told = asyncio.Event()

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        told.set()

    async def ask() -> None:
        app, _ = worker(state)
        async with annex(patient, state.data):
            client = Client("/api/requests")
            client.may_send.set()
            call = asyncio.create_task(app(client.scope, client.receive, client.send))
            while not client.messages:
                await asyncio.sleep(0)
            client.gone.set()
            await call
            await told.wait()

    run(ask)


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """An event, and one more whenever the loop comes round."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    gone = asyncio.create_task(disconnected(receive))
    while not gone.done():
        await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("why", ["signed out", "the worker stops"])
def test_event_streams_end_well(why: str, state: AppState) -> None:
    async def ask() -> None:
        app, way = worker(state)
        async with annex(stream, state.data):
            client = Client("/api/requests/stream")
            client.may_send.set()
            call = asyncio.create_task(app(client.scope, client.receive, client.send))
            while len(client.messages) < 3:
                await asyncio.sleep(0)
            if why == "signed out":
                state.keyring.declare([])  # the key of the listener is gone
            else:
                way.end_streams()
            await call
            assert client.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

    run(ask)


def test_what_is_no_question_is_not_answered(state: AppState) -> None:
    async def ask() -> None:
        assert state.data is not None
        async with annex(echo, state.data):
            with address(state.data / FOLDER, wire.SOCKET) as path:
                reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"\xff" * 64)
            assert await reader.read() == b""
            writer.close()

    run(ask)
