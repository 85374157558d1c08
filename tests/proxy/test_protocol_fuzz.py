"""A client's bytes, cut and damaged at will, into the protocol; what is written back must always make sense."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from gateway.proxy.connect import Connector
from gateway.proxy.gateway import Counters, Gateway
from gateway.proxy.pools import Pools
from gateway.proxy.protocol import GatewayProtocol
from gateway.proxy.upstream import Caller
from tests.proxy.fakes import APP_TOKEN, MANY, Journal, Keys, Transport, table

MARK = re.compile(rb"n=(\d+)")
FAR_S = 100_000.0


class Provider:
    """An upstream connection that answers with the request's mark, a stream where one is asked for."""

    was_idle = answering = False

    def __init__(self) -> None:
        self.sent = b""
        self.caller: Any = None

    def send(self, caller: Caller, data: bytes, *, complete: bool, head_only: bool = False) -> None:
        self.caller = caller
        self.head_only = head_only
        self.send_more(data, complete=complete)

    def send_more(self, data: bytes, *, complete: bool) -> None:
        self.sent += data
        if complete:
            asyncio.get_running_loop().call_soon(self._answer)

    def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        found = MARK.search(self.sent)
        body = found[0] if found else b"n=?"
        if self.caller is None:
            return
        if b'"stream":true' in self.sent:
            self.caller.answer_started(200, [(b"content-type", b"text/event-stream")], False)
            for data, last in ((b"data: " + body, False), (b"\n\n", False), (b"data: [DONE]\n\n", True)):
                loop.call_soon(self._data, data, last)
        else:
            self.caller.answer_started(200, [(b"content-length", b"%d" % len(body))], self.head_only)
            self.caller.answer_data(b"" if self.head_only else body, True)

    def _data(self, data: bytes, last: bool) -> None:
        if self.caller is not None:
            self.caller.answer_data(data, last)

    def abandon(self) -> None:
        self.caller = None

    def pause(self) -> None: ...

    def resume(self) -> None: ...


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Everything that is no model traffic: reads its body, takes a moment, gives the mark back."""
    body = b"n=?"
    for name, value in scope["headers"]:
        if name == b"x-n":
            body = value
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    if message["type"] == "http.disconnect":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": body})


def no_demo() -> Any:
    raise AssertionError("no test here calls the demo")


def make_gateway() -> Gateway:
    one = {"dialect": "openai", "base_url": "http://one.test/v1"}
    of = table(providers={"one": one}, default_provider="one", server={"max_body_mb": 0.1, "max_header_kb": 16})
    of.named("one", None).targets[0].upstream.pool.take = Provider  # type: ignore[method-assign,assignment]
    return Gateway(table=of, pools=Pools(Connector(), no_demo), journal=Journal(), keys=Keys(), counters=Counters())  # type: ignore[arg-type]


CONFIG = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False)
CONFIG.load()


class Conversation:
    """One connection: what was written back, and how it stands."""

    def __init__(self) -> None:
        self.gateway = make_gateway()
        self.state = ServerState()
        self.protocol = GatewayProtocol(self.gateway, CONFIG, self.state, {})
        self.transport = Transport(self.protocol)

    async def send(self, pieces: list[bytes], *, patient: bool) -> None:
        """`patient` waits for what a piece causes before the next one; either way a paused reader is respected."""
        self.gateway.outbox.start(MANY)
        self.protocol.connection_made(self.transport)
        for piece in pieces:
            if patient or not self.transport.reading:
                await self.settled()
            if self.over:
                break
            assert self.transport.reading, "reading never went on"
            self.protocol.data_received(piece)
        await self.settled()

    async def settled(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)

    @property
    def over(self) -> bool:
        return self.transport.is_closing() or self.transport.ended

    async def time_passes(self) -> None:
        """Every time limit runs out, as the gateway's sweep would find."""
        for _ in range(3):
            for timed in list(self.gateway.timed):
                timed.check(time.monotonic() + FAR_S)
            self.protocol.check(time.monotonic() + FAR_S)
            await self.settled()

    async def end(self) -> None:
        self.protocol.connection_lost(None)
        await asyncio.gather(*self.state.tasks)


@contextlib.contextmanager
def no_error_logged() -> Iterator[None]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
    assert [record.getMessage() + str(record.exc_info) for record in records] == []


def converse(pieces: list[bytes], *, patient: bool) -> Conversation:
    async def scenario() -> Conversation:
        conversation = Conversation()
        await conversation.send(pieces, patient=patient)
        written = conversation.transport.written
        was_over = conversation.over
        await conversation.time_passes()
        assert conversation.over, "neither an answer nor a close"
        await conversation.end()
        gateway = conversation.gateway
        assert gateway.counters.in_flight == 0
        journal: Any = gateway.journal
        assert sorted(call.request_id for call in journal.opened) == sorted(call.request_id for call in journal.closed)
        conversation.transport.written = written
        conversation.transport._closing = was_over
        return conversation

    with no_error_logged():
        return asyncio.run(scenario())


def answers(written: bytes, methods: list[bytes]) -> list[tuple[int, bytes]]:
    """(status, body) of each answer; fails where the bytes are not answers one after another."""
    found: list[tuple[int, bytes]] = []
    closed = False
    while written:
        head, mark, written = written.partition(b"\r\n\r\n")
        assert mark, f"a head that is cut: {head!r}"
        match = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [^\r\n]*((?:\r\n[^\r\n]+)*)", head)
        assert match, f"not a head: {head!r}"
        status = int(match[1])
        if status == 100:
            continue
        assert not closed, "written after the last answer"
        headers = dict(line.lower().split(b": ", 1) for line in match[2].split(b"\r\n") if line)
        closed = headers.get(b"connection") == b"close"
        method = methods[len(found)] if len(found) < len(methods) else b""
        body = b""
        if method == b"HEAD" or status == 204:
            pass
        elif headers.get(b"transfer-encoding") == b"chunked":
            while True:
                size, _, written = written.partition(b"\r\n")
                chunk, written = written[: int(size, 16)], written[int(size, 16) + 2 :]
                body += chunk
                if not chunk:
                    break
        else:
            size = int(headers[b"content-length"])
            body, written = written[:size], written[size:]
            assert len(body) == size, "a body that is cut"
        found.append((status, body))
    return found


def request(method: bytes, path: bytes, n: int, body: bytes | None, *lines: bytes, token: bytes = APP_TOKEN) -> bytes:
    head = [b"%b %b HTTP/1.1" % (method, path), b"host: gateway", b"x-n: n=%d" % n, b"authorization: Bearer " + token]
    length = [] if body is None else [b"content-length: %d" % len(body)]
    return b"\r\n".join([*head, *lines, *length, b"", body or b""])


def chunked(method: bytes, path: bytes, n: int, *chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return request(method, path, n, None, b"transfer-encoding: chunked") + body


CHAT, FILES, PAGE = b"/v1/chat/completions", b"/v1/files", b"/hello"
JSON = b"content-type: application/json"
BODY = b'{"model":"m","messages":[]}'

KINDS = {
    "chat": (200, lambda n: request(b"POST", CHAT, n, BODY, JSON)),
    "stream": (200, lambda n: request(b"POST", CHAT, n, BODY[:-1] + b',"stream":true}', JSON)),
    "chunked chat": (200, lambda n: chunked(b"POST", CHAT, n, BODY[:5], BODY[5:])),
    "large chat": (200, lambda n: request(b"POST", CHAT, n, BODY + b" " * 5000, JSON)),
    "too large": (413, lambda n: request(b"POST", CHAT, n, b"x" * 110_000, JSON)),
    "not json": (400, lambda n: request(b"POST", CHAT, n, b"hello", JSON)),
    "empty": (400, lambda n: request(b"POST", CHAT, n, b"", JSON)),
    "wrong key": (401, lambda n: request(b"POST", CHAT, n, BODY, JSON, token=b"wrong")),
    "list": (200, lambda n: request(b"GET", FILES, n, None)),
    "head": (200, lambda n: request(b"HEAD", FILES, n, None)),
    "head refused": (401, lambda n: request(b"HEAD", FILES, n, None, token=b"wrong")),
    "upload": (200, lambda n: request(b"POST", FILES, n, b"x" * 9000)),
    "chunked upload": (200, lambda n: chunked(b"POST", FILES, n, b"x" * 3000, b"y" * 10)),
    "page": (200, lambda n: request(b"GET", PAGE, n, None)),
    "form": (200, lambda n: request(b"POST", PAGE, n, b"a=b")),
    "page head": (200, lambda n: request(b"HEAD", PAGE, n, None)),
    "expects": (200, lambda n: request(b"POST", CHAT, n, BODY, JSON, b"expect: 100-continue")),
}
PLACES = st.lists(st.integers(0, 200_000), max_size=10)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places), *range(0, len(data), 60_000)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


def check_answers(kinds: list[str], pieces: list[bytes], *, patient: bool) -> None:
    conversation = converse(pieces, patient=patient)
    methods = [KINDS[kind][1](0).split(b" ")[0] for kind in kinds]
    found = answers(conversation.transport.written, methods)
    assert [status for status, _ in found] == [KINDS[kind][0] for kind in kinds]
    for n, (kind, method, (status, body)) in enumerate(zip(kinds, methods, found, strict=True)):
        if status != 200:
            assert (b'"error"' in body) == (method != b"HEAD")
        elif method == b"HEAD":
            assert body == b""
        else:
            expected = b"data: n=%d\n\ndata: [DONE]\n\n" if kind == "stream" else b"n=%d"
            assert body == expected % n
    assert not conversation.over


@settings(max_examples=150)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5), PLACES, st.booleans())
def test_every_request_gets_its_answer_in_order_however_the_bytes_come(
    kinds: list[str], places: list[int], patient: bool
) -> None:
    stream = b"".join(KINDS[kind][1](n) for n, kind in enumerate(kinds))
    check_answers(kinds, cut(stream, places), patient=patient)


@pytest.mark.parametrize("first", ["chat", "stream", "wrong key", "page", "chunked upload", "head refused"])
@pytest.mark.parametrize("patient", [False, True])
def test_two_requests_cut_at_every_place(first: str, patient: bool) -> None:
    stream = KINDS[first][1](0) + KINDS["chat"][1](1)
    for place in range(0, len(stream), 3):
        check_answers([first, "chat"], cut(stream, [place]), patient=patient)


@pytest.mark.parametrize("kind", ["chat", "stream", "chunked chat", "upload", "head refused"])
def test_one_request_byte_by_byte(kind: str) -> None:
    stream = KINDS[kind][1](0)
    check_answers([kind], [stream[i : i + 1] for i in range(min(len(stream), 400))] + [stream[400:]], patient=False)


@pytest.mark.parametrize("cut_in_head", range(1, 60, 4))
def test_the_rest_of_a_pipelined_head_is_not_taken_for_a_request(cut_in_head: int) -> None:
    """Twice the same pieces: what was remembered of the first time must not be found the second time."""
    one, two = KINDS["wrong key"][1](0), KINDS["chat"][1](1)
    pieces = [one + two[:cut_in_head], two[cut_in_head:]]
    again = [one + two[:cut_in_head], two[cut_in_head:], KINDS["chat"][1](4)]
    conversation = converse(pieces + again, patient=True)
    found = answers(conversation.transport.written, [])
    assert [(status, body if status == 200 else b"") for status, body in found] == [
        (401, b""), (200, b"n=1"), (401, b""), (200, b"n=1"), (200, b"n=4"),
    ]  # fmt: skip


SMUGGLING = [
    b"content-length: 3\r\ncontent-length: 4",
    b"content-length: 3\r\ncontent-length: 3",
    b"content-length: 3\r\ntransfer-encoding: chunked",
    b"transfer-encoding: chunked\r\ncontent-length: 3",
    b"transfer-encoding: gzip, chunked\r\ncontent-length: 3",
    b"content-length: +3",
    b"content-length: 3, 3",
    b"content-length: 0x3",
    b"content-length: -1",
    b"content-length: 99999999999999999999999",
    b"content-length:",
    b"content-length : 3",
]


@pytest.mark.parametrize("lines", SMUGGLING)
@pytest.mark.parametrize("place", [0, 40, 70, 120])
def test_a_request_of_two_minds_about_its_length_is_refused_and_the_connection_ends(lines: bytes, place: int) -> None:
    evil = b"POST %b HTTP/1.1\r\nhost: g\r\nauthorization: Bearer %b\r\n%b\r\n\r\n{}\n" % (CHAT, APP_TOKEN, lines)
    for before in ([], ["chat"], ["page"], ["stream"]):
        stream = b"".join(KINDS[kind][1](n) for n, kind in enumerate(before))
        pieces = [*cut(stream, []), *cut(evil + KINDS["chat"][1](9), [place])]
        for sent, patient in ((pieces, True), (pieces, False), ([b"".join(pieces)], False)):
            conversation = converse(sent, patient=patient)
            found = answers(conversation.transport.written, [])
            assert [status for status, _ in found] == [200] * len(before) + [400]
            assert conversation.over
            assert not any(lines + b"\r\n" in head + b"\r\n" for head in conversation.gateway.heads._known)


DAMAGE = st.sampled_from(
    [
        b"", b"%s", b"HTTP/1.0", b"x" * 20_000, b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b":", b"\xff", b"9",
        b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"upgrade: h2c\r\nconnection: upgrade\r\n", b"connection: close\r\n",
    ]
)  # fmt: skip
PLAIN_KINDS = sorted(kind for kind in KINDS if "head" not in kind)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(PLAIN_KINDS), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 12), DAMAGE), min_size=1, max_size=3),
    PLACES,
    st.booleans(),
)
def test_damaged_requests_get_whole_answers_or_a_close(
    kinds: list[str], damages: list[tuple[int, int, bytes]], places: list[int], patient: bool
) -> None:
    stream = b"".join(KINDS[kind][1](n) for n, kind in enumerate(kinds))
    inserted = 0
    for at, skipped, damage in damages:
        inserted += damage.startswith(b"GET") + (b"\n" in damage)
        stream = stream[:at] + damage + stream[at + skipped :]
    conversation = converse(cut(stream, places), patient=patient)
    if conversation.transport.aborted:
        return
    found = answers(conversation.transport.written, [])
    assert len(found) <= len(kinds) + inserted + 1


@settings(max_examples=200)
@given(st.binary(max_size=200), PLACES)
def test_any_bytes_at_all(data: bytes, places: list[int]) -> None:
    conversation = converse(cut(data, places), patient=False)
    assert [status for status, _ in answers(conversation.transport.written, [])] in ([], [400])


@pytest.mark.parametrize("rest", [0, 10, 26])
def test_a_pipelined_request_whose_body_never_comes_runs_out_of_time(rest: int) -> None:
    whole = KINDS["chat"][1](0)
    conversation = converse([whole + whole[: len(whole) - len(BODY) + rest]], patient=False)
    assert [status for status, _ in answers(conversation.transport.written, [])] == [200]


def test_a_body_that_the_app_waits_for_runs_out_of_time_too() -> None:
    whole = KINDS["form"][1](0)
    for sent in ([whole[:-1]], [whole[:-3]], [KINDS["page"][1](0) + whole[:-1]]):
        converse(sent, patient=False)
