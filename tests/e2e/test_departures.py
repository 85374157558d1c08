"""Clients that go away or read slowly, and a gateway that is told to stop: nothing is left running, lost or held."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.e2e.harness import APP_KEY, Gateway, chat_request, wait_for
from tests.e2e.upstream import DONE, Upstream, event, events
from tests.e2e.wire import Message, Wire, answer, stream_head


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
        wire.send(chat_request("Hi", stream=True))
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
        wire.send(chat_request("Hi", "x-callgate-tags: gone=before"))
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
        wire.send(chat_request("Hi", model="draining/m-1", stream=True))
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
        wire.send(chat_request("Hi", stream=True))
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
        lines = f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {APP_KEY}\r\n"
        lines += "content-type: multipart/form-data; boundary=b\r\n"
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
        wire.send(chat_request("Hi", stream=True, stream_options={"include_usage": True}))
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
        idle.send(chat_request("warm", model="demo/echo"))
        idle.message()
        wire.send(chat_request("Hi", stream=True))
        given = wire.head()
        own_gateway.process.terminate()  # type: ignore[union-attr]  # it was started

        def closing() -> bool:
            """A kept-alive connection is closed, or what is sent on it is refused."""
            idle.send(chat_request("late", model="demo/echo"))
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
