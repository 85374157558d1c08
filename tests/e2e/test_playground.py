"""The playground's calls through a real gateway: they are calls like any other, of whoever asks, under their rights."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import ADMIN_KEY, APP_KEY, VIEWER_KEY, Gateway, configuration
from tests.e2e.upstream import Upstream, event
from tests.e2e.wire import PATIENCE_S, Message, Wire, post, stream_head

BOUND_KEY = "cg-test-bound-0123456789abcdef0"
"""An admin of acme who may use `demo/echo` and nothing else, twice a minute."""
CHAT = "/api/playground/chat"


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = configuration(limits=[{"scope": "key", "match": "bound", "requests_per_min": 2}])
    config["keys"] = [
        *config["keys"],
        {"name": "bound", "key": BOUND_KEY, "role": "admin", "tenant": "acme", "models": ["demo/echo"]},
    ]
    running = Gateway(tmp_path_factory.mktemp("bound") / "data", config).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def ask(model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def said_events(body: bytes) -> list[tuple[str, str]]:
    """(name, data)"""
    found = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in fields:
            found.append((fields.get("event", ""), fields["data"]))
    return found


def test_a_message_is_a_call_in_the_log(gateway: Gateway) -> None:
    request = ask("demo/echo", "Hello **you**", stream=True, stream_options={"include_usage": True})
    own = {"team": "a", "userId": "somebody else", "feature": "something else"}
    answer = gateway.post(CHAT, {"request": request, "conversation": "c-1", "tags": own}, key=ADMIN_KEY)
    assert answer.status == 200
    assert answer.header("x-callgate-provider") == "demo"
    *chunks, done, last = said_events(answer.body)
    text = "".join(json.loads(data)["choices"][0]["delta"].get("content", "") for _, data in chunks[:-1])
    assert (text, done) == ("Hello **you**", ("", "[DONE]"))
    summary = json.loads(last[1])
    assert (last[0], summary["request_id"]) == ("callgate", answer.header("x-request-id"))
    row = gateway.row_of(answer)
    assert row["tags"] == {"team": "a", "feature": "playground", "userId": "admin", "sessionId": "c-1"}
    assert (row["user"], row["session"], row["feature"]) == ("admin", "c-1", "playground")
    assert (row["key_id"], row["endpoint"]) == ("config:admin", "POST /v1/chat/completions")
    assert row["cost_nanousd"] == summary["cost_nanousd"] > 0
    assert row["response_text"] == "Hello **you**"


def test_a_whole_answer_is_passed_on_as_it_is(gateway: Gateway) -> None:
    answer = gateway.post(CHAT, {"request": ask("demo/echo", "Whole")}, key=ADMIN_KEY)
    body = json.loads(answer.body)
    assert body["choices"][0]["message"]["content"] == "Whole"
    assert float(answer.header("x-callgate-cost-usd") or 0) > 0
    assert gateway.row_of(answer)["session"] is None


def test_metadata_decides_nothing(gateway: Gateway) -> None:
    request = ask("demo/echo", "Whose?", metadata={"tenantSlug": "globex", "userId": "somebody else"})
    row = gateway.row_of(gateway.post(CHAT, {"request": request}, key=ADMIN_KEY))
    assert (row["tenant"], row["user"]) == (None, "admin")


@pytest.mark.parametrize("key", [APP_KEY, VIEWER_KEY])
def test_who_may_not_call_models_here(gateway: Gateway, key: str) -> None:
    answer = gateway.post(CHAT, {"request": ask("demo/echo", "May I?")}, key=key)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (403, "role_not_allowed")


def test_the_bounds_of_a_key_hold(bound: Gateway) -> None:
    refused = bound.post(CHAT, {"request": ask("demo/lorem", "May I?")}, key=BOUND_KEY)
    assert refused.status == 403
    _, models = bound.get("/api/playground/models", key=BOUND_KEY)
    assert [each["id"] for each in models["items"]] == ["demo/echo"]
    answers = [bound.post(CHAT, {"request": ask("demo/echo", "Mine")}, key=BOUND_KEY) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert bound.row_of(answers[0])["tenant"] == "acme"


def test_an_error_of_the_provider_is_the_answer(gateway: Gateway) -> None:
    answer = gateway.post(CHAT, {"request": ask("refused/m-1", "Anybody?", stream=True)}, key=ADMIN_KEY)
    assert answer.status == 502
    assert b"event: callgate" not in answer.body
    assert gateway.row_of(answer)["error_type"] == "network"


def test_who_leaves_ends_the_call(gateway: Gateway, upstream: Upstream) -> None:
    gone = threading.Event()

    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        wire.closed_by_peer()
        gone.set()

    upstream.script = script
    body = {"request": ask("raw/m-1", "Go on for ever", stream=True)}
    with gateway.connect() as wire:
        wire.send(post(CHAT, body, f"authorization: Bearer {ADMIN_KEY}"))
        request_id = wire.head().header("x-request-id")
        assert b"Hello" in wire.next_chunk()
    assert gone.wait(PATIENCE_S), "the provider's connection is closed"
    assert gateway.row(request_id)["error_type"] == "cancelled"


def send(gateway: Gateway, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE_S)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, headers={"authorization": f"Bearer {ADMIN_KEY}"})
        response = connection.getresponse()
        given = response.read()
        return response.status, json.loads(given) if given else None
    finally:
        connection.close()


def test_a_conversation_from_its_first_message_to_its_end(gateway: Gateway) -> None:
    path = "/api/playground/conversations"
    talk = {"models": ["demo/echo"], "rounds": [{"text": "What is a quokka?"}]}
    status, made = send(gateway, "POST", path, {"talk": talk})
    assert (status, made["title"], made["talk"]) == (201, "What is a quokka?", {**talk, "settings": {}})
    one = f"{path}/{made['id']}"
    talk["rounds"][0]["answers"] = [{"model": "demo/echo", "text": "A marsupial.", "cost_nanousd": 1500}]  # type: ignore[index, call-overload]
    status, after = send(gateway, "PATCH", one, {"talk": talk, "version": made["version"]})
    assert (status, after["talk"]["rounds"]) == (200, talk["rounds"])
    assert send(gateway, "PATCH", one, {"talk": talk, "version": made["version"]})[0] == 409
    assert send(gateway, "PATCH", one, {"title": "Quokkas"})[1]["title"] == "Quokkas"
    (head,) = send(gateway, "GET", f"{path}?q=quokka")[1]["items"]
    assert (head["title"], head["rounds"], head["cost_usd"]) == ("Quokkas", 1, 0.0000015)
    assert send(gateway, "PATCH", one, {"talk": {"rounds": [{"txt": ""}]}, "version": after["version"]})[0] == 400
    assert send(gateway, "DELETE", one) == (204, None)
    assert send(gateway, "GET", one)[0] == 404
