"""A recorded call sent again, a running one stopped, through the API of a real gateway."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any

from tests.e2e.harness import ADMIN_KEY, APP_KEY, VIEWER_KEY, Gateway, chat_request, wait_for
from tests.e2e.upstream import Upstream, event
from tests.e2e.wire import PATIENCE_S, Message, Wire, answer, stream_head


def send(gateway: Gateway, path: str, body: object = None, key: str = ADMIN_KEY) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE_S)
    try:
        data = None if body is None else json.dumps(body)
        connection.request("POST", path, data, headers={"authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_replay_is_a_call_like_any_other(gateway: Gateway) -> None:
    tags = {"tenantSlug": "acme", "feature": "chat"}
    first = gateway.row_of(gateway.chat("demo/echo", "Say it again", metadata=tags, temperature=0.5))
    status, made = send(gateway, f"/api/requests/{first['request_id']}/replay", {"model": "demo/lorem"})
    assert (status, made["status_code"], made["replay_of"]) == (200, 200, first["request_id"])
    assert made["model"] == "lorem"
    assert made["text"]
    row = gateway.row(made["request_id"])
    assert row["tags"] == {"replay_of": first["request_id"]}
    assert (row["tenant"], row["key_id"]) == (None, "config:admin")
    assert row["request_body"]["messages"] == first["request_body"]["messages"]
    assert row["request_body"]["temperature"] == 0.5
    for name in ("cost_usd", "input_tokens", "output_tokens", "finish_reason", "model", "provider"):
        assert row[name] == made[name], name
    if made["cost_usd"] is not None:
        assert abs(made["cost_difference_usd"] - (row["cost_usd"] - first["cost_usd"])) < 1e-9


def test_a_streamed_call_is_replayed_as_a_stream(gateway: Gateway) -> None:
    first = gateway.row_of(gateway.chat("demo/echo", "Say it slowly", stream=True))
    status, made = send(gateway, f"/api/requests/{first['request_id']}/replay")
    assert status == 200
    assert made["ttft_ms"] is not None
    row = gateway.row(made["request_id"])
    assert (row["stream"], row["response_text"]) == (True, made["text"])


def test_the_page_of_a_replay_sets_both_side_by_side(gateway: Gateway) -> None:
    row = gateway.row_of(gateway.chat("demo/echo", "Say it on a page"))
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE_S)
    headers = {"authorization": f"Bearer {ADMIN_KEY}", "accept": "text/html"}
    connection.request("POST", f"/requests/{row['request_id']}/replay", "model=demo%2Florem", headers)
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    assert response.status == 200
    for words in ("Figures", "Original", "Replay", "demo/echo", "demo/lorem", "Say it on a page"):
        assert words in page


def test_what_cannot_be_replayed_says_why(gateway: Gateway) -> None:
    assert send(gateway, "/api/requests/01a1fb17-e7d9-75bf-b372-c6d9023cfc45/replay")[0] == 404
    row = gateway.row_of(gateway.chat("demo/echo", "Mine"))
    path = f"/api/requests/{row['request_id']}/replay"
    assert send(gateway, path, key=VIEWER_KEY)[0] == 403
    status, said = send(gateway, path, {"modle": "x"})
    assert (status, "modle" in said["error"]["message"]) == (400, True)


def test_a_provider_that_refuses_a_replay_is_the_answer(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = lambda wire, request: wire.send(
        answer(
            b'{"id": "1", "model": "m-1-2026", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
        )
    )
    row = gateway.row_of(gateway.exchange(chat_request("Hi")))
    upstream.script = lambda wire, request: wire.send(answer(b'{"error": {"message": "Not today"}}', status=429))
    status, made = send(gateway, f"/api/requests/{row['request_id']}/replay")
    assert (status, made["status_code"], made["error_message"]) == (200, 429, "Not today")


def test_a_call_in_flight_is_seen_and_stopped(gateway: Gateway, upstream: Upstream) -> None:
    let_go = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        wire.closed_by_peer()
        let_go.set()

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(chat_request("Go on for ever", stream=True))
        head = wire.head()
        request_id = head.header("x-request-id")
        assert b"Hello" in wire.next_chunk()
        found = wait_for(
            lambda: next(
                (
                    each
                    for each in gateway.get("/api/requests/inflight")[1]["items"]
                    if each["request_id"] == request_id
                ),
                None,
            ),
            "the call is in the list",
        )
        assert (found["model"], found["provider"], found["stream"], found["is_answering"]) == ("m-1", "raw", True, True)
        assert found["elapsed_ms"] > 0
        assert send(gateway, f"/api/requests/{request_id}/stop", key=VIEWER_KEY)[0] == 403
        assert send(gateway, f"/api/requests/{request_id}/stop") == (200, {"request_id": request_id, "stopped": True})
        said = b"".join(iter(wire.next_chunk, b""))
        assert b'"stopped"' in said
        assert b"[DONE]" not in said
    assert let_go.wait(PATIENCE_S), "the provider's connection is closed"
    row = gateway.row(request_id)
    assert (row["error_type"], row["status_code"]) == ("cancelled", 200)  # which it had been told before
    assert "admin" in row["error_message"]
    assert send(gateway, f"/api/requests/{request_id}/stop")[0] == 404


def test_an_app_stops_its_own_calls_only(gateway: Gateway, upstream: Upstream) -> None:
    closed = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.closed_by_peer()
        closed.set()

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(chat_request("Think"))
        items = wait_for(lambda: gateway.get("/api/requests/inflight", key=APP_KEY)[1]["items"], "it is in flight")
        assert gateway.get("/api/requests/inflight", key=VIEWER_KEY)[1]["worker"] == 0
        assert send(gateway, f"/api/requests/{items[0]['request_id']}/stop", key=APP_KEY)[0] == 200
        given = wire.message()
    assert (given.status, given.json()["error"]["code"]) == (499, "stopped")
    assert closed.wait(PATIENCE_S)


def test_a_trace_is_read_as_a_tree(gateway: Gateway) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    rows = [
        gateway.row_of(gateway.chat("demo/echo", f"Step {n}", f"traceparent: 00-{trace}-00f067aa0ba902b{n}-01"))
        for n in range(3)
    ]
    status, found = gateway.get(f"/api/traces/{trace}")
    assert (status, found["spans"], found["errors"]) == (200, 3, 0)
    assert [item["request_id"] for item in found["items"]] == [row["request_id"] for row in rows]
    assert found["input_tokens"] == sum(row["input_tokens"] for row in rows)
    assert gateway.get("/api/traces/none")[0] == 404
