"""What connections can do beside carrying one call after the other: each answered as HTTP/1.1 says (RFC 9112)."""

from __future__ import annotations

import json
import threading

import pytest

from tests.e2e.harness import ADMIN_KEY, APP_KEY, UPSTREAM_KEY, Gateway, chat_request
from tests.e2e.upstream import DONE, Upstream, completes, completion, event, events
from tests.e2e.wire import Message, Wire, answer, get, post, stream_head

CHAT = "/v1/chat/completions"
AUTH = f"authorization: Bearer {APP_KEY}"


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
        wire.send(b"".join(chat_request(f"number {n}") for n in range(number)))
        assert [said(wire.message()) for _ in range(number)] == [f"number {n}" for n in range(number)]


def test_pipelined_calls_and_api_requests_mixed(gateway: Gateway, upstream: Upstream) -> None:
    """The model paths are the protocol's own, the others the application's: their answers must not overtake."""
    upstream.script = says_back
    api = get("/api/requests?limit=1", f"authorization: Bearer {ADMIN_KEY}")
    with gateway.connect() as wire:
        wire.send(
            chat_request("one")
            + get("/healthz")
            + chat_request("two")
            + api
            + api
            + chat_request("three", model="demo/echo")
            + get("/healthz")
        )
        answers = [wire.message() for _ in range(7)]
    assert [a.status for a in answers] == [200] * 7
    assert [said(answers[n]) for n in (0, 2, 5)] == ["one", "two", "three"]
    assert all("items" in answers[n].json() for n in (3, 4))


def test_a_stream_then_another_call_on_the_same_connection(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    with gateway.connect() as wire:
        for _ in range(2):
            wire.send(chat_request("Hi", stream=True))
            assert wire.message().body.endswith(DONE)
        wire.send(chat_request("Hi"))
        assert said(wire.message()) == "Hello there"


def test_an_error_leaves_the_connection_usable(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    with gateway.connect() as wire:
        wire.send(post(CHAT, b"{", AUTH) + post(CHAT, b"{}") + chat_request("still here"))
        assert [wire.message().status for _ in range(2)] == [400, 401]
        assert said(wire.message()) == "still here"


def test_connection_close_is_honoured(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    with gateway.connect() as wire:
        wire.send(chat_request("bye", "connection: close"))
        assert said(wire.message()) == "bye"
        assert wire.closed_by_peer()


def test_http_1_0(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    with gateway.connect() as wire:
        wire.send(chat_request("Hi", stream=True).replace(b" HTTP/1.1", b" HTTP/1.0", 1))
        given = wire.head()
        assert given.header("transfer-encoding") is None, "HTTP/1.0 knows no chunks"
        assert wire.rest().endswith(DONE)


def test_a_body_in_chunks_and_one_byte_at_a_time(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = says_back
    whole = chat_request("in pieces")
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
    head, _, body = chat_request("after the go-ahead", "expect: 100-continue").partition(b"\r\n\r\n")
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
        wire.send(chat_request("last words"))
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
    answer_ = gateway.exchange(chat_request("Hi", *sent_headers, "openai-beta: x=1", "user-agent: tests"))
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
        wire.send(chat_request("Hi", stream=True, stream_options={"include_usage": True}))
        given = wire.head()
        wire.next_chunk()
        wire.half_close()
        half_closed.set()
        rest = b""
        while chunk := wire.next_chunk():
            rest += chunk
    assert rest == b"".join(events(" there")) + DONE
    assert gateway.row_of(given)["error_type"] is None
