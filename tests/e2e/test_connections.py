"""What connections can do beside carrying one call after the other: each answered as HTTP/1.1 says (RFC 9112)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.harness import ADMIN_KEY, APP_KEY, UPSTREAM_KEY, Gateway, wait_for
from tests.e2e.upstream import Upstream, completes, completion, event, events
from tests.e2e.wire import Message, Wire, answer, get, post, stream_head

CHAT = "/v1/chat/completions"
AUTH = f"authorization: Bearer {APP_KEY}"
DONE = b"data: [DONE]\n\n"


def chat(text: str, *headers: str, model: str = "raw/m-1", **more: Any) -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return post(CHAT, body, AUTH, *headers)


def says_back(wire: Wire, request: Message) -> None:
    """Answers with the user's text."""
    wire.send(answer(completion(request.json()["messages"][-1]["content"])))


def said(message: Message) -> str:
    return str(message.json()["choices"][0]["message"]["content"])


# -- many on one connection


@pytest.mark.parametrize("number", [2, 10])
def test_pipelined_calls_are_answered_in_order(number: int, gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    with gateway.connect() as wire:
        wire.send(b"".join(chat(f"number {n}") for n in range(number)))
        assert [said(wire.message()) for _ in range(number)] == [f"number {n}" for n in range(number)]


def test_pipelined_calls_and_api_requests_mixed(gateway: Gateway, upstream: Upstream) -> None:
    """The model paths are the protocol's own, the others the application's: their answers must not overtake."""
    upstream.script = says_back
    api = get("/api/requests?limit=1", f"authorization: Bearer {ADMIN_KEY}")
    with gateway.connect() as wire:
        wire.send(
            chat("one") + get("/healthz") + chat("two") + api + api + chat("three", model="demo/echo") + get("/healthz")
        )
        answers = [wire.message() for _ in range(7)]
    assert [a.status for a in answers] == [200] * 7
    assert [said(answers[n]) for n in (0, 2, 5)] == ["one", "two", "three"]
    assert all("items" in answers[n].json() for n in (3, 4))


def test_a_stream_then_another_call_on_the_same_connection(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    with gateway.connect() as wire:
        for _ in range(2):
            wire.send(chat("Hi", stream=True))
            assert wire.message().body.endswith(DONE)
        wire.send(chat("Hi"))
        assert said(wire.message()) == "Hello there"


def test_an_error_leaves_the_connection_usable(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    with gateway.connect() as wire:
        wire.send(post(CHAT, b"{", AUTH) + post(CHAT, b"{}") + chat("still here"))
        assert [wire.message().status for _ in range(2)] == [400, 401]
        assert said(wire.message()) == "still here"


def test_connection_close_is_honoured(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    with gateway.connect() as wire:
        wire.send(chat("bye", "connection: close"))
        assert said(wire.message()) == "bye"
        assert wire.closed_by_peer()


def test_http_1_0(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    with gateway.connect() as wire:
        wire.send(chat("Hi", stream=True).replace(b" HTTP/1.1", b" HTTP/1.0", 1))
        given = wire.head()
        assert given.header("transfer-encoding") is None, "HTTP/1.0 knows no chunks"
        assert wire.rest().endswith(DONE)


def test_a_body_in_chunks_and_one_byte_at_a_time(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    whole = chat("in pieces")
    head, _, body = whole.partition(b"\r\n\r\n")
    with gateway.connect() as wire:
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
        wire.send(b"\r\n".join([*lines, b"transfer-encoding: chunked\r\n\r\n"]))
        wire.chunk(*(body[at : at + 1] for at in range(len(body))))
        wire.send(b"0\r\nx-trailer: ignored\r\n\r\n")
        assert said(wire.message()) == "in pieces"
        wire.send(*(whole[at : at + 1] for at in range(len(whole))))
        assert said(wire.message()) == "in pieces"


def test_expect_100_continue(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    head, _, body = chat("after the go-ahead", "expect: 100-continue").partition(b"\r\n\r\n")
    with gateway.connect() as wire:
        wire.send(head + b"\r\n\r\n")
        assert wire.head().first == "HTTP/1.1 100 Continue"
        wire.send(body)
        assert said(wire.message()) == "after the go-ahead"
    assert upstream.request().header("expect") is None


def test_expect_is_answered_with_the_error_where_there_is_one(gateway: Gateway) -> None:
    """Without the body having been sent: what `Expect` is for."""
    with gateway.connect() as wire:
        wire.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 50\r\n\r\n".encode())
        assert wire.message().status == 401


def test_a_client_that_half_closes_gets_its_answer(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    with gateway.connect() as wire:
        wire.send(chat("last words"))
        wire.half_close()
        assert said(wire.message()) == "last words"
        assert wire.closed_by_peer()


# -- headers


def test_which_headers_pass(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = lambda wire, request: wire.send(
        answer(
            completion(),
            "x-kept: 1",
            "set-cookie: a=b",
            "connection: keep-alive, x-hop",
            "x-hop: 2",
            "keep-alive: timeout=5",
        )
    )
    sent_headers = [
        "x-kept: 1",
        "cookie: a=b",
        "connection: keep-alive, x-hop",
        "x-hop: 2",
        "te: trailers",
        "x-request-id: mine",
    ]
    answer_ = gateway.exchange(chat("Hi", *sent_headers, "openai-beta: x=1", "user-agent: tests"))
    sent = upstream.request()
    assert {name: sent.header(name) for name in ("x-kept", "openai-beta", "user-agent", "authorization")} == {
        "x-kept": "1",
        "openai-beta": "x=1",
        "user-agent": "tests",
        "authorization": f"Bearer {UPSTREAM_KEY}",
    }
    assert [name for name in ("cookie", "x-hop", "te", "x-request-id") if sent.header(name)] == []
    assert sent.header("host") == f"127.0.0.1:{upstream.port}"
    assert APP_KEY.encode() not in sent.head + sent.body
    assert answer_.header("x-kept") == "1"
    assert [name for name in ("set-cookie", "x-hop", "keep-alive") if answer_.header(name)] == []
    row = gateway.row_of(answer_)
    assert row["client_request_id"] == "mine"
    assert APP_KEY not in json.dumps(row)


def test_the_gateways_own_headers_and_the_row_agree(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    given = gateway.chat("raw/m-1", "Hi", "x-callgate-tags: team=blue", metadata={"userId": "u-1", "job": "nightly"})
    assert (given.header("x-callgate-provider"), given.header("x-callgate-attempts")) == ("raw", "1")
    row = gateway.row_of(given)
    assert given.header("x-callgate-cost-usd") == "0.000017"  # 9 in at $1/M, 4 out at $2/M
    assert row["cost_nanousd"] == 17_000
    assert (row["tenant"], row["environment"], row["user"]) == ("acme", "test", "u-1")
    bound = {"tenantSlug": "acme", "environment": "test", "feature": "tests"}
    assert row["tags"] == {"team": "blue", "userId": "u-1", "job": "nightly", **bound}
    assert (row["model_requested"], row["model"], row["provider"]) == ("raw/m-1", "m-1-2026", "raw")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (9, 4, "reported")
    assert row["response_text"] == "Hello there"
    assert upstream.request().json() == {"model": "m-1", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_client_that_half_closes_within_a_stream_gets_the_rest(gateway: Gateway, upstream: Upstream) -> None:
    half_closed = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        assert half_closed.wait(10)
        wire.chunk(*events(" there"), DONE)
        wire.send(b"0\r\n\r\n")

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(chat("Hi", stream=True, stream_options={"include_usage": True}))
        given = wire.head()
        wire.next_chunk()
        wire.half_close()
        half_closed.set()
        rest = b""
        while chunk := wire.next_chunk():
            rest += chunk
    assert rest == b"".join(events(" there")) + DONE
    assert gateway.row_of(given)["error_type"] is None


# -- clients that go away, and slow ones


def talks_on(wire: Wire, closed: threading.Event) -> None:
    try:
        while True:
            wire.chunk(event(" there"))
            time.sleep(0.01)  # the pace of a model
    except OSError:
        closed.set()


def thinks(wire: Wire, closed: threading.Event) -> None:
    """Says nothing for a while, so that nothing is written to the client that it could refuse."""
    wire.closed_by_peer()
    closed.set()


@pytest.mark.parametrize("provider", [talks_on, thinks])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_away_ends_the_call_upstream_at_once(
    how: str, provider: Callable[[Wire, threading.Event], None], gateway: Gateway, upstream: Upstream
) -> None:
    closed = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        provider(wire, closed)

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(chat("Hi", stream=True))
        given = wire.head()
        assert wire.next_chunk().startswith(b"data: ")
        getattr(wire, how)()
    assert closed.wait(2), "the upstream connection is closed"
    row = gateway.row_of(given)
    assert (row["status_code"], row["error_type"], row["finish_reason"]) == (499, "cancelled", None)
    assert row["usage_source"] in ("estimated", "none")
    assert (row["output_tokens"] is None) == (row["usage_source"] == "none")


def test_a_client_that_goes_away_before_the_answer(gateway: Gateway, upstream: Upstream) -> None:
    closed = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.closed_by_peer()
        closed.set()

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(chat("Hi", "x-callgate-tags: gone=before"))
        upstream.request()
        wire.reset()
    assert closed.wait(2)
    rows = wait_for(lambda: gateway.rows("tag.gone=before"), "the cancelled call is in the log")
    assert [(row["status_code"], row["error_type"]) for row in rows] == [(499, "cancelled")]


def test_the_answer_is_drained_for_its_bill_where_the_provider_says_so(gateway: Gateway, upstream: Upstream) -> None:
    gone = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        assert gone.wait(10)
        wire.chunk(*events(" there"), DONE)
        wire.send(b"0\r\n\r\n")

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(chat("Hi", model="draining/m-1", stream=True))
        given = wire.head()
        wire.next_chunk()
        wire.reset()
    wait_for(lambda: gateway.get("/readyz")[0] == 200, "the gateway has seen it go")
    gone.set()
    row = gateway.row_of(given)
    assert (row["status_code"], row["error_type"]) == (499, "cancelled")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (9, 4, "reported")
    assert row["cost_nanousd"] == 17_000


def test_a_slow_client_slows_the_provider_and_no_buffer_grows(gateway: Gateway, upstream: Upstream) -> None:
    size = 64 * 1024 * 1024
    piece = b"data: " + b"x" * 65_528 + b"\n\n"
    sent = 0
    stopped = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        nonlocal sent
        wire.send(stream_head())
        wire.sock.settimeout(1)
        try:
            while sent < size:
                wire.chunk(piece)
                sent += len(piece)
        except TimeoutError:
            stopped.set()

    upstream.script = script
    before = gateway.memory_mb()
    with gateway.connect() as wire:
        wire.send(chat("Hi", stream=True))
        assert wire.head().status == 200
        assert stopped.wait(30), "the provider could not send on while the client did not read"
        assert sent < size // 2
        assert gateway.memory_mb() - before < 10


def test_an_upload_streams_through_at_the_providers_pace(gateway: Gateway, upstream: Upstream) -> None:
    """Far larger than `max_body_mb`: nothing in it must be read, so nothing of it is held."""
    size = 32 * 1024 * 1024
    started, go_on = threading.Event(), threading.Event()
    received = 0

    def script(wire: Wire, request: Message) -> None:
        nonlocal received
        started.set()
        assert go_on.wait(30)
        received = len(wire.exactly(size))
        wire.send(answer({"id": "file-1", "object": "file"}))

    upstream.script, upstream.reads_body = script, False
    before = gateway.memory_mb()
    with gateway.connect() as wire:
        lines = f"POST /v1/files HTTP/1.1\r\nhost: x\r\n{AUTH}\r\ncontent-type: multipart/form-data; boundary=b\r\n"
        wire.send(f"{lines}content-length: {size}\r\n\r\n".encode())
        sending = threading.Thread(target=wire.send, args=(b"a" * size,))
        sending.start()
        assert started.wait(10)
        sending.join(0.5)
        assert sending.is_alive(), "the client waits for the provider"
        assert gateway.memory_mb() - before < 10
        go_on.set()
        given = wire.message()
        sending.join()
    assert (given.json(), received) == ({"id": "file-1", "object": "file"}, size)
    row = gateway.row_of(given)
    assert (row["status_code"], row["input_tokens"], row["usage_source"]) == (200, None, "none")


def test_bytes_go_on_as_they_come(gateway: Gateway, upstream: Upstream) -> None:
    """Each piece reaches the client before the provider sends the next."""
    arrived = threading.Semaphore(0)
    pieces = [event("Hello")[:20], event("Hello")[20:] + event(" there"), DONE]

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        for piece in pieces:
            wire.chunk(piece)
            assert arrived.acquire(timeout=10)
        wire.send(b"0\r\n\r\n")

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(chat("Hi", stream=True, stream_options={"include_usage": True}))
        wire.head()
        for piece in pieces:
            got = b""
            while len(got) < len(piece):
                got += wire.next_chunk()
            assert got == piece
            arrived.release()
        assert wire.next_chunk() == b""


# -- shutting down


def test_calls_in_flight_are_finished_on_shutdown_and_new_ones_refused(
    own_gateway: Gateway, upstream: Upstream
) -> None:
    go_on = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        assert go_on.wait(10)
        wire.chunk(*events(" there"), DONE)
        wire.send(b"0\r\n\r\n")

    upstream.script = script
    own_gateway.start()
    with own_gateway.connect() as wire, own_gateway.connect() as idle:
        idle.send(chat("warm", model="demo/echo"))
        idle.message()
        wire.send(chat("Hi", stream=True))
        given = wire.head()
        own_gateway.process.terminate()  # type: ignore[union-attr]  # it was started

        def closing() -> bool:
            """A kept-alive connection is closed, or what is sent on it is refused."""
            idle.send(chat("late", model="demo/echo"))
            return not idle.more() or b"HTTP/1.1 503 " in idle.buffer

        wait_for(closing, "new calls are refused")
        go_on.set()
        body = b""
        while chunk := wire.next_chunk():
            body += chunk
        assert body.endswith(DONE)
    assert own_gateway.stop() == 0
    own_gateway.start()
    row = own_gateway.row_of(given)
    assert (row["status_code"], row["error_type"], row["output_tokens"]) == (200, None, 4)
