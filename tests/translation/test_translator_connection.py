"""The translator's side of a connection, and the loading of litellm, without litellm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from gateway.translation import Backend, Engine, Translator, connection
from gateway.translation.engine import Bridge, Reply, Request

BACKEND = Backend(name="claude", dialect="anthropic", base_url="http://nowhere.invalid", aws_secret_access_key="secret")
ASK = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-1\r\nx-other: 1\r\n"
    b"content-length: 2\r\n\r\n{}"
)


class Scripted(Engine):
    """Answers by a function; `imports` says how often it was loaded."""

    def __init__(self, script: Callable[[Request], Coroutine[Any, Any, Reply]], fails: type[Exception] | None = None):
        super().__init__()
        self.answer = script
        self.imports = 0
        self.fails = fails

    def _import(self) -> Bridge:
        self.imports += 1
        if self.fails is not None:
            raise self.fails("no such module")
        return self


def ask(engine: Engine, times: int = 1) -> list[bytes]:
    async def talk() -> list[bytes]:
        translator = Translator(engine)

        async def one() -> bytes:
            reader, writer = await asyncio.open_connection(sock=translator.connect(BACKEND))
            writer.write(ASK)
            head = await reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head:
                body = await reader.readuntil(b"0\r\n\r\n")
            else:
                body = await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
            writer.close()
            return head + body

        return list(await asyncio.gather(*(one() for _ in range(times))))

    return asyncio.run(talk())


async def plain(request: Request) -> Reply:
    assert (request.key, request.dialect.name, request.body) == ("sk-1", "openai.chat", b"{}")
    return Reply(200, [(b"content-type", b"application/json")], b"[1]")


def test_litellm_is_loaded_once_however_many_wait_for_it() -> None:
    engine = Scripted(plain)
    assert engine.state.state == "not loaded"
    answers = ask(engine, times=5)
    assert (engine.imports, engine.state.state) == (1, "loaded")
    assert answers == [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n[1]"] * 5


def test_without_litellm_it_says_what_to_install() -> None:
    engine = Scripted(plain, ImportError)
    (answer,) = ask(engine)
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert b"pip install litellm" in answer
    assert engine.state.state == "missing"


def test_a_stream_is_chunked() -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        yield b""
        yield b"data: 2\n\n"

    async def streamed(_: Request) -> Reply:
        return Reply(200, [], stream())

    (answer,) = ask(Scripted(streamed))
    assert answer.endswith(b"\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n")


def received(stream: AsyncIterator[bytes], heard: asyncio.Event | None = None) -> list[bytes]:
    """What the gateway gets of a stream, piece by piece; `heard` is set with the first."""

    async def streamed(_: Request) -> Reply:
        return Reply(200, [], stream)

    async def talk() -> list[bytes]:
        loop, pieces = asyncio.get_running_loop(), list[bytes]()
        with Translator(Scripted(streamed)).connect(BACKEND) as ours:
            await loop.sock_sendall(ours, ASK)
            while not b"".join(pieces).endswith(b"\r\n0\r\n\r\n"):
                pieces.append(await loop.sock_recv(ours, 65536))
                if heard is not None and b"data: 1" in pieces[-1]:
                    heard.set()
        return pieces

    return asyncio.run(talk())


def test_what_comes_at_once_is_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TURN_S", 60)

    async def stream() -> AsyncIterator[bytes]:
        for number in b"123":
            yield b"data: %c\n\n" % number

    assert received(stream())[-1].count(b"data: ") == 3


def test_no_piece_waits_for_the_next() -> None:
    heard = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await heard.wait()
        yield b"data: 2\n\n"

    assert b"data: 2" in received(stream(), heard)[-1]


def test_a_stream_that_takes_long_to_translate_lets_others_have_their_turn() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for number in b"123":
            until = time.monotonic() + 2 * connection.TURN_S
            while time.monotonic() < until:
                pass
            yield b"data: %c\n\n" % number

    assert len([piece for piece in received(stream()) if b"data: " in piece]) > 1


@pytest.mark.parametrize("streams", [False, True])
def test_a_client_that_leaves_cancels_the_call(streams: bool) -> None:
    async def leave() -> None:
        began, ended = asyncio.Event(), asyncio.Event()

        async def forever() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def endless() -> AsyncIterator[bytes]:
            yield b"data: 1\n\n"
            await forever()

        async def script(_: Request) -> Reply:
            if not streams:
                await forever()
            return Reply(200, [], endless())

        _, writer = await asyncio.open_connection(sock=Translator(Scripted(script)).connect(BACKEND))
        writer.write(ASK)
        await asyncio.wait_for(began.wait(), 5)
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(leave())


def test_nothing_of_a_backend_is_shown() -> None:
    assert "secret" not in repr(BACKEND)
    assert repr(BACKEND) == "Backend(claude, anthropic)"
