"""What is written in one turn of the loop leaves together at its end, in order, and nothing is written too late."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from gateway.proxy.outbox import FEW, Outbox
from tests.proxy.fakes import MANY, Transport


async def a_turn() -> None:
    await asyncio.sleep(0)


def test_before_the_loop_runs_everything_is_written_at_once() -> None:
    transport = Transport()
    Outbox().write(transport, b"now")
    assert transport.written == b"now"


def test_with_few_calls_in_flight_everything_is_written_at_once() -> None:
    async def scenario() -> None:
        outbox, transport = Outbox(), Transport()
        outbox.start(SimpleNamespace(in_flight=FEW))
        outbox.write(transport, b"now")
        assert transport.written == b"now"

    asyncio.run(scenario())


def test_what_waits_is_not_overtaken_when_few_calls_are_left() -> None:
    async def scenario() -> None:
        outbox, transport, load = Outbox(), Transport(), SimpleNamespace(in_flight=FEW + 1)
        outbox.start(load)
        outbox.write(transport, b"a")
        load.in_flight = 1
        outbox.write(transport, b"b")
        await a_turn()
        assert transport.written == b"ab"

    asyncio.run(scenario())


def test_what_is_written_in_one_turn_leaves_at_its_end_in_order() -> None:
    async def scenario() -> None:
        outbox, one, other = Outbox(), Transport(), Transport()
        outbox.start(MANY)
        outbox.write(one, b"a")
        outbox.write(other, b"b")
        outbox.write(one, b"c")
        assert (one.written, other.written) == (b"", b"")
        await a_turn()
        assert (one.written, other.written) == (b"ac", b"b")
        outbox.write(one, b"d")
        await a_turn()
        assert one.written == b"acd"

    asyncio.run(scenario())


def test_a_flush_writes_at_once_and_the_end_of_the_turn_nothing_more() -> None:
    async def scenario() -> None:
        outbox, transport = Outbox(), Transport()
        outbox.start(MANY)
        outbox.write(transport, b"a")
        outbox.flush()
        assert transport.written == b"a"
        await a_turn()
        assert transport.written == b"a"

    asyncio.run(scenario())


def test_what_a_write_causes_is_written_in_the_next_turn() -> None:
    class Answering(Transport):
        def write(self, data: bytes) -> None:  # type: ignore[override]
            super().write(data)
            if data == b"question":
                outbox.write(self, b" answer")

    outbox = Outbox()

    async def scenario() -> None:
        outbox.start(MANY)
        transport = Answering()
        outbox.write(transport, b"question")
        await a_turn()
        await a_turn()
        assert transport.written == b"question answer"

    asyncio.run(scenario())


def test_nothing_is_written_to_a_transport_that_was_closed_meanwhile() -> None:
    class Strict(Transport):
        def write(self, data: bytes) -> None:  # type: ignore[override]
            raise RuntimeError("uvloop's word for a write after a close")

    async def scenario() -> None:
        outbox, closed, alive = Outbox(), Strict(), Transport()
        outbox.start(MANY)
        outbox.write(closed, b"a")
        outbox.write(alive, b"b")
        closed.close()
        await a_turn()
        assert alive.written == b"b"

    asyncio.run(scenario())


def test_a_write_that_fails_ends_its_own_connection_and_no_other() -> None:
    class Broken(Transport):
        def write(self, data: bytes) -> None:  # type: ignore[override]
            raise RuntimeError("a bug in what the write calls back")

    async def scenario() -> None:
        outbox, broken, sound = Outbox(), Broken(), Transport()
        outbox.start(MANY)
        outbox.write(broken, b"a")
        outbox.write(sound, b"b")
        await a_turn()
        assert (broken.aborted, sound.written) == (True, b"b")

    asyncio.run(scenario())


def test_a_piece_of_a_stream_waits_for_nothing_but_what_was_before_it() -> None:
    async def scenario() -> None:
        outbox, transport = Outbox(), Transport()
        outbox.start(MANY)
        outbox.write_now(transport, b"a")
        assert transport.written == b"a"
        outbox.write(transport, b"b")
        outbox.write_now(transport, b"c")
        assert transport.written == b"a"
        await a_turn()
        assert transport.written == b"abc"

    asyncio.run(scenario())
