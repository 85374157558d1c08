"""What providers get wrong: the client gets a clear error, or just what there was of the answer, and a row says so."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import Any

import pytest

from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway
from tests.e2e.upstream import Script, Upstream, completes, completion, event, events
from tests.e2e.wire import CutError, Message, Wire, answer, post, stream_head


def failed(gateway: Gateway, given: Message, status: int, code: str, error_type: str) -> dict[str, Any]:
    """Checks the error the client was given and what the log says; the row."""
    assert given.status == status, given.body
    assert given.json()["error"]["code"] == code
    row = gateway.row_of(given)
    assert (row["status_code"], row["error_type"]) == (status, error_type)
    assert row["error_message"]
    assert row["usage_source"] == "none" or row["usage_source"] == "estimated"
    assert UPSTREAM_KEY not in json.dumps(row)
    return row


# -- no answer


def resets(wire: Wire, request: Message) -> None:
    wire.reset()


def closes(wire: Wire, request: Message) -> None:
    wire.close()


def hangs(wire: Wire, request: Message) -> None:
    assert wire.closed_by_peer(), "the gateway gives up and closes"


def speaks_tls(wire: Wire, request: Message) -> None:
    wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nonsense\r\n\r\n")
    wire.close()


def sends_header_without_end(wire: Wire, request: Message) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\n")
    line = b"x-padding: " + b"p" * 65_000 + b"\r\n"
    for _ in range(100 * 1024 * 1024 // len(line)):
        wire.send(line)
    raise AssertionError("100 MB of headers were read")


def closes_within_head(wire: Wire, request: Message) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\ncontent-ty")
    wire.close()


def conflicting_lengths(wire: Wire, request: Message) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!")


@pytest.mark.parametrize(
    ("script", "code", "error_type"),
    [
        (resets, "upstream_reset", "network"),
        (closes, "upstream_reset", "network"),
        (closes_within_head, "upstream_reset", "network"),
        (speaks_tls, "upstream_malformed", "parse_error"),
        (conflicting_lengths, "upstream_malformed", "parse_error"),
        (sends_header_without_end, "upstream_malformed", "parse_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_no_answer_is_a_502(
    script: Script, code: str, error_type: str, stream: bool, gateway: Gateway, upstream: Upstream
) -> None:
    upstream.script = script
    before = gateway.memory_mb()
    failed(gateway, gateway.chat("raw/m-1", stream=stream), 502, code, error_type)
    assert gateway.memory_mb() - before < 30


@pytest.mark.parametrize(
    ("model", "code", "error_type"),
    [
        ("refused/m", "upstream_unreachable", "network"),
        ("unknown/m", "upstream_unreachable", "network"),
        ("selfsigned/m", "upstream_tls", "network"),
    ],
)
def test_a_provider_that_cannot_be_reached_is_a_502(model: str, code: str, error_type: str, gateway: Gateway) -> None:
    row = failed(gateway, gateway.chat(model), 502, code, error_type)
    assert [attempt["status_code"] for attempt in row["attempts"]] == [None]


def test_a_certificate_is_not_checked_where_the_configuration_says_so(gateway: Gateway, self_signed: Upstream) -> None:
    self_signed.script = completes
    assert gateway.chat("trusting/m").json() == completion()


@pytest.mark.parametrize(
    ("provider", "script", "limit_s", "which"),
    [
        ("connectless", completes, 0.3, "connect"),
        ("firstless", hangs, 0.3, "first byte"),
        ("endless", hangs, 0.6, "total"),
    ],
)
def test_a_provider_that_hangs_is_a_504(
    provider: str, script: Script, limit_s: float, which: str, gateway: Gateway, upstream: Upstream
) -> None:
    upstream.script = script
    began = time.monotonic()
    given = gateway.chat(f"{provider}/m-1")
    assert limit_s <= time.monotonic() - began < limit_s + 3
    failed(gateway, given, 504, "upstream_timeout", "timeout")
    assert which in given.json()["error"]["message"]


# -- an answer that is cut


def whole_cut(wire: Wire, request: Message) -> None:
    wire.send(answer(completion())[:-20])
    wire.close()


def chunked_cut(wire: Wire, request: Message) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    wire.chunk(json.dumps(completion()).encode()[:-20])
    wire.close()


def chunk_size_is_none(wire: Wire, request: Message) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    wire.chunk(b'{"id":')
    wire.send(b"zz\r\n")


def whole_idles(wire: Wire, request: Message) -> None:
    wire.send(answer(completion())[:-20])
    hangs(wire, request)


@pytest.mark.parametrize(
    ("provider", "script", "error_type"),
    [
        ("raw", whole_cut, "network"),
        ("raw", chunked_cut, "network"),
        ("raw", chunk_size_is_none, "parse_error"),
        ("idle", whole_idles, "timeout"),
    ],
)
def test_a_whole_answer_that_is_cut_never_looks_whole(
    provider: str, script: Script, error_type: str, gateway: Gateway, upstream: Upstream
) -> None:
    """Held back or begun: either an error of ours, or a body that ends before it should."""
    upstream.script = script
    with gateway.connect() as wire:
        given = gateway_request(gateway, wire, f"{provider}/m-1")
        try:
            wire.read_body(given)
        except CutError:
            assert given.status == 200
        else:
            assert given.status in (502, 504), given.body
            assert given.json()["error"]["code"]
    row = gateway.row_of(given)
    assert row["error_type"] == error_type
    assert row["finish_reason"] is None or row["status_code"] != 200


def gateway_request(gateway: Gateway, wire: Wire, model: str, **more: Any) -> Message:
    """Sends a chat and reads the answer's head."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **more}
    wire.send(post("/v1/chat/completions", body, f"authorization: Bearer {APP_KEY}"))
    return wire.head()


def stream_closes(wire: Wire, request: Message) -> None:
    wire.close()


def stream_resets(wire: Wire, request: Message) -> None:
    wire.reset()


def stream_chunk_is_none(wire: Wire, request: Message) -> None:
    wire.send(b"nonsense\r\n")


@pytest.mark.parametrize(
    ("provider", "ending", "code", "error_type"),
    [
        ("raw", stream_closes, "upstream_reset", "network"),
        ("raw", stream_resets, "upstream_reset", "network"),
        ("raw", stream_chunk_is_none, "upstream_malformed", "parse_error"),
        ("idle", hangs, "upstream_timeout", "timeout"),
        ("endless", hangs, "upstream_timeout", "timeout"),
    ],
)
def test_a_stream_that_breaks_ends_in_one_error_event(
    provider: str, ending: Script, code: str, error_type: str, gateway: Gateway, upstream: Upstream
) -> None:
    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        assert first_came.wait(10)
        ending(wire, request)

    first_came = threading.Event()
    upstream.script = script
    with gateway.connect() as wire:
        given = gateway_request(gateway, wire, f"{provider}/m-1", stream=True)
        assert wire.next_chunk() == event("Hello")
        first_came.set()
        rest = b""
        with contextlib.suppress(CutError):
            while chunk := wire.next_chunk():
                rest += chunk
    assert rest.startswith(b"data: ")
    assert rest.endswith(b"\n\n")
    assert rest.count(b"data: ") == 1
    assert json.loads(rest[6:])["error"]["code"] == code
    row = gateway.row_of(given)
    assert (row["error_type"], row["finish_reason"]) == (error_type, None)
    assert row["ttft_ms"] is not None
    assert row["response_text"] == "Hello"


def test_a_stream_that_ends_in_the_middle_of_an_event_gets_its_error_on_a_line_of_its_own(
    gateway: Gateway, upstream: Upstream
) -> None:
    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello")[:-12])
        wire.close()

    upstream.script = script
    with gateway.connect() as wire:
        gateway_request(gateway, wire, "raw/m-1", stream=True)
        got = b""
        with contextlib.suppress(CutError):
            while chunk := wire.next_chunk():
                got += chunk
    assert got.startswith(event("Hello")[:-12])
    lines = got.decode().split("\n")
    assert sum('"code":"upstream_reset"' in line and line.startswith("data: ") for line in lines) == 1


def test_a_stream_that_ends_without_its_end_mark_is_booked_as_failed(gateway: Gateway, upstream: Upstream) -> None:
    """Well framed, and yet cut: no finish reason, no [DONE]."""

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        wire.send(b"0\r\n\r\n")

    upstream.script = script
    given = gateway.chat("raw/m-1", stream=True)
    assert given.body.startswith(event("Hello"))
    row = gateway.row_of(given)
    assert row["error_type"] is not None
    assert row["finish_reason"] is None


# -- an answer that is odd, and passes as it is


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_a_redirect_passes_and_is_never_followed(status: str, gateway: Gateway, upstream: Upstream) -> None:
    elsewhere = f"location: http://127.0.0.1:{upstream.port}/elsewhere"
    upstream.script = lambda wire, request: wire.send(answer(b"moved", elsewhere, status=status))
    given = gateway.chat("raw/m-1")
    assert (given.status, given.body) == (int(status[:3]), b"moved")
    assert f"location: {given.header('location')}" == elsewhere
    assert upstream.request().target == "/v1/chat/completions"
    assert upstream.seen.empty()


@pytest.mark.parametrize(
    ("status", "body", "error_type", "says"),
    [
        (
            "400 Bad Request",
            b'{"error":{"message":"bad thing","type":"x","param":null,"code":null}}',
            "invalid_request",
            "bad thing",
        ),
        ("403 Forbidden", b'{"error":{"message":"not for you"}}', "authentication", "not for you"),
        ("429 Too Many Requests", b'[{"error":{"message":"slow down"}}]', "rate_limit", "slow down"),
        ("500 Internal Server Error", b"oops", "upstream_error", "oops"),
        ("503 Service Unavailable", b'{"detail":"busy"}', "upstream_error", "busy"),
    ],
)
def test_the_providers_own_errors_pass_untouched(
    status: str, body: bytes, error_type: str, says: str, gateway: Gateway, upstream: Upstream
) -> None:
    upstream.script = lambda wire, request: wire.send(
        answer(body, "retry-after: 7", "x-request-id: req-of-the-provider", "set-cookie: a=b", status=status)
    )
    given = gateway.chat("raw/m-1")
    assert (given.status, given.body) == (int(status[:3]), body)
    assert given.header("retry-after") == "7"
    assert given.header("x-upstream-request-id") == "req-of-the-provider"
    assert given.header("set-cookie") is None
    row = gateway.row_of(given)
    assert (row["status_code"], row["error_type"], row["upstream_request_id"]) == (
        given.status,
        error_type,
        "req-of-the-provider",
    )
    assert says in row["error_message"]


def test_a_refusal_of_the_gateways_own_key_is_not_the_clients_fault(gateway: Gateway, upstream: Upstream) -> None:
    refusal = {"error": {"message": f"Incorrect API key provided: {UPSTREAM_KEY}"}}
    upstream.script = lambda wire, request: wire.send(answer(refusal, status="401 Unauthorized"))
    given = gateway.chat("raw/m-1")
    failed(gateway, given, 502, "upstream_authentication", "authentication")
    assert UPSTREAM_KEY.encode() not in given.head + given.body
    assert upstream.request().header("authorization") == f"Bearer {UPSTREAM_KEY}"


def test_an_answer_before_the_request_is_complete(gateway: Gateway, upstream: Upstream) -> None:
    """An upload is refused after its head: the client learns it without sending the rest."""

    def script(wire: Wire, request: Message) -> None:
        wire.send(answer({"error": {"message": "no room"}}, "connection: close", status="413 Payload Too Large"))
        wire.rest()

    upstream.script, upstream.reads_body = script, False
    with gateway.connect() as wire:
        wire.send(
            f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {APP_KEY}\r\n".encode()
            + b"content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000000\r\n\r\n"
            + b"a" * 1000
        )
        given = wire.message()
        assert (given.status, given.json()["error"]["message"]) == (413, "no room")
    assert gateway.row_of(given)["status_code"] == 413


def test_interim_answers_are_no_answers(gateway: Gateway, upstream: Upstream) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    upstream.script = lambda wire, request: wire.send(early + answer(completion()))
    assert gateway.chat("raw/m-1").json() == completion()


def test_an_answer_that_is_not_json_passes_and_has_no_usage(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = lambda wire, request: wire.send(answer(b"<html>", content_type="text/html"))
    given = gateway.chat("raw/m-1")
    assert (given.status, given.body, given.header("content-type")) == (200, b"<html>", "text/html")
    row = gateway.row_of(given)
    assert row["input_tokens"] is None or row["usage_source"] == "estimated"


def test_a_line_of_1_mb_in_a_stream(gateway: Gateway, upstream: Upstream) -> None:
    long = event("ä" * 500_000)

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(*(long[at : at + 9_999] for at in range(0, len(long), 9_999)), *events(), b"data: [DONE]\n\n")
        wire.send(b"0\r\n\r\n")

    upstream.script = script
    asked = {"stream_options": {"include_usage": True}}
    given = gateway.chat("raw/m-1", stream=True, **asked)
    assert given.body == long + b"".join(events()) + b"data: [DONE]\n\n"
    assert gateway.row_of(given)["output_tokens"] == 4


def test_a_kept_connection_found_dead_is_tried_once_more(gateway: Gateway, upstream: Upstream) -> None:
    """The first answer leaves a connection; the provider closes it when the next request is on its way."""
    calls: list[Wire] = []

    def script(wire: Wire, request: Message) -> None:
        calls.append(wire)
        if len(calls) == 2:
            wire.reset()
        else:
            completes(wire, request)

    upstream.script = script
    assert gateway.chat("raw/m-1").status == 200
    second = gateway.chat("raw/m-1")
    assert second.json() == completion()
    assert calls[0] is calls[1]
    assert calls[2] is not calls[1]
    assert len(calls) == 3
    assert gateway.row_of(second)["status_code"] == 200
