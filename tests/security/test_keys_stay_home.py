"""A provider's key goes to its provider's host, whatever a client or the provider says; no client chooses a host."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, chat_request, configuration
from tests.e2e.upstream import Upstream, completes
from tests.e2e.wire import Message, Wire, answer, get, post

CHAT = "/v1/chat/completions"
ASK = {"model": "raw/m-1", "messages": [{"role": "user", "content": "Hello"}]}
BEARER = f"authorization: Bearer {APP_KEY}"


class Scene(NamedTuple):
    gateway: Gateway
    upstream: Upstream
    """The provider, whose key it is."""
    trap: socket.socket
    """Where the key must not go; nobody connects to it."""

    @property
    def elsewhere(self) -> str:
        return f"127.0.0.1:{self.trap.getsockname()[1]}"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    upstream = Upstream()
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        provider = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
        config = configuration(providers={"raw": provider}, default_provider="raw")
        gateway = Gateway(tmp_path_factory.mktemp("home") / "data", config).start()
        yield Scene(gateway, upstream, trap)
        gateway.stop()
    upstream.close()


@pytest.fixture(autouse=True)
def _fresh(scene: Scene) -> None:
    scene.upstream.forget()
    scene.upstream.script = completes


def nobody_came(scene: Scene) -> bool:
    try:
        scene.trap.accept()
    except BlockingIOError:
        return True
    return False


def chat(path: str, *headers: str, host: str = "gateway", **more: object) -> bytes:
    return post(path, {**ASK, **more}, BEARER, *headers, host=host)


REQUESTS = {
    "absolute form": lambda at: chat(f"http://{at}{CHAT}"),
    "absolute form with a user": lambda at: chat(f"http://raw@{at}{CHAT}"),
    "absolute form of a provider's path": lambda at: chat(f"http://{at}/p/raw{CHAT}"),
    "two slashes": lambda at: chat(f"//{at}{CHAT}"),
    "host": lambda at: chat(CHAT, host=at),
    "host twice": lambda at: chat(CHAT, f"host: {at}"),
    "host on another line": lambda at: chat(CHAT, f"x-a: b\nhost: {at}"),
    "forwarded": lambda at: chat(CHAT, f"forwarded: host={at}", f"x-forwarded-host: {at}", f"x-original-url: http://{at}/"),
    "rewritten": lambda at: chat(CHAT, f"x-rewrite-url: http://{at}/", f"x-host: {at}", f":authority: {at}"),
    "words of other gateways": lambda at: chat(
        CHAT, f"x-portkey-custom-host: http://{at}/v1", f"helicone-target-url: http://{at}", f"x-base-url: http://{at}"
    ),
    "our own words": lambda at: chat(CHAT, f"x-callgate-base-url: http://{at}/v1", f"x-callgate-config: http://{at}"),
    "base_url in the body": lambda at: chat(CHAT, base_url=f"http://{at}/v1", api_base=f"http://{at}", host=at),
    "a model that is a place": lambda at: chat(CHAT, model=f"http://{at}/m-1"),
    "a provider that is a place": lambda at: chat(CHAT, model=f"raw@{at}/m-1"),
    "a model that goes up": lambda at: chat(CHAT, model=f"raw/../../{at}/m-1"),
    "a model with a line": lambda at: chat(CHAT, model=f"raw/m\r\nhost: {at}"),
    "query": lambda at: chat(f"{CHAT}?base_url=http://{at}/&host={at}&target={at}"),
    "query with a line": lambda at: chat(f"{CHAT}?a=b%0d%0ahost:%20{at}"),
    "a provider in the path": lambda at: chat(f"/p/{at}{CHAT}"),
    "a user in the path": lambda at: chat(f"/p/raw@{at}{CHAT}"),
    "a place behind the provider": lambda at: chat(f"/p/raw/http://{at}{CHAT}"),
    "slashes behind the provider": lambda at: chat(f"/p/raw//{at}{CHAT}"),
    "an at behind the provider": lambda at: chat(f"/p/raw/@{at}{CHAT}"),
    "only an at": lambda at: chat(f"/p/raw@{at}"),
    "up from the provider": lambda at: chat(f"/p/raw/../../../{at}{CHAT}"),
    "up, escaped": lambda at: chat(f"/p/raw/%2e%2e%2f%2e%2e%2f{at}{CHAT}"),
    "back slashes": lambda at: chat(f"/p/raw/\\\\{at}{CHAT}"),
    "a line in the path": lambda at: chat(f"/p/raw/v1/x%0d%0ahost:%20{at}"),
    "a file by its address": lambda at: chat("/v1/responses", input=[{"type": "input_file", "file_url": f"http://{at}/x"}]),
    "an image by its address": lambda at: chat(
        CHAT, messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"http://{at}/x"}}]}]
    ),
    "a tunnel": lambda at: f"CONNECT {at} HTTP/1.1\r\nhost: {at}\r\n{BEARER}\r\n\r\n".encode(),
    "a port that is none": lambda at: chat(f"http://{at}0000/healthz"),
    "an address that is none": lambda at: chat("http://[::1/healthz"),
    "a websocket elsewhere": lambda at: get(
        f"http://{at}/v1/realtime?model=raw/x", BEARER, "upgrade: websocket", "connection: upgrade",
        "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_no_client_chooses_a_host(name: str, scene: Scene) -> None:
    """Each is answered, by the provider that is configured or by a refusal; the client's own key stays here."""
    with scene.gateway.connect() as wire:
        wire.send(REQUESTS[name](scene.elsewhere))
        said = wire.message()
    assert said.status in (200, 400, 404, 405, 426, 501, 502)
    assert nobody_came(scene)
    assert UPSTREAM_KEY.encode() not in said.head + said.body
    while not scene.upstream.seen.empty():
        came = scene.upstream.seen.get()
        assert all_of(came, "host") == [f"127.0.0.1:{scene.upstream.port}"]
        assert all_of(came, "authorization") == [f"Bearer {UPSTREAM_KEY}"]
        assert APP_KEY.encode() not in came.head + came.body


def test_what_is_asked_that_way_does_reach_the_provider(scene: Scene) -> None:
    """So that the test above is not one of refusals only."""
    for name in ("absolute form", "host", "forwarded", "words of other gateways", "base_url in the body", "query"):
        with scene.gateway.connect() as wire:
            wire.send(REQUESTS[name](scene.elsewhere))
            assert (name, wire.message().status) == (name, 200)
        assert scene.upstream.request().method == "POST"


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308"]
)
def test_a_provider_that_redirects_is_passed_on_and_not_followed(status: str, scene: Scene) -> None:
    place = f"http://{scene.elsewhere}/v1/chat/completions"

    def redirects(wire: Wire, _: Message) -> None:
        wire.send(answer({"moved": True}, f"location: {place}", f"refresh: 0; url={place}", status=status))

    scene.upstream.script = redirects
    said = scene.gateway.exchange(chat_request("Hello"))
    assert (said.status, said.header("location")) == (int(status[:3]), place)
    assert nobody_came(scene)


def test_what_a_provider_says_of_its_host_stays_here(scene: Scene) -> None:
    """Another place to be asked at, a connection to keep secure, a cookie: none of it is about the gateway's host."""

    def advertises(wire: Wire, _: Message) -> None:
        more = (f'alt-svc: h2="{scene.elsewhere}"', "strict-transport-security: max-age=9", "set-cookie: a=b")
        wire.send(answer({"id": "c", "choices": []}, *more))

    scene.upstream.script = advertises
    for _ in range(2):
        said = scene.gateway.exchange(chat_request("Hello"))
        assert not {name.lower() for name, _ in said.headers} & {
            "alt-svc",
            "strict-transport-security",
            "set-cookie",
        }
    assert nobody_came(scene)


@pytest.mark.parametrize(
    "header",
    ["x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization", "x-amz-security-token"],
)
def test_credentials_of_the_client_reach_no_provider(header: str, scene: Scene) -> None:
    request = chat_request("Hello", f"{header}: mine-0123456789", "x-kept: yes")
    assert scene.gateway.exchange(request).status == 200
    came = scene.upstream.request()
    assert (came.header(header), came.header("x-kept")) == (None, "yes")
    assert b"mine-0123456789" not in came.head


def test_a_key_in_the_query_reaches_no_provider(scene: Scene) -> None:
    said = scene.gateway.exchange(post(f"{CHAT}?key={APP_KEY}&alt=json", ASK))
    assert said.status == 200
    came = scene.upstream.request()
    assert APP_KEY not in came.target
    assert "alt=json" in came.target


@pytest.mark.parametrize(
    "smuggled",
    [
        b"x-a: b\r\n\tx-callgate: folded",
        b"x-a: b\nauthorization: Bearer other",
        b"x-a: b\0c",
        b"x-a : b",
        b"content-length: 3",
        b"transfer-encoding: chunked",
        b"transfer-encoding: xchunked",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(smuggled: bytes, scene: Scene) -> None:
    request = chat(CHAT).replace(b"host: gateway\r\n", b"host: gateway\r\n" + smuggled + b"\r\n", 1)
    with scene.gateway.connect() as wire:
        wire.send(request)
        status = wire.message().status
    if status == 200:
        came = scene.upstream.request()
        assert all_of(came, "authorization") == [f"Bearer {UPSTREAM_KEY}"]
        assert json.loads(came.body)["model"] == "m-1"
    else:
        assert status in (400, 501)
        assert scene.upstream.seen.empty()


def all_of(message: Message, name: str) -> list[str]:
    return [value for known, value in message.headers if known.lower() == name]
