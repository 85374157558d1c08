"""An MCP server behind the gateway: forwarded as it is, its tools in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, configuration
from tests.e2e.upstream import Upstream
from tests.e2e.wire import Message, Wire, answer, get, stream_head

ACCEPT = "accept: application/json, text/event-stream"
RESULT = {"content": [{"type": "text", "text": "Two cats."}]}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    pets = {"dialect": "mcp", "base_url": f"http://127.0.0.1:{scripted.port}", "api_key": UPSTREAM_KEY}
    running = Gateway(tmp_path_factory.mktemp("mcp") / "data", configuration(providers={"pets": pets})).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def call(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def says(*messages: dict[str, Any], streams: bool = False) -> Any:
    def script(wire: Wire, request: Message) -> None:
        if not streams:
            wire.send(answer(messages[0], "mcp-session-id: s-1"))
            return
        wire.send(stream_head("mcp-session-id: s-1"))
        wire.chunk(*(b"event: message\ndata: %b\n\n" % json.dumps(each).encode() for each in messages))
        wire.send(b"0\r\n\r\n")

    return script


@pytest.mark.parametrize("streams", [False, True], ids=["json", "stream"])
def test_a_tool_call_is_a_span_of_its_own_kind(gateway: Gateway, upstream: Upstream, streams: bool):
    result = {"jsonrpc": "2.0", "id": 7, "result": RESULT}
    upstream.script = says(*([{"jsonrpc": "2.0", "method": "notifications/progress"}] if streams else []), result,
                           streams=streams)  # fmt: skip
    said = gateway.post("/p/pets/mcp", call("tools/call", name="search", arguments={"q": "cats"}), ACCEPT,
                        "mcp-session-id: s-1")  # fmt: skip
    assert said.header("mcp-session-id") == "s-1"
    asked = upstream.request()
    assert (asked.target, asked.header("mcp-session-id")) == ("/mcp", "s-1")
    assert asked.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert asked.json() == call("tools/call", name="search", arguments={"q": "cats"})

    row = gateway.row_of(said)
    assert (row["kind"], row["name"], row["provider"], row["error_type"]) == ("tool", "search", "pets", None)
    assert json.loads(row["input_preview"]) == {"q": "cats"}
    assert row["output_preview"] == row["response_text"] == "Two cats."
    assert (row["input_tokens"], row["cost_nanousd"]) == (None, None)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"result": {"content": [{"type": "text", "text": "No such index."}], "isError": True}}, "No such index."),
        ({"error": {"code": -32602, "message": "Unknown tool"}}, "Unknown tool"),
    ],
)
def test_a_tool_that_fails(gateway: Gateway, upstream: Upstream, member: dict[str, Any], message: str):
    upstream.script = says({"jsonrpc": "2.0", "id": 7} | member)
    said = gateway.post("/p/pets/mcp", call("tools/call", name="search", arguments={}), ACCEPT)
    assert said.status == 200
    row = gateway.row_of(said)
    assert (row["kind"], row["error_type"], row["error_message"]) == ("tool", "upstream_error", message)


def test_what_is_no_tool_call_is_logged_as_what_it_is(gateway: Gateway, upstream: Upstream):
    upstream.script = says({"jsonrpc": "2.0", "id": 7, "result": {"tools": []}})
    row = gateway.row_of(gateway.post("/p/pets/mcp", call("tools/list"), ACCEPT))
    assert (row["kind"], row["name"]) == ("mcp", "tools/list")


def test_a_session_is_ended_and_listened_to(gateway: Gateway, upstream: Upstream):
    upstream.script = lambda wire, _: wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    ended = gateway.exchange(
        get("/p/pets/mcp", f"authorization: Bearer {APP_KEY}", "mcp-session-id: s-1").replace(b"GET", b"DELETE", 1)
    )
    assert ended.status == 204
    assert upstream.request().method == "DELETE"
    upstream.script = says({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}, streams=True)
    heard = gateway.exchange(get("/p/pets/mcp", f"authorization: Bearer {APP_KEY}", "accept: text/event-stream"))
    assert b"list_changed" in heard.body
    row = gateway.row_of(heard)
    assert (row["kind"], row["error_type"]) == ("mcp", None)


def test_the_gateways_own_errors_are_json_rpc(gateway: Gateway):
    said = gateway.post("/p/pets/mcp", call("tools/list"), ACCEPT, key="cg-unknown")
    assert said.status == 401
    assert said.json()["error"]["data"] == {"code": "invalid_api_key"}
