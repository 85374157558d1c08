"""Routes in every dialect: a stream that fails before its first content is replaced unseen, one after it is not begun
again, and what the failed one had used by its own word is paid for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.dialects import anthropic_shapes as anthropic
from tests.dialects import cohere_shapes as cohere
from tests.dialects import gemini_shapes as gemini
from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.upstream import Script, Upstream
from tests.e2e.wire import Message, Wire, answer, post, stream_head

RESPONSE: dict[str, Any] = {"id": "resp_1", "object": "response", "model": "m-1", "status": "in_progress", "output": []}
PRICE = {"input_per_mtok": 1.0, "output_per_mtok": 2.0}


def response_event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


@dataclass(frozen=True)
class Tongue:
    """A dialect's streams in parts: what comes ahead of any content, some content, the rest, and an error."""

    dialect: str
    path: str
    body: dict[str, Any]
    begun: bytes
    said: bytes
    end: bytes
    error: bytes
    counts_ahead: bool = False
    """Whether what was used so far stands ahead of the content."""


TONGUES = (
    Tongue(
        "anthropic",
        "/v1/messages",
        {"model": "route", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]},
        anthropic.start(input_tokens=20, cache_read_input_tokens=1000, output_tokens=1),
        anthropic.text(0, "Hel", "lo"),
        anthropic.end(output_tokens=40),
        anthropic.ERROR,
        counts_ahead=True,
    ),
    Tongue(
        "openai",
        "/v1/responses",
        {"model": "route", "stream": True, "input": "Hi"},
        response_event("response.created", response=RESPONSE),
        response_event("response.output_text.delta", item_id="i", output_index=0, content_index=0, delta="Hello"),
        response_event(
            "response.completed",
            response={**RESPONSE, "status": "completed", "usage": {"input_tokens": 9, "output_tokens": 4}},
        ),
        response_event("error", code="server_error", message="overloaded", param=None),
    ),
    Tongue(
        "gemini",
        "/v1beta/models/route:streamGenerateContent?alt=sse",
        {"contents": [{"parts": [{"text": "Hi"}]}]},
        gemini.sse({"usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100}, "modelVersion": "gemini-m-1"}),
        gemini.sse(gemini.HELLO),
        gemini.sse(gemini.THERE),
        gemini.sse(gemini.ERROR),
        counts_ahead=True,
    ),
    Tongue(
        "cohere",
        "/v2/chat",
        {"model": "route", "stream": True, "messages": [{"role": "user", "content": "Hi"}]},
        cohere.START,
        cohere.TEXT,
        cohere.end(),
        cohere.event("message-end", delta={"finish_reason": "ERROR", "error": "overloaded"}),
    ),
)


def streams(*pieces: bytes, ends: bool = True) -> Script:
    def script(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(*pieces)
        if ends:
            wire.send(b"0\r\n\r\n")
        else:
            wire.close()

    return script


def refuses(wire: Wire, request: Message) -> None:
    wire.send(answer({"message": "overloaded"}, status="503 Service Unavailable"))


def resets(wire: Wire, request: Message) -> None:
    wire.reset()


@pytest.fixture(scope="module")
def gateways(scripted: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Gateway]]:
    """One for each dialect, for a route's targets have to speak it."""
    running: dict[str, Gateway] = {}
    for tongue in TONGUES:
        root = f"http://127.0.0.1:{scripted.port}" + ("/v1" if tongue.dialect == "openai" else "")
        here = {"dialect": tongue.dialect, "base_url": root, "api_key": UPSTREAM_KEY}
        config = configuration(
            providers={"one": here, "two": here},
            models={"route": {"targets": ["one/first"], "fallbacks": ["two/second"], "retries": 0}},
            budgets=[{"name": "all", "scope": "tenant", "match": "acme", "period": "total", "usd": 100}],
            cooldown={"failures": 1000, "failure_share": 1.0},
            prices={"overrides": dict.fromkeys(("claude-m-1", "m-1", "gemini-m-1", "first", "second"), PRICE)},
        )
        running[tongue.dialect] = Gateway(tmp_path_factory.mktemp(tongue.dialect) / "data", config).start()
    yield running
    assert [gateway.stop() for gateway in running.values()] == [0] * len(running)


def asked(tongue: Tongue, gateway: Gateway, upstream: Upstream, first: Script) -> tuple[Message, dict[str, Any]]:
    """The answer and the row of a call whose first target does as `first`, and whose second answers."""
    left = [first, streams(tongue.begun, tongue.said, tongue.end)]
    upstream.script = lambda wire, request: left.pop(0)(wire, request)
    given = gateway.exchange(post(tongue.path, tongue.body, f"authorization: Bearer {APP_KEY}", "connection: close"))
    return given, gateway.row_of(given)


each_tongue = pytest.mark.parametrize("tongue", TONGUES, ids=lambda tongue: tongue.dialect)


@each_tongue
@pytest.mark.parametrize("fault", ["error", "cut", "end", "refused", "reset"])
def test_a_stream_that_says_nothing_is_replaced_unseen(
    fault: str, tongue: Tongue, gateways: dict[str, Gateway], upstream: Upstream
) -> None:
    first: dict[str, Script] = {
        "error": streams(tongue.begun, tongue.error),
        "cut": streams(tongue.begun, ends=False),
        "end": streams(tongue.begun),
        "refused": refuses,
        "reset": resets,
    }
    given, row = asked(tongue, gateways[tongue.dialect], upstream, first[fault])
    assert (given.status, given.body) == (200, tongue.begun + tongue.said + tongue.end)
    assert (given.header("x-callgate-provider"), given.header("x-callgate-attempts")) == ("two", "2")
    assert [each["provider"] for each in row["attempts"]] == ["one", "two"]
    assert [each["error_type"] is None for each in row["attempts"]] == [False, True]
    assert (row["error_type"], row["usage_source"]) == (None, "reported")
    costs = [None if each["cost_usd"] is None else round(each["cost_usd"] * 1e9) for each in row["attempts"]]
    assert (costs[0] is not None) is (tongue.counts_ahead and fault in ("error", "end", "cut"))
    assert row["cost_nanousd"] == sum(cost or 0 for cost in costs)


def test_what_a_failed_attempt_cost_is_out_of_the_budget(gateways: dict[str, Gateway], upstream: Upstream) -> None:
    tongue = TONGUES[0]
    gateway = gateways[tongue.dialect]
    before = spent(gateway)
    _, row = asked(tongue, gateway, upstream, streams(tongue.begun, ends=False))
    first, second = (round(each["cost_usd"] * 1e9) for each in row["attempts"])
    assert first > 0
    assert row["cost_nanousd"] == first + second
    wait_for(lambda: round((spent(gateway) - before) * 1e9) == first + second, "the budget has both")


def spent(gateway: Gateway) -> float:
    (budget,) = gateway.get("/api/budgets")[1]["items"]
    return float(budget["spent_usd"])


@each_tongue
@pytest.mark.parametrize("fault", ["error", "cut"])
def test_a_stream_that_has_said_something_is_not_begun_again(
    fault: str, tongue: Tongue, gateways: dict[str, Gateway], upstream: Upstream
) -> None:
    broken = streams(tongue.begun, tongue.said, *([tongue.error] if fault == "error" else []), ends=fault == "error")
    given, row = asked(tongue, gateways[tongue.dialect], upstream, broken)
    assert given.body.startswith(tongue.begun + tongue.said)
    assert tongue.end not in given.body
    assert b"error" in given.body.removeprefix(tongue.begun + tongue.said).lower()
    assert [each["provider"] for each in row["attempts"]] == ["one"]
    assert row["error_type"] == ("upstream_error" if fault == "error" else "network")
