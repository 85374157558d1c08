"""Connections to one origin: how many, to whom, and for how long. Over loopback sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from gateway.proxy.connect import Connector, Origin
from gateway.proxy.outbox import Outbox
from gateway.proxy.pool import IDLE_S, Pool
from gateway.proxy.upstream import UpstreamConnection
from tests.proxy.fakes import Caller

PATIENCE_S = 10.0


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


class Server:
    """Answers every line it gets with `ok`."""

    def __init__(self) -> None:
        self.accepted = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            while await reader.readline():
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()


@contextlib.asynccontextmanager
async def pooled(limit: int, connector: Any = None) -> AsyncIterator[tuple[Pool, Server]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    pool = Pool(
        Origin("127.0.0.1", listening.sockets[0].getsockname()[1], False), connector or Connector(), limit, Outbox()
    )
    try:
        yield pool, server
    finally:
        pool.close()
        for connection in list(pool._open):
            connection.abandon()
        listening.close()
        for writer in server.writers:
            with contextlib.suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()


async def connected(pool: Pool) -> Caller:
    caller = Caller()
    pool.wait(caller)
    await until(lambda: caller.told)
    return caller


def connection_of(caller: Caller) -> UpstreamConnection:
    assert caller.connection is not None
    return caller.connection


async def called(caller: Caller) -> None:
    """One call on the caller's connection, which is then free."""
    connection_of(caller).send(caller, b"call\n", complete=True)
    await until(lambda: caller.ended)


def test_a_connection_is_used_again() -> None:
    async def scenario() -> None:
        async with pooled(5) as (pool, server):
            assert pool.take() is None
            caller = await connected(pool)
            await called(caller)
            for _ in range(3):
                again = pool.take()
                assert again is caller.connection
                assert pool.take() is None
                caller.told.clear()
                await called(caller)
            assert (server.accepted, pool.connections) == (1, 1)

    asyncio.run(scenario())


def test_the_one_used_last_is_used_next() -> None:
    async def scenario() -> None:
        async with pooled(5) as (pool, _):
            callers = [Caller() for _ in range(3)]
            for caller in callers:
                pool.wait(caller)
            await until(lambda: all(caller.told for caller in callers))
            for caller in callers:
                await called(caller)
            assert [pool.take() for _ in range(4)] == [*(caller.connection for caller in reversed(callers)), None]

    asyncio.run(scenario())


def test_no_more_than_the_limit_and_the_others_wait_in_line() -> None:
    async def scenario() -> None:
        async with pooled(2) as (pool, server):
            callers = [Caller() for _ in range(5)]
            for caller in callers:
                pool.wait(caller)
            await until(lambda: callers[0].told and callers[1].told)
            assert [bool(caller.told) for caller in callers] == [True, True, False, False, False]
            for at, caller in enumerate(callers):
                await until(lambda caller=caller: caller.told)
                assert not any(later.told for later in callers[at + 2 :])
                await called(caller)
            assert (server.accepted, pool.connections) == (2, 2)

    asyncio.run(scenario())


def test_a_connection_that_ends_makes_room_for_the_next_in_line() -> None:
    async def scenario() -> None:
        async with pooled(1) as (pool, server):
            first, second = await connected(pool), Caller()
            pool.wait(second)
            connection_of(first).abandon()
            await until(lambda: second.told)
            assert second.connection is not first.connection
            assert (server.accepted, pool.connections) == (2, 1)

    asyncio.run(scenario())


def test_who_gave_up_is_not_served() -> None:
    async def scenario() -> None:
        async with pooled(1) as (pool, _):
            first, second, third = await connected(pool), Caller(), Caller()
            pool.wait(second)
            pool.wait(third)
            pool.forget(second)
            pool.forget(second)
            await called(first)
            await until(lambda: third.told)
            assert second.told == []

    asyncio.run(scenario())


def test_a_connection_that_nobody_waits_for_any_more_is_kept_for_the_next() -> None:
    async def scenario() -> None:
        async with pooled(1) as (pool, _):
            caller = Caller()
            pool.wait(caller)
            pool.forget(caller)
            await until(lambda: pool.connections)
            assert pool.take() is not None
            assert caller.told == []

    asyncio.run(scenario())


def test_what_the_provider_closed_is_not_handed_out() -> None:
    async def scenario() -> None:
        async with pooled(5) as (pool, server):
            await called(await connected(pool))
            server.writers[0].close()
            await until(lambda: not pool.connections)
            assert pool.take() is None

    asyncio.run(scenario())


def test_what_is_idle_for_too_long_is_closed_and_the_rest_is_not() -> None:
    async def scenario() -> None:
        async with pooled(5) as (pool, _):
            old, young = await connected(pool), await connected(pool)
            await called(old)
            await called(young)
            now = time.monotonic()
            connection_of(old).idle_since, connection_of(young).idle_since = now - IDLE_S - 1, now - IDLE_S + 30
            pool.sweep(now)
            assert (pool.connections, pool.take(), pool.take()) == (1, young.connection, None)

    asyncio.run(scenario())


def test_closing_ends_what_is_idle_and_leaves_what_is_in_use() -> None:
    async def scenario() -> None:
        async with pooled(5) as (pool, _):
            busy, idle = await connected(pool), await connected(pool)
            await called(idle)
            pool.close()
            assert (pool.connections, connection_of(busy).transport.is_closing()) == (1, False)
            await called(busy)

    asyncio.run(scenario())


def test_callers_are_told_that_nobody_listens() -> None:
    async def scenario() -> None:
        async with pooled(5) as (pool, _):
            nobody = await asyncio.start_server(Server().serve, "127.0.0.1", 0)
            port = nobody.sockets[0].getsockname()[1]
            nobody.close()
            pool.origin = Origin("127.0.0.1", port, False)
            caller = await connected(pool)
            assert caller.told[0][0] == "failed"
            assert isinstance(caller.told[0][1], ConnectionRefusedError)

    asyncio.run(scenario())


class Failing:
    """A connector whose attempts fail, each when it is told to."""

    def __init__(self) -> None:
        self.attempts: list[asyncio.Future[None]] = []

    async def connect(self, origin: Origin, factory: Callable[[], asyncio.Protocol]) -> None:
        self.attempts.append(asyncio.get_running_loop().create_future())
        await self.attempts[-1]


def test_those_that_the_limit_keeps_waiting_get_attempts_of_their_own() -> None:
    async def scenario() -> None:
        failing = Failing()
        async with pooled(1, failing) as (pool, _):
            callers = [Caller() for _ in range(3)]
            for caller in callers:
                pool.wait(caller)
            for at, caller in enumerate(callers):
                await until(lambda at=at: len(failing.attempts) == at + 1)
                failing.attempts[at].set_exception(OSError("no route"))
                await until(lambda caller=caller: caller.told)
            assert [str(caller.told[0][1]) for caller in callers] == ["no route"] * 3

    asyncio.run(scenario())


def test_after_closing_no_attempt_is_made() -> None:
    async def scenario() -> None:
        failing = Failing()
        async with pooled(1, failing) as (pool, _):
            for _ in range(2):
                pool.wait(Caller())
            await until(lambda: failing.attempts)
            pool.close()
            await until(lambda: not pool._connecting)
            assert len(failing.attempts) == 1

    asyncio.run(scenario())


def test_an_attempt_that_hangs_does_not_stand_in_for_another() -> None:
    async def scenario() -> None:
        failing = Failing()
        async with pooled(5, failing) as (pool, _):
            first, second = Caller(), Caller()
            pool.wait(first)
            await until(lambda: len(failing.attempts) == 1)
            pool.forget(first)
            pool.wait(second)
            await until(lambda: len(failing.attempts) == 2)

    asyncio.run(scenario())
