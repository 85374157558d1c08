"""What clients get wrong, on purpose or not: each a clear error of the right status, and the gateway goes on."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.e2e.harness import ADMIN_KEY, APP_KEY, NARROW_KEY, VIEWER_KEY, Gateway
from tests.e2e.upstream import Upstream, completes
from tests.e2e.wire import Message, get, post

CHAT = "/v1/chat/completions"
AUTH = f"authorization: Bearer {APP_KEY}"
GOOD = {"model": "raw/m-1", "messages": [{"role": "user", "content": "Hi"}]}
DEEP = b'{"model":"raw/m-1","messages":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def refused(answer: Message, status: int, code: str, param: str | None = None) -> str:
    """Checks the shape of the error; its message."""
    assert answer.status == status, answer.body
    assert answer.header("x-request-id")
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    return str(error["message"])


# -- the body

BODIES = {
    "empty": (b"", None, "empty"),
    "not JSON": (b'{"model": "raw/m-1", "messages"', None, "not valid JSON"),
    "text": (b"Hello", None, "not valid JSON"),
    "an array": (b"[]", None, "JSON object"),
    "a string": (b'"raw/m-1"', None, "JSON object"),
    "null": (b"null", None, "JSON object"),
    "NaN": (b'{"model":"raw/m-1","temperature":NaN}', None, "NaN"),
    "Infinity": (b'{"model":"raw/m-1","temperature":-Infinity}', None, "Infinity"),
    "not UTF-8": (b'{"model":"raw/m-\xff","messages":[]}', "model", "UTF-8"),
    "a key not UTF-8": (b'{"model":"raw/m-1","\xff":[]}', None, "not valid JSON"),
    "metadata not UTF-8": (b'{"model":"raw/m-1","metadata":{"k":"\xff"}}', "metadata", "object of strings"),
    "a key twice": (b'{"model":"raw/m-1","model":"raw/m-2","messages":[]}', "model", "twice"),
    "half a surrogate pair": (b'{"model":"raw/m-\\ud800","messages":[]}', None, ""),
    "trailing bytes": (json.dumps(GOOD).encode() + b"{}", None, "not valid JSON"),
    "nested too deeply": (DEEP, None, "deep"),
    "model missing": (b'{"messages":[]}', "model", "missing"),
    "model null": (b'{"model":null,"messages":[]}', "model", "missing"),
    "model a number": (b'{"model":4,"messages":[]}', "model", "string"),
    "stream a string": (b'{"model":"raw/m-1","messages":[],"stream":"yes"}', "stream", "true or false"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_read(name: str, gateway: Gateway, upstream: Upstream) -> None:
    body, param, says = BODIES[name]
    message = refused(gateway.post(CHAT, body), 400, "invalid_request_error", param)
    assert says in message
    assert upstream.seen.empty(), "nothing was forwarded"


def test_a_surrogate_in_the_messages_goes_through_as_it_is_or_is_refused(gateway: Gateway, upstream: Upstream) -> None:
    """What the gateway does not read it does not judge: the provider sees the client's own bytes."""
    upstream.script = completes
    body = b'{"model":"raw/m-1","messages":[{"role":"user","content":"\\ud83d"}]}'
    answer = gateway.post(CHAT, body)
    if answer.status == 200:
        assert b'"content":"\\ud83d"' in upstream.request().body
        assert gateway.row_of(answer)["status_code"] == 200
    else:
        assert "surrogate" in refused(answer, 400, "invalid_request_error")


# -- its size

TOO_LARGE = 200 * 1024 * 1024


def test_200_mb_declared_are_refused_before_they_are_sent(gateway: Gateway) -> None:
    with gateway.connect() as wire:
        wire.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{AUTH}\r\ncontent-length: {TOO_LARGE}\r\n\r\n".encode())
        assert "4 MB" in refused(wire.message(), 413, "request_too_large")


def test_200_mb_in_chunks_are_refused_at_the_limit(gateway: Gateway) -> None:
    before = gateway.memory_mb()
    sent = 0
    with gateway.connect() as wire:
        wire.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{AUTH}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        while sent < TOO_LARGE and not wire.readable():
            wire.chunk(b"a" * 65536)
            sent += 65536
        refused(wire.message(), 413, "request_too_large")
    assert sent < 40 * 1024 * 1024, "the answer came while most of it was still to be sent"
    assert gateway.memory_mb() - before < 30


@pytest.mark.parametrize(
    ("encoding", "body", "status", "code"),
    [
        ("gzip", gzip.compress(b"a" * TOO_LARGE, 1), 413, "request_too_large"),
        ("zstd", zstandard.compress(b"a" * TOO_LARGE), 413, "request_too_large"),
        ("gzip", b"not gzip at all", 400, "invalid_request_error"),
        ("gzip", gzip.compress(json.dumps(GOOD).encode())[:-9], 400, "invalid_request_error"),
        ("zstd", b"not zstd", 400, "invalid_request_error"),
        ("br", b"?", 400, "unsupported_encoding"),
    ],
    ids=["gzip bomb", "zstd bomb", "not gzip", "gzip cut", "not zstd", "br"],
)
def test_a_compressed_body_that_is_none_or_too_large(
    encoding: str, body: bytes, status: int, code: str, gateway: Gateway
) -> None:
    refused(gateway.post(CHAT, body, f"content-encoding: {encoding}"), status, code)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)],
)
def test_a_compressed_body_is_forwarded_decoded(encoding: str, pack: Any, gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    answer = gateway.post(CHAT, pack(json.dumps(GOOD).encode()), f"content-encoding: {encoding}")
    assert answer.status == 200
    sent = upstream.request()
    assert sent.json() == GOOD | {"model": "m-1"}
    assert sent.header("content-encoding") is None
    assert gateway.row_of(answer)["input_tokens"] == 9


# -- who asks, for what, how


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "missing_api_key"),
        ("authorization: Bearer cg-this-key-is-not-known-00", "invalid_api_key"),
        ("authorization: Bearer ", "missing_api_key"),
        ("authorization: Basic dXNlcjpwYXNz", "missing_api_key"),
        ("x-api-key: sk-ant-of-somebody-else", "invalid_api_key"),
        (f"authorization: Bearer {APP_KEY}x", "invalid_api_key"),
    ],
)
def test_no_key_or_a_wrong_one(header: str | None, code: str, gateway: Gateway) -> None:
    message = refused(gateway.exchange(post(CHAT, GOOD, *([header] if header else []))), 401, code)
    assert APP_KEY not in message


def test_a_key_that_was_revoked(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes

    def keys(*words: str) -> str:
        command = [str(Path(sys.executable).parent / "callgate"), "keys", *words]
        command += ["--config", str(gateway.config), "--data", str(gateway.data)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    made = keys("create", "passing", "--json")
    key, key_id = (json.loads(made)[name] for name in ("secret", "key_id"))

    def status() -> int:
        return gateway.exchange(post(CHAT, GOOD, f"authorization: Bearer {key}")).status

    def became(wanted: int) -> None:
        end = time.monotonic() + 10
        while (found := status()) != wanted:
            assert time.monotonic() < end, found

    became(200)
    keys("revoke", key_id)
    became(401)
    answer = gateway.exchange(post(CHAT, GOOD, f"authorization: Bearer {key}"))
    assert "revoked" in refused(answer, 401, "invalid_api_key")


def test_what_a_key_may_not_do(gateway: Gateway) -> None:
    message = refused(gateway.post(CHAT, GOOD, key=NARROW_KEY), 403, "model_not_allowed", "model")
    assert "demo/echo" in message
    refused(gateway.post(CHAT, GOOD, key=VIEWER_KEY), 403, "not_allowed")
    assert gateway.get("/api/requests", key=None)[0] == 401


def test_an_unknown_model_without_a_default_provider(own_gateway: Gateway) -> None:
    own_gateway.start()
    message = refused(own_gateway.post(CHAT, GOOD | {"model": "no-such-model"}), 404, "model_not_found", "model")
    assert "'no-such-model'" in message
    assert "default_provider" in message
    refused(own_gateway.post("/v1/anything", {"input": "Hi"}), 404, "model_not_found")
    refused(own_gateway.post("/p/nobody/v1/chat/completions", GOOD), 404, "provider_not_found")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post("/healthz", {}), 405),
        (get("/api/no-such-thing", f"authorization: Bearer {ADMIN_KEY}"), 404),
        (b"BREW /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /v1/models HTTP/9.9\r\nhost: x\r\n\r\n", 400),
    ],
    ids=["wrong method", "wrong path", "no method at all", "no version we know"],
)
def test_a_method_or_path_that_is_not(request_: bytes, status: int, gateway: Gateway) -> None:
    assert gateway.exchange(request_).status == status


# -- the head


@pytest.mark.parametrize(
    "lines",
    [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: -1",
        "content-length: +5",
        "content-length: 5, 6",
        "content-length: 99999999999999999999999",
        "transfer-encoding: chunked, gzip",
        "transfer-encoding: xchunked",
        "bad header: x",
        "x-evil: a\0b",
        ": no name",
    ],
)
def test_a_head_that_could_be_read_two_ways_is_refused(lines: str, gateway: Gateway, upstream: Upstream) -> None:
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n{lines}\r\n\r\n"
    with gateway.connect() as wire:
        wire.send(head.encode("latin-1") + b"5\r\nhello\r\n0\r\n\r\n")
        answer = wire.message()
        assert answer.status == 400
        wire.rest()  # and the connection is closed: what follows cannot be told apart
    assert upstream.seen.empty()


@pytest.mark.parametrize(
    "chunk", [b"zz\r\nhello\r\n", b"-5\r\nhello\r\n", b"fffffffffffffffff\r\n", b"5\r\nhelloworld\r\n"]
)
def test_a_chunk_that_is_none(chunk: bytes, gateway: Gateway, upstream: Upstream) -> None:
    with gateway.connect() as wire:
        wire.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{AUTH}\r\ntransfer-encoding: chunked\r\n\r\n".encode() + chunk)
        assert wire.message().status == 400
        wire.rest()
    assert upstream.seen.empty()


def test_nothing_a_client_sends_becomes_a_header(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    evil = "raw/m\r\nx-evil: yes"
    answer = gateway.chat(evil, "Hi", "x-request-id: a\x01b", metadata={"feature": "x\r\nx-evil: yes"})
    assert answer.header("x-evil") is None
    if answer.status == 200:
        assert upstream.request().header("x-evil") is None
        assert gateway.row_of(answer)["model_requested"] == evil


def test_a_head_of_1_mb_is_accepted_and_a_larger_one_is_not(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    padding = [f"x-padding-{n}: {'p' * 10_000}" for n in range(100)]
    assert gateway.chat("raw/m-1", "Hi", *padding).status == 200
    assert upstream.request().header("x-padding-99") == "p" * 10_000
    with gateway.connect() as wire:
        with contextlib.suppress(OSError):  # it may have answered and closed before all is sent
            wire.send(post(CHAT, GOOD, AUTH, *padding, *(line.replace("x-p", "x-q") for line in padding)))
        assert wire.message().status == 431


def test_a_head_that_never_ends_is_not_waited_for(gateway: Gateway) -> None:
    with gateway.connect() as wire:
        began = time.monotonic()
        wire.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n".encode())
        last = wire.rest()
        assert last == b"" or last.startswith(b"HTTP/1.1 408 ")
        assert 0.9 < time.monotonic() - began < 5


def test_a_head_that_trickles_is_not_waited_for_either(gateway: Gateway) -> None:
    with gateway.connect() as wire:
        began = time.monotonic()
        wire.sock.settimeout(0.1)
        wire.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n".encode())
        closed = False
        while not closed and time.monotonic() - began < 10:
            try:
                wire.send(b"x-more: y\r\n")
                closed = not wire.more()
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert 0.9 < time.monotonic() - began < 5


def test_a_body_that_never_comes_is_not_waited_for(gateway: Gateway, upstream: Upstream) -> None:
    with gateway.connect() as wire:
        began = time.monotonic()
        wire.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{AUTH}\r\ncontent-length: 50\r\n\r\n".encode() + b'{"model"')
        refused(wire.message(), 408, "request_timeout")
        assert 0.9 < time.monotonic() - began < 5
    assert upstream.seen.empty()


@pytest.mark.parametrize("target", ["http://1", "http://1?x=1", "http://169."])
def test_an_absolute_target_without_a_path_is_the_root(target: str, gateway: Gateway) -> None:
    with gateway.connect() as wire:
        wire.send(f"HEAD {target} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n".encode())
        assert wire.rest().split(b" ", 2)[1] == b"303", "to the sign-in, as / is"


def test_a_target_that_is_none_in_a_request_that_waited_in_line(gateway: Gateway, upstream: Upstream) -> None:
    """The first call is answered whole, whatever comes behind it."""
    upstream.script = completes
    chat = post(CHAT, GOOD, AUTH)
    with gateway.connect() as wire:
        wire.send(chat + b"CONNECT %001/files HTTP/1.1\r\nhost: gateway\r\n\r\n" + chat)
        first, second = wire.message(), wire.message()
        assert wire.closed_by_peer()
    assert (first.status, first.json()["choices"][0]["message"]["content"]) == (200, "Hello there")
    assert "target" in second.json()["error"]["message"]
    assert (second.status, upstream.seen.qsize()) == (400, 1)
    assert not any("Traceback" in line for line in gateway.output)
