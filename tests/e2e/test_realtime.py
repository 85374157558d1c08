"""A realtime session through the gateway: both ends on real sockets, every turn in the log."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from gateway.proxy.tunnel_frames import BINARY, CLOSE, TEXT, FrameReader, close_code, close_frame, frame
from tests.dialects.realtime_shapes import BEGUN, CREATED, DONE, SAYS, event
from tests.e2e.harness import ADMIN_KEY, APP_KEY, NARROW_KEY, UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.upstream import Upstream
from tests.e2e.wire import CutError, Message, Wire, answer, get

MODEL = "gpt-realtime-2025-08-28"
CLIENT_KEY = base64.b64encode(os.urandom(16)).decode()
HANDSHAKE = (
    "connection: Upgrade", "upgrade: websocket", f"sec-websocket-key: {CLIENT_KEY}", "sec-websocket-version: 13",
    "sec-websocket-extensions: permessage-deflate",
)  # fmt: skip
BEARER = f"authorization: Bearer {APP_KEY}"
PRICES = {"overrides": {MODEL: {"input_per_mtok": 4.0, "output_per_mtok": 16.0}}}


def accept(key: str) -> str:
    joined = (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
    return base64.b64encode(hashlib.sha1(joined).digest()).decode()


def switches(wire: Wire, request: Message) -> None:
    lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade", "x-request-id: req-up-1",
             f"sec-websocket-accept: {accept(request.header('sec-websocket-key') or '')}"]  # fmt: skip
    if (offered := request.header("sec-websocket-protocol")) is not None:
        lines.append(f"sec-websocket-protocol: {offered.split(',')[0]}")
    wire.send(("\r\n".join([*lines, "", ""])).encode())


class Socket:
    """One end of a websocket, over a wire that has switched."""

    def __init__(self, wire: Wire, *, masks: bool) -> None:
        self.wire = wire
        self.masks = masks
        self.reader = FrameReader()
        self.waiting: list[Any] = []

    def say(self, *events: bytes, opcode: int = TEXT) -> None:
        self.wire.send(b"".join(frame(opcode, each, masked=self.masks) for each in events))

    def hear(self) -> Any:
        while not self.waiting:
            if not self.wire.buffer and not self.wire.more():
                raise CutError(b"")
            data, self.wire.buffer = self.wire.buffer, b""
            self.waiting += self.reader.feed(data)
        return self.waiting.pop(0)

    def hear_close(self) -> tuple[int, str]:
        message = self.hear()
        assert message.opcode == CLOSE
        return close_code(message.data)


def serving(script: Callable[[Socket], None]) -> Callable[[Wire, Message], None]:
    def serve(wire: Wire, request: Message) -> None:
        switches(wire, request)
        script(Socket(wire, masks=False))
        wire.close()

    return serve


def talks(socket: Socket) -> None:
    """Greets, answers what is said with a turn, until the client closes."""
    socket.say(CREATED)
    while (message := socket.hear()).opcode != CLOSE:
        if message.data == SAYS:
            socket.say(BEGUN)
            socket.say(DONE)
    socket.wire.send(close_frame(1000, ""))


Opener = Callable[..., tuple[Socket, Message]]


def settings(port: int) -> dict[str, Any]:
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "api_key": UPSTREAM_KEY}
    return configuration(providers={"raw": raw}, prices=PRICES)


@pytest.fixture(scope="module")
def realtime(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("realtime") / "data", settings(scripted.port)).start()
    yield running
    if running.running:
        assert running.stop() == 0, "".join(running.output)


@pytest.fixture
def opened(realtime: Gateway) -> Iterator[Opener]:
    """Sends a handshake on a new connection, and reads the head that it is answered with."""
    with contextlib.ExitStack() as stack:

        def opener(*headers: str, path: str = "/v1/realtime?model=raw/gpt-realtime") -> tuple[Socket, Message]:
            wire = stack.enter_context(realtime.connect())
            wire.send(get(path, *HANDSHAKE, *(headers or (BEARER,))))
            head = wire.head()
            return Socket(wire, masks=True), head

        yield opener


def turns_of(gateway: Gateway, head: Message, count: int) -> list[dict[str, Any]]:
    """The rows below a connection's, as soon as there are so many."""
    trace = gateway.row(head.header("x-request-id"))["trace_id"]
    return wait_for(
        lambda: len(found := gateway.rows(f"kind=realtime&trace={trace}")) == count and found, f"{count} turns"
    )


def test_a_session(realtime: Gateway, opened: Opener, upstream: Upstream):
    upstream.script = serving(talks)
    socket, head = opened(BEARER, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert head.status == 101
    assert head.header("sec-websocket-accept") == accept(CLIENT_KEY)
    assert (head.header("x-upstream-request-id"), head.header("x-callgate-provider")) == ("req-up-1", "raw")
    assert socket.hear().data == CREATED
    for _ in range(2):
        socket.say(SAYS)
        assert [socket.hear().data, socket.hear().data] == [BEGUN, DONE]
    socket.wire.send(close_frame(1000, "", masked=True))
    assert socket.hear_close()[0] == 1000
    assert socket.wire.closed_by_peer()

    asked = upstream.request()
    assert asked.target == "/v1/realtime?model=gpt-realtime"
    assert asked.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert asked.header("sec-websocket-extensions") is None
    assert APP_KEY.encode() not in asked.head

    session = realtime.row(head.header("x-request-id"))
    assert (session["kind"], session["status_code"], session["error_type"]) == ("session", 101, None)
    for turn in turns_of(realtime, head, 2):
        assert turn["trace_id"] == session["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
        assert turn["parent_span_id"] == session["span_id"]
        assert turn["session"] == session["session"] == session["request_id"]
        assert (turn["model_requested"], turn["model"], turn["provider"]) == ("raw/gpt-realtime", MODEL, "raw")
        assert (turn["input_tokens"], turn["output_tokens"], turn["usage_source"]) == (132, 121, "reported")
        assert turn["cost_nanousd"] == 132 * 4000 + 121 * 16000
        assert (turn["tenant"], turn["output_preview"]) == ("acme", "Good day.")
        assert turn["input_preview"] == "What time is it?"
        assert [call["name"] for call in turn["tool_calls"]] == ["get_time"]


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        (lambda key_id: ("DELETE", f"/api/keys/{key_id}", None), "was revoked"),
        (lambda key_id: ("PATCH", "/api/tenants/globex", {"suspended": True}), "is suspended"),
    ],
    ids=["revoked", "suspended"],
)
def test_a_session_ends_with_the_turn_when_its_key_does(
    ends: Callable[[str], tuple[str, str, Any]], says: str, realtime: Gateway, opened: Opener, upstream: Upstream
):
    upstream.script = serving(talks)
    admin = {"headers": {"x-api-key": ADMIN_KEY}, "timeout": 20}
    httpx.post(f"{realtime.url}/api/tenants", json={"slug": "globex"}, **admin)
    made = httpx.post(f"{realtime.url}/api/keys", json={"name": f"talks {says}", "tenant": "globex"}, **admin).json()
    socket, head = opened(f"authorization: Bearer {made['secret']}")
    assert head.status == 101
    assert socket.hear().data == CREATED
    socket.say(SAYS)
    assert [socket.hear().data, socket.hear().data] == [BEGUN, DONE]
    method, path, body = ends(made["key"]["key_id"])
    assert httpx.request(method, realtime.url + path, json=body, **admin).status_code == 200
    socket.say(SAYS)
    assert [socket.hear().data, socket.hear().data] == [BEGUN, DONE], "this turn had been let in"
    code, reason = socket.hear_close()
    assert (code, says in reason) == (1008, True)
    assert len(turns_of(realtime, head, 2)) == 2


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/v1/realtime?model=raw/m&key={APP_KEY}", ("origin: http://app.example",)),
        ("/v1/realtime?model=raw/m",
         (f"sec-websocket-protocol: realtime, openai-insecure-api-key.{APP_KEY}, openai-beta.realtime-v1",)),
        ("/p/raw/v1/realtime?model=m", (f"api-key: {APP_KEY}",)),
    ],
    ids=["query", "subprotocol", "native path"],
)  # fmt: skip
def test_where_the_key_may_be(
    realtime: Gateway, opened: Opener, upstream: Upstream, path: str, headers: tuple[str, ...]
):
    upstream.script = serving(talks)
    socket, head = opened(*headers, path=path)
    assert head.status == 101
    assert socket.hear().data == CREATED
    asked = upstream.request()
    assert APP_KEY.encode() not in asked.head
    assert asked.target == "/v1/realtime?model=m"
    if "sec-websocket-protocol" in headers[0]:
        assert asked.header("sec-websocket-protocol") == "realtime, openai-beta.realtime-v1"
        assert head.header("sec-websocket-protocol") == "realtime"
    socket.wire.close()
    row = realtime.row(head.header("x-request-id"))
    assert APP_KEY not in json.dumps(row)


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/v1/realtime?model=raw/m", "x-nothing: 1", 401),
        ("/v1/realtime?model=raw/m", "authorization: Bearer cg-unknown", 401),
        ("/v1/realtime?model=raw/m", f"authorization: Bearer {NARROW_KEY}", 403),
        ("/p/nobody/v1/realtime", BEARER, 404),
        ("/v1/realtime", BEARER, 404),
    ],
)
def test_who_is_refused(realtime: Gateway, opened: Opener, upstream: Upstream, path: str, header: str, status: int):
    socket, head = opened(header, path=path)
    socket.wire.read_body(head)
    assert (head.status, "message" in head.json()["error"]) == (status, True)
    assert socket.wire.closed_by_peer()
    assert upstream.seen.empty()


def test_what_the_provider_answers_instead_is_passed_on(realtime: Gateway, opened: Opener, upstream: Upstream):
    upstream.script = lambda wire, _: wire.send(answer({"error": {"message": "slow down"}}, status="429 Too Many"))
    socket, head = opened()
    socket.wire.read_body(head)
    assert (head.status, head.json()) == (429, {"error": {"message": "slow down"}})
    assert realtime.row(head.header("x-request-id"))["status_code"] == 429


def test_a_key_that_the_provider_refuses_is_the_gateways_fault(realtime: Gateway, opened: Opener, upstream: Upstream):
    upstream.script = lambda wire, _: wire.send(answer({"error": {"message": "bad"}}, status="401 Unauthorized"))
    socket, head = opened()
    socket.wire.read_body(head)
    assert (head.status, head.json()["error"]["code"]) == (502, "upstream_authentication")


def test_every_byte_passes_however_large_and_whoever_is_slow(realtime: Gateway, opened: Opener, upstream: Upstream):
    big = os.urandom(3_000_000)

    def echoes(socket: Socket) -> None:
        while (message := socket.hear()).opcode != CLOSE:
            socket.say(message.data, opcode=message.opcode)

    upstream.script = serving(echoes)
    socket, _ = opened()
    socket.say(big, opcode=BINARY)
    assert socket.hear().data == big
    socket.wire.close()


def test_a_response_that_is_broken_off_is_in_the_log(realtime: Gateway, opened: Opener, upstream: Upstream):
    def breaks(socket: Socket) -> None:
        socket.say(CREATED, BEGUN)
        socket.hear()

    upstream.script = serving(breaks)
    socket, head = opened()
    assert [socket.hear().data, socket.hear().data] == [CREATED, BEGUN]
    socket.say(SAYS)
    assert socket.wire.closed_by_peer()
    assert realtime.row(head.header("x-request-id"))["error_type"] == "network"
    (turn,) = turns_of(realtime, head, 1)
    assert (turn["error_type"], turn["input_tokens"], turn["cost_nanousd"]) == ("network", None, None)


def test_why_the_provider_closed_is_in_the_log(realtime: Gateway, opened: Opener, upstream: Upstream):
    def expires(socket: Socket) -> None:
        socket.wire.send(close_frame(1011, "session expired"))

    upstream.script = serving(expires)
    socket, head = opened()
    assert socket.hear_close() == (1011, "session expired")
    row = realtime.row(head.header("x-request-id"))
    assert (row["error_type"], "session expired" in row["error_message"]) == ("upstream_error", True)


def test_a_shutdown_lets_a_response_end(realtime: Gateway, opened: Opener, upstream: Upstream):
    ended = []

    def answers_late(socket: Socket) -> None:
        socket.say(CREATED, BEGUN)
        socket.hear()
        socket.say(event("response.output_text.delta", delta="Good"), DONE)
        ended.append(socket.hear())

    upstream.script = serving(answers_late)
    socket, head = opened()
    assert [socket.hear().data, socket.hear().data] == [CREATED, BEGUN]
    assert realtime.process
    with realtime.connect() as idle:
        idle.send(get("/healthz"))
        idle.message()
        realtime.process.terminate()
        assert idle.closed_by_peer()  # the shutdown has been told to every connection
    socket.say(SAYS)
    assert socket.hear().opcode == TEXT
    assert socket.hear().data == DONE
    assert socket.hear_close()[0] == 1012
    assert close_code(wait_for(lambda: ended, "the provider is told")[0].data)[0] == 1001
    assert realtime.process.wait(timeout=15) == 0
    realtime.start()
    assert realtime.row(head.header("x-request-id"))["status_code"] == 101
    assert len(turns_of(realtime, head, 1)) == 1


def test_a_frame_cut_in_the_middle_is_still_one(realtime: Gateway, opened: Opener, upstream: Upstream):
    upstream.script = serving(talks)
    socket, _ = opened()
    assert socket.hear().data == CREATED
    whole = frame(TEXT, SAYS, masked=True)
    for at in range(0, len(whole), 11):
        socket.wire.send(whole[at : at + 11])
    assert [socket.hear().data, socket.hear().data] == [BEGUN, DONE]
    socket.wire.close()
