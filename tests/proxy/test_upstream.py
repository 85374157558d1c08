"""Wire bytes in, what the caller is told out."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.outbox import Outbox
from gateway.proxy.upstream import LARGEST_HEAD, UpstreamConnection
from tests.proxy.fakes import Caller, Transport

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SIZED = OK + b"content-length: 5\r\n\r\nhello"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nx-trailer: t\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"
UNFRAMED = OK + b"\r\nhello"


class Pool:
    """Where a connection goes back to."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.outbox = Outbox()

    def opened(self, connection: UpstreamConnection) -> None:
        self.events.append("opened")

    def released(self, connection: UpstreamConnection) -> None:
        self.events.append("released")

    def closed(self, connection: UpstreamConnection) -> None:
        if "closed" not in self.events:
            self.events.append("closed")


class Line:
    """A connection on a fake transport, with one call sent."""

    def __init__(self, **call: Any) -> None:
        self.pool = Pool()
        self.connection = UpstreamConnection(self.pool)  # type: ignore[arg-type]
        self.transport = Transport()
        self.connection.connection_made(self.transport)
        self.caller = self.call(**call)

    def call(self, *, complete: bool = True, head_only: bool = False) -> Caller:
        caller = Caller()
        self.connection.send(caller, b"request", complete=complete, head_only=head_only)
        return caller

    def feed(self, *pieces: bytes) -> Line:
        for piece in pieces:
            if not self.transport.is_closing():
                self.connection.data_received(piece)
        return self

    def lost(self, exc: Exception | None = None) -> Line:
        self.connection.connection_lost(exc)
        return self

    @property
    def kept(self) -> bool:
        return self.pool.events[-1] == "released"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [(SIZED, 200, b"hello"), (CHUNKED, 200, b"hello"), (INTERIM + SIZED, 200, b"hello"), (EMPTY, 204, b"")],
)
@given(places=st.lists(st.integers(0, 300), max_size=6))
def test_an_answer_comes_out_however_it_comes_in(answer: bytes, status: int, body: bytes, places: list[int]) -> None:
    line = Line().feed(*cut(answer, places))
    assert line.caller.told[0][:2] == ("started", status)
    assert line.caller.body == body
    assert [event[-1] for event in line.caller.told[1:]] == [False] * (len(line.caller.told) - 2) + [True]
    assert line.kept


@pytest.mark.parametrize("answer", [SIZED, CHUNKED, INTERIM + SIZED, EMPTY])
def test_byte_by_byte(answer: bytes) -> None:
    line = Line().feed(*(answer[i : i + 1] for i in range(len(answer))))
    assert line.caller.ended
    assert line.kept


def test_headers_are_in_lower_case_in_order_and_of_the_final_answer_alone() -> None:
    line = Line().feed(INTERIM + b"HTTP/1.1 200 OK\r\nX-B: 1\r\nx-a: \xe9\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n")
    assert line.caller.told[0] == (
        "started",
        200,
        [(b"x-b", b"1"), (b"x-a", b"\xe9"), (b"x-b", b"2"), (b"content-length", b"0")],
        True,
    )


def test_chunks_are_passed_on_as_they_come() -> None:
    line = Line().feed(OK + b"transfer-encoding: chunked\r\n\r\n")
    for text in (b"data: a\n\n", b"data: b\n\n"):
        line.feed(b"%x\r\n%b\r\n" % (len(text), text))
        assert line.caller.told[-1] == ("data", text, False)
    assert line.feed(b"0\r\n\r\n").caller.told[-1] == ("data", b"", True)


def test_one_call_after_another_on_one_connection() -> None:
    line = Line()
    for _ in range(3):
        line.feed(SIZED)
        assert (line.caller.body, line.kept, line.transport.is_closing()) == (b"hello", True, False)
        line.caller = line.call()


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
def test_a_connection_that_the_provider_ends_is_not_kept(answer: bytes) -> None:
    line = Line().feed(answer)
    assert (line.caller.body, line.caller.ended) == (b"hello", True)
    assert (line.kept, line.transport.is_closing()) == (False, True)


def test_nor_is_one_whose_request_was_not_all_sent() -> None:
    line = Line(complete=False).feed(SIZED)
    assert (line.caller.ended, line.kept, line.transport.is_closing()) == (True, False, True)


def test_the_answer_to_a_head_request_has_no_body() -> None:
    line = Line(head_only=True).feed(OK + b"content-length: 5\r\n\r\n")
    assert (line.caller.told[0][0], line.caller.ended, line.caller.body, line.kept) == ("started", True, b"", False)


def test_a_body_without_framing_ends_with_the_connection() -> None:
    line = Line().feed(UNFRAMED[:-2], UNFRAMED[-2:]).lost()
    assert (line.caller.body, line.caller.told[-1]) == (b"hello", ("data", b"", True))


@pytest.mark.parametrize("answer", [b"", SIZED[:10], SIZED[:-1], CHUNKED[:-1], CHUNKED[:-20], INTERIM])
def test_an_answer_that_is_cut_is_lost(answer: bytes) -> None:
    line = Line().feed(answer).lost()
    assert line.caller.told[-1] == ("lost", "it closed the connection", False)
    assert line.pool.events[-1] == "closed"


@pytest.mark.parametrize("answer", [b"", SIZED[:-1], UNFRAMED])
def test_an_answer_that_is_reset_is_lost(answer: bytes) -> None:
    line = Line().feed(answer).lost(ConnectionResetError("by peer"))
    assert line.caller.told[-1] == ("lost", "it reset the connection: by peer", False)


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81",
    ],
)
@given(places=st.lists(st.integers(0, 100), max_size=4))
def test_garbage_is_malformed(garbage: bytes, places: list[int]) -> None:
    line = Line().feed(*cut(garbage, places))
    assert line.caller.told[-1][::2] == ("lost", True)
    assert (line.transport.aborted, line.pool.events[-1]) == (True, "closed")


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_any_bytes_end_in_an_answer_or_in_its_loss_and_once(data: bytes, places: list[int]) -> None:
    line = Line().feed(*cut(data, places)).lost()
    assert len([event for event in line.caller.told if event[0] == "lost" or event[-1] is True]) == 1


def test_a_body_before_the_garbage_is_delivered() -> None:
    line = Line().feed(OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\nzzz\r\n")
    assert [event[0] for event in line.caller.told] == ["started", "data", "lost"]
    assert line.caller.body == b"hel"


def test_a_head_without_end_is_refused() -> None:
    line = Line().feed(OK)
    while not line.transport.is_closing():
        line.feed(b"x-padding: " + b"x" * 60_000 + b"\r\n")
    assert line.caller.told == [("lost", f"its head is larger than {LARGEST_HEAD // 1024} kB", True)]


def test_a_large_body_is_not_a_large_head() -> None:
    line = Line().feed(OK + b"content-length: 3000000\r\n\r\n", *[b"x" * 60_000] * 50)
    assert (len(line.caller.body), line.caller.ended) == (3_000_000, True)


@pytest.mark.parametrize(
    "second",
    [SIZED.replace(b"hello", b"other").replace(b"200 OK", b"500 Oh"), b"garbage", b"HTTP/1.1 200 OK\r\nx-evil: 1\r\n"],
)
@pytest.mark.parametrize("first", [SIZED, CHUNKED, EMPTY])
def test_a_second_answer_in_the_same_read_is_nobodys(first: bytes, second: bytes) -> None:
    alone = Line().feed(first)
    line = Line().feed(first + second)
    assert line.caller.told == alone.caller.told
    assert (line.kept, line.transport.is_closing()) == (False, True)


def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    line = Line().feed(SIZED).feed(SIZED)
    assert (line.caller.body, line.transport.aborted, line.pool.events[-1]) == (b"hello", True, "closed")


def test_an_abandoned_caller_hears_nothing_more() -> None:
    line = Line().feed(SIZED[:-1])
    told = list(line.caller.told)
    line.connection.abandon()
    line.lost(ConnectionResetError())
    assert (line.caller.told, line.transport.aborted) == (told, True)


def test_flow_control_goes_both_ways() -> None:
    line = Line()
    line.connection.pause_writing()
    line.connection.resume_writing()
    assert line.caller.told == [("pause",), ("resume",)]
    line.connection.pause()
    assert not line.transport.reading
    line.connection.resume()
    assert line.transport.reading
    line.feed(SIZED)
    line.connection.pause_writing()
    assert line.caller.told[-1] == ("data", b"hello", True)


def test_whether_anything_was_answered() -> None:
    line = Line()
    assert not line.connection.answering
    assert line.feed(b"H").connection.answering
    assert isinstance(line.connection, asyncio.Protocol)
