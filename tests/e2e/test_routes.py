"""Routes over real sockets: what fails before the client has seen a byte is tried elsewhere; each attempt is booked."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import APP_KEY, Gateway, configuration, wait_for
from tests.e2e.upstream import DONE, Script, Upstream, completes, event, events
from tests.e2e.wire import Message, Wire, answer, stream_head

FIRST, SECOND = "first", "second"
"""Targets begin so; a test has targets of its own, because a target that was refused is left alone for a while."""


def _status(status: str, *headers: str) -> Script:
    def script(wire: Wire, request: Message) -> None:
        wire.send(answer({"error": {"message": status}}, *headers, status=status))

    return script


def resets(wire: Wire, request: Message) -> None:
    wire.reset()


def garbage(wire: Wire, request: Message) -> None:
    wire.send(b"not http at all\r\n\r\n")
    wire.close()


def hangs(wire: Wire, request: Message) -> None:
    wire.closed_by_peer()


def stalls_within_an_error(wire: Wire, request: Message) -> None:
    wire.send(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000\r\n\r\nso")
    wire.closed_by_peer()


def cut_before_content(wire: Wire, request: Message) -> None:
    wire.send(stream_head())
    wire.chunk(_role(), b": ping\n\n")
    wire.close()


def ends_before_content(wire: Wire, request: Message) -> None:
    wire.send(stream_head())
    wire.chunk(_role())
    wire.send(b"0\r\n\r\n")


def error_before_content(wire: Wire, request: Message) -> None:
    wire.send(stream_head())
    wire.chunk(_role(), b'data: {"error": {"message": "overloaded", "code": 529}}\n\n')
    wire.closed_by_peer()


def silent_before_content(wire: Wire, request: Message) -> None:
    wire.send(stream_head())
    wire.chunk(_role())
    wire.closed_by_peer()


def cut_after_content(wire: Wire, request: Message) -> None:
    wire.send(stream_head())
    wire.chunk(_role(), event("Hel"))
    wire.close()


def _role() -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c-1", "model": "m-1-2026", "choices": [choice]}).encode() + b"\n\n"


def by_model(scripts: dict[str, Script]) -> Script:
    def script(wire: Wire, request: Message) -> None:
        scripts.get(json.loads(request.body)["model"].partition("-")[0], completes)(wire, request)

    return script


@pytest.fixture(scope="module")
def routed(scripted: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    here: dict[str, Any] = {
        "dialect": "openai",
        "base_url": f"http://127.0.0.1:{scripted.port}/v1",
        "api_key": "sk-upstream-one-0123456789",
        "timeout": {"first_byte_s": 0.5, "idle_s": 0.5, "connect_s": 2, "total_s": 5},
    }
    config = configuration(
        providers={
            "one": here,
            "two": here,
            "keyed": {**here, "api_key": ["sk-upstream-key-a-0123456", "sk-upstream-key-b-0123456"]},
            "gone": {**here, "base_url": "http://127.0.0.1:9/v1"},
        },
        models={
            "route/*": {"targets": ["one/first-*"], "fallbacks": ["two/second-*"], "retries": 0},
            "gone/*": {"targets": ["gone/first-*"], "fallbacks": ["two/second-*"], "retries": 0},
            "alone/*": {"targets": ["one/first-*"], "retries": 2, "backoff_ms": 1},
            "watched": {"targets": ["one/first-watched"], "fallbacks": ["two/second-watched"], "retries": 0},
            "impatient/*": {
                "targets": [{"model": "one/first-*", "timeout": {"first_token_s": 0.2, "idle_s": 30}}],
                "fallbacks": ["two/second-*"],
                "retries": 0,
            },
        },
        prices={"overrides": {"m-1-2026": {"input_per_mtok": 1, "output_per_mtok": 2}}},
    )
    gateway = Gateway(tmp_path_factory.mktemp("routes") / "data", config).start()
    yield gateway
    gateway.stop()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The test's own targets."""
    return str(zlib.crc32(request.node.name.encode()))


def went(gateway: Gateway, given: Message) -> list[tuple[str, int | None, str | None]]:
    """The attempts of a call's row: (FIRST or SECOND, status, error type)."""
    row = gateway.row_of(given)
    assert given.header("x-callgate-attempts") == str(len(row["attempts"]))
    return [(each["model"].partition("-")[0], each["status_code"], each["error_type"]) for each in row["attempts"]]


ANYWHERE: list[tuple[Script, int | None, str]] = [
    (_status("500 Internal Server Error"), 500, "upstream_error"),
    (_status("529 Overloaded"), 529, "upstream_error"),
    (_status("408 Request Timeout"), 408, "timeout"),
    (_status("409 Conflict"), 409, "invalid_request"),
    (_status("429 Too Many Requests", "retry-after: 600"), 429, "rate_limit"),
    (_status("401 Unauthorized"), 401, "authentication"),
    (_status("403 Forbidden"), 403, "authentication"),
    (resets, None, "network"),
    (garbage, None, "parse_error"),
    (hangs, None, "timeout"),
    (stalls_within_an_error, 503, "timeout"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("script", "status", "error_type"), ANYWHERE)
def test_what_fails_is_tried_at_the_fallback(
    script: Script, status: int | None, error_type: str, stream: bool, routed: Gateway, upstream: Upstream, name: str
) -> None:
    upstream.script = by_model({FIRST: script})
    given = routed.chat(f"route/{name}", stream=stream)
    assert given.status == 200
    assert b"Hello" in given.body
    assert went(routed, given) == [(FIRST, status, error_type), (SECOND, 200, None)]
    assert given.header("x-callgate-provider") == "two"
    row = routed.row_of(given)
    assert (row["provider"], row["status_code"], row["error_type"], row["cost_nanousd"]) == ("two", 200, None, 17_000)


@pytest.mark.parametrize(
    "script", [cut_before_content, ends_before_content, error_before_content, silent_before_content]
)
def test_a_stream_that_fails_before_it_says_anything_is_replaced(
    script: Script, routed: Gateway, upstream: Upstream, name: str
) -> None:
    upstream.script = by_model({FIRST: script})
    given = routed.chat(f"route/{name}", stream=True)
    assert given.body == b"".join([*events("Hello", " there")[:-1], DONE])
    assert [model for model, _, _ in went(routed, given)] == [FIRST, SECOND]


def test_a_stream_that_has_said_something_is_not_begun_again(routed: Gateway, upstream: Upstream, name: str) -> None:
    upstream.script = by_model({FIRST: cut_after_content})
    given = routed.chat(f"route/{name}", stream=True)
    assert event("Hel") in given.body
    assert b'"error"' in given.body
    assert b"[DONE]" not in given.body
    assert went(routed, given) == [(FIRST, 200, "network")]


def test_a_target_that_cannot_be_reached(routed: Gateway, upstream: Upstream, name: str) -> None:
    upstream.script = completes
    given = routed.chat(f"gone/{name}")
    assert given.status == 200
    assert went(routed, given) == [(FIRST, None, "network"), (SECOND, 200, None)]


def test_a_target_that_is_slow_to_speak(routed: Gateway, upstream: Upstream, name: str) -> None:
    def slow(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(_role())
        for _ in range(100):
            if wire.readable():
                return
            wire.chunk(b": still here\n\n")
            time.sleep(0.02)  # a stream's own pace

    upstream.script = by_model({FIRST: slow})
    given = routed.chat(f"impatient/{name}", stream=True)
    assert went(routed, given) == [(FIRST, 200, "timeout"), (SECOND, 200, None)]


def test_another_key_for_the_one_that_is_refused(routed: Gateway, upstream: Upstream, name: str) -> None:
    def script(wire: Wire, request: Message) -> None:
        if "key-a" in (request.header("authorization") or ""):
            wire.send(answer({"error": {"message": "slow down"}}, "retry-after: 60", status="429 Too Many Requests"))
        else:
            completes(wire, request)

    upstream.script = script
    attempts = [len(went(routed, routed.chat(f"keyed/{name}"))) for _ in range(4)]
    assert sum(attempts) == 5, "one call met the key that rests from then on"


def test_the_same_target_again_where_there_is_no_other(routed: Gateway, upstream: Upstream, name: str) -> None:
    left = [_status("503 Service Unavailable"), resets]

    def script(wire: Wire, request: Message) -> None:
        (left.pop() if left else completes)(wire, request)

    upstream.script = script
    given = routed.chat(f"alone/{name}")
    assert given.status == 200
    assert went(routed, given) == [
        (FIRST, None, "network"),
        (FIRST, 503, "upstream_error"),
        (FIRST, 200, None),
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_the_last_failure_is_the_clients_untouched(
    stream: bool, routed: Gateway, upstream: Upstream, name: str
) -> None:
    said = {"error": {"message": "no room", "type": "overloaded"}}

    def script(wire: Wire, request: Message) -> None:
        wire.send(answer(said, "retry-after: 7", status="503 Service Unavailable"))

    upstream.script = script
    given = routed.chat(f"route/{name}", stream=stream)
    assert (given.status, given.json(), given.header("retry-after")) == (503, said, "7")
    assert [status for _, status, _ in went(routed, given)] == [503, 503]


def test_what_another_target_would_answer_as_well_is_not_tried_there(
    routed: Gateway, upstream: Upstream, name: str
) -> None:
    upstream.script = _status("400 Bad Request")
    given = routed.chat(f"route/{name}")
    assert (given.status, went(routed, given)) == (400, [(FIRST, 400, "invalid_request")])


def test_a_client_that_leaves_during_a_pause_ends_the_call(routed: Gateway, upstream: Upstream, name: str) -> None:
    upstream.script = _status("429 Too Many Requests", "retry-after: 5")
    body = json.dumps({"model": f"alone/{name}", "messages": [{"role": "user", "content": "left"}]}).encode()
    with routed.connect() as wire:
        wire.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n" % APP_KEY.encode(),
            b"x-request-id: left-in-a-pause\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % len(body),
            body,
        )
        upstream.request()
    row = wait_for(lambda: routed.rows("status=cancelled"), "the call is in the log")[0]
    assert (row["client_request_id"], row["status_code"], row["error_type"]) == ("left-in-a-pause", 499, "cancelled")


def test_what_targets_answer_is_measured_and_what_fails_is_left_alone(
    routed: Gateway, upstream: Upstream, name: str
) -> None:
    def target() -> dict[str, Any]:
        status, found = routed.get("/api/routes/explain?model=watched")
        assert status == 200
        return next(each for each in found["route"]["targets"] if each["model"] == "first-watched")

    upstream.script = by_model({FIRST: completes})
    assert went(routed, routed.chat("watched")) == [(FIRST, 200, None)]
    assert target()["latency_ms"] > 0
    upstream.script = by_model({FIRST: _status("500 Internal Server Error")})
    for _ in range(5):
        assert went(routed, routed.chat("watched"))[-1] == (SECOND, 200, None)
    assert target()["state"] == "open"
    assert went(routed, routed.chat("watched")) == [(SECOND, 200, None)]
