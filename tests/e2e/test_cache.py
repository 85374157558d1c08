"""The response cache over real sockets: the same question is answered once, and everybody gets that answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.harness import APP_KEY, KEYS, UPSTREAM_KEY, Gateway, chat_request, configuration, wait_for
from tests.e2e.upstream import DONE, Upstream, completes, completion, event, events
from tests.e2e.wire import PATIENCE_S, Message, Wire, answer, stream_head

OTHER_KEY = "cg-test-other-0123456789abcdef00"
PRICE = {"m-1-2026": {"input_per_mtok": 1.0, "output_per_mtok": 2.0}}
COST_USD = 0.000017
"""9 tokens in and 4 out."""


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{scripted.port}/v1", "api_key": UPSTREAM_KEY}
    config = configuration(
        providers={"raw": raw},
        prices={"overrides": PRICE},
        models={
            "brief": {"targets": ["raw/m-brief"], "cache_ttl_s": 1},
            "never": {"targets": ["raw/m-never"], "cache_ttl_s": 0},
        },
        cache={"mode": "memory", "max_entry_kb": 64, "models": ["raw/m-*", "brief", "never"]},
    )
    config["keys"] = [*KEYS, {"name": "other", "key": OTHER_KEY, "tenant": "umbrella", "environment": "test"}]
    running = Gateway(tmp_path_factory.mktemp("cache") / "data", config).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def metric(gateway: Gateway, name: str) -> float:
    _, text = gateway.get("/metrics")
    (line,) = [line for line in text.splitlines() if line.startswith(f"callgate_{name}")]
    return float(line.rpartition(" ")[2])


def cache_of(*answers: Message) -> list[str | None]:
    return [each.header("x-callgate-cache") for each in answers]


def stream(gateway: Gateway, text: str, *headers: str, **more: Any) -> Message:
    return gateway.chat("raw/m-1", text, *headers, stream=True, **more)


def with_cache(gateway: Gateway, settings: str) -> Gateway:
    plain = gateway.config.read_text("utf-8").partition("cache:")[0]
    gateway.config.write_text(f"{plain}cache: {settings}\n", "utf-8")
    return gateway.start()


class Gate:
    """A script that answers when it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.open = threading.Event()

    def __call__(self, wire: Wire, request: Message) -> None:
        self.calls += 1
        assert self.open.wait(PATIENCE_S)
        completes(wire, request)


# ---------------------------------------------------------------------------------------- hit, miss, bypass


def test_the_second_call_gets_the_same_bytes_costs_nothing_and_is_a_row(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    hits, misses = metric(cached, "cache_hits_total"), metric(cached, "cache_misses_total")
    first, second = cached.chat("raw/m-1", "twice"), cached.chat("raw/m-1", "twice")
    assert (first.status, second.status) == (200, 200)
    assert first.body == second.body
    assert cache_of(first, second) == ["miss", "hit"]
    assert (first.header("age"), second.header("age")) == (None, "0")
    assert (first.header("x-callgate-attempts"), second.header("x-callgate-attempts")) == ("1", "0")
    assert second.header("x-callgate-provider") == "raw"
    assert second.header("x-callgate-model") == "m-1"
    assert float(second.header("x-callgate-cost-usd") or "nan") == 0
    assert second.header("x-request-id") != first.header("x-request-id")
    assert upstream.seen.qsize() == 1

    asked, given = cached.row_of(first), cached.row_of(second)
    assert (asked["cache"], asked["cost_usd"], asked["cost_source"]) == ("miss", COST_USD, "override")
    assert (given["cache"], given["cost_usd"], given["cost_source"]) == ("hit", 0, "cache")
    assert (asked["saved_usd"], given["saved_usd"]) == (None, COST_USD)
    assert (len(asked["attempts"]), given["attempts"]) == (1, [])
    assert (given["input_tokens"], given["output_tokens"]) == (9, 4)
    assert (given["response_body"], given["finish_reason"]) == (asked["response_body"], "stop")
    assert (given["upstream_ms"], given["error_type"]) == (None, None)

    _, sums = cached.get(f"/api/stats?tenant=acme&from={asked['started_at']}")
    assert (sums["requests"], sums["cost_usd"], sums["saved_usd"]) == (2, COST_USD, COST_USD)
    assert (sums["input_tokens"], sums["output_tokens"]) == (9, 4), "what the provider was asked for"

    assert metric(cached, "cache_hits_total") == hits + 1
    assert metric(cached, "cache_misses_total") == misses + 1
    assert metric(cached, "cache_bytes") > len(first.body)


def test_what_only_says_who_asks_does_not_count(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    first = cached.chat("raw/m-1", "who", user="ada", metadata={"feature": "one"})
    second = cached.chat("raw/m-1", "who", "user-agent: other", user="bob", metadata={"feature": "two"})
    written_otherwise = b'{"messages":[{"role":"user","content":"who"}],\n "model" : "raw/m-1"}'
    third = cached.post("/v1/chat/completions", written_otherwise)
    assert cache_of(first, second, third) == ["miss", "hit", "hit"]
    assert cached.row_of(second)["tags"]["feature"] == "two"
    assert upstream.seen.qsize() == 1


@pytest.mark.parametrize(
    "differs", [{"temperature": 0.5}, {"max_tokens": 5}, {"seed": 7}, {"stream": True}, {"n": 2}], ids=str
)
def test_everything_else_does(cached: Gateway, upstream: Upstream, differs: dict[str, Any]) -> None:
    upstream.script = completes
    text = f"else {differs}"
    answers = [cached.chat("raw/m-1", text), cached.chat("raw/m-1", text, **differs)]
    assert cache_of(*answers) == ["miss", "miss"]


@pytest.mark.parametrize("makes", [{"store": True}, {"background": True}], ids=str)
def test_a_call_that_makes_something_is_made_each_time(
    cached: Gateway, upstream: Upstream, makes: dict[str, Any]
) -> None:
    upstream.script = completes
    answers = [cached.chat("raw/m-1", f"makes {makes}", **makes) for _ in range(2)]
    assert cache_of(*answers) == ["bypass", "bypass"]


def test_models_that_are_not_named_and_routes_that_keep_nothing_pass_by(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    for model in ("raw/other", "never"):
        assert cache_of(cached.chat(model), cached.chat(model)) == ["bypass", "bypass"]
    assert upstream.seen.qsize() == 4


def test_tenants_never_share(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    body = {"model": "raw/m-1", "messages": [{"role": "user", "content": "a secret"}]}
    answers = [cached.post("/v1/chat/completions", body, key=key) for key in (APP_KEY, OTHER_KEY, APP_KEY, OTHER_KEY)]
    assert cache_of(*answers) == ["miss", "miss", "hit", "hit"]


def test_embeddings_are_kept_too(cached: Gateway, upstream: Upstream) -> None:
    embedded = {"object": "list", "data": [], "model": "m-1-2026", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    upstream.script = lambda wire, request: wire.send(answer(embedded))
    answers = [cached.post("/v1/embeddings", {"model": "raw/m-1", "input": "words"}) for _ in range(2)]
    assert cache_of(*answers) == ["miss", "hit"]
    assert answers[1].json() == embedded


def test_a_failure_is_not_kept(cached: Gateway, upstream: Upstream) -> None:
    failed = cached.chat("raw/m-1", "fails first")
    upstream.script = completes
    assert (failed.status, failed.header("x-callgate-cache")) == (500, "miss")
    again = [cached.chat("raw/m-1", "fails first") for _ in range(2)]
    assert [each.status for each in again] == [200, 200]
    assert cache_of(*again) == ["miss", "hit"]


def test_an_answer_that_is_too_large_is_not_kept(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = lambda wire, request: wire.send(answer(completion("x" * 70_000)))
    assert cache_of(*(cached.chat("raw/m-1", "large") for _ in range(2))) == ["miss", "miss"]


# ---------------------------------------------------------------------------------------- what the client says


def test_no_store_neither_takes_nor_leaves_anything(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    answers = [cached.chat("raw/m-1", "off the record", "x-callgate-cache: no-store") for _ in range(2)]
    after = cached.chat("raw/m-1", "off the record")
    assert cache_of(*answers, after) == ["bypass", "bypass", "miss"]


def test_only_if_cached_never_goes_upstream(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    only = "x-callgate-cache: only-if-cached"
    missed = cached.chat("raw/m-1", "only", only)
    assert (missed.status, missed.json()["error"]["code"]) == (504, "cache_miss")
    assert cache_of(missed) == ["miss"]
    assert upstream.seen.empty()
    cached.chat("raw/m-1", "only")
    assert cache_of(cached.chat("raw/m-1", "only", only)) == ["hit"]
    assert cached.chat("raw/other", "only", only).status == 504, "whatever the reason"


def test_max_age_takes_younger_answers_only(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    cached.chat("raw/m-1", "aged")
    fresh = cached.chat("raw/m-1", "aged", "x-callgate-cache: max-age=60")
    anew = cached.chat("raw/m-1", "aged", "x-callgate-cache: max-age=0")
    assert cache_of(fresh, anew) == ["hit", "miss"]
    assert cached.chat("raw/m-1", "aged", "x-callgate-cache: max-age=0, only-if-cached").status == 504


def test_a_word_that_is_not_understood_is_refused(cached: Gateway) -> None:
    refused = cached.chat("raw/m-1", "Hello", "x-callgate-cache: nostore")
    assert refused.status == 400
    assert "'nostore'" in refused.json()["error"]["message"]


def test_an_answer_is_gone_after_its_time(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    assert cache_of(cached.chat("brief"), cached.chat("brief")) == ["miss", "hit"]
    wait_for(lambda: cache_of(cached.chat("brief")) == ["miss"], "its time is over")


# ---------------------------------------------------------------------------------------- streams


def test_a_stream_is_given_again_as_a_stream(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    first, second = stream(cached, "streamed"), stream(cached, "streamed")
    assert cache_of(first, second) == ["miss", "hit"]
    assert first.body == second.body
    assert second.body.endswith(DONE)
    assert b'"usage"' not in second.body, "the gateway's own question for usage shows in neither"
    assert all(chunk.endswith(b"\n\n") for chunk in second.chunks)
    assert second.header("content-type") == "text/event-stream"
    asked, given = cached.row_of(first), cached.row_of(second)
    assert (asked["cost_usd"], given["cost_usd"], given["cache"]) == (COST_USD, 0, "hit")
    assert (given["output_tokens"], given["response_text"]) == (4, "Hello there")
    assert (given["ttft_ms"] is not None, given["tokens_per_second"]) == (True, None)
    own = stream(cached, "streamed", stream_options={"include_usage": True})
    assert cache_of(own) == ["miss"], "who asks for usage gets other bytes"
    assert b'"usage"' in own.body


def test_a_stream_that_was_cut_is_not_kept(cached: Gateway, upstream: Upstream) -> None:
    def cut(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hel"))
        wire.close()

    upstream.script = cut
    assert b"error" in stream(cached, "cut").body
    upstream.script = completes
    assert cache_of(stream(cached, "cut"), stream(cached, "cut")) == ["miss", "hit"]


def test_a_client_that_reads_slowly_gets_all_of_it(cached: Gateway, upstream: Upstream) -> None:
    texts = [f"{number:0500d}" for number in range(100)]

    def long(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(*events(*texts), DONE)
        wire.send(b"0\r\n\r\n")

    upstream.script = long
    first = stream(cached, "long")
    with cached.connect() as wire:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        wire.send(chat_request("long", stream=True))
        head = wire.head()
        wire.read_body(head)
    assert cache_of(first, head) == ["miss", "hit"]
    assert head.body == first.body


# ---------------------------------------------------------------------------------------- single flight


def test_fifty_clients_make_one_call(cached: Gateway, upstream: Upstream) -> None:
    gate = upstream.script = Gate()
    hits = metric(cached, "cache_hits_total")
    with ThreadPoolExecutor(50) as clients:
        calls = [clients.submit(cached.chat, "raw/m-1", "fifty") for _ in range(50)]
        wait_for(lambda: metric(cached, "cache_hits_total") == hits + 49, "49 wait for the first")
        gate.open.set()
        answers = [call.result() for call in calls]
    assert gate.calls == 1
    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert sorted(map(str, cache_of(*answers))) == ["hit"] * 49 + ["miss"]
    rows = [cached.row_of(each) for each in answers]
    assert len({row["request_id"] for row in rows}) == 50
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(COST_USD)


def test_a_stream_is_followed_from_its_beginning_and_as_it_comes(cached: Gateway, upstream: Upstream) -> None:
    more = threading.Event()

    def halves(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        assert more.wait(PATIENCE_S)
        wire.chunk(*events(" there"), DONE)
        wire.send(b"0\r\n\r\n")

    upstream.script = halves
    with cached.connect() as first, cached.connect() as second:
        first.send(chat_request("halves", stream=True))
        head = first.head()
        assert first.next_chunk() == event("Hello")
        second.send(chat_request("halves", stream=True))
        follows = second.head()
        assert second.next_chunk() == event("Hello"), "before the provider has said more"
        more.set()
        first.read_body(head)
        second.read_body(follows)
    assert cache_of(head, follows) == ["miss", "hit"]
    assert head.body == follows.body
    assert head.body.endswith(DONE)
    assert upstream.seen.qsize() == 1
    assert cached.row_of(follows)["response_text"] == "Hello there"


def test_when_the_first_fails_the_next_one_goes_itself(cached: Gateway, upstream: Upstream) -> None:
    gate = Gate()

    def fails_once(wire: Wire, request: Message) -> None:
        if gate.calls:
            completes(wire, request)
            return
        gate.calls += 1
        assert gate.open.wait(PATIENCE_S)
        wire.send(answer({"error": {"message": "no"}}, status="503 Service Unavailable"))

    upstream.script = fails_once
    hits = metric(cached, "cache_hits_total")
    with ThreadPoolExecutor(5) as clients:
        calls = [clients.submit(cached.chat, "raw/m-1", "fails once") for _ in range(5)]
        wait_for(lambda: metric(cached, "cache_hits_total") == hits + 4, "four wait")
        gate.open.set()
        answers = [call.result() for call in calls]
    assert sorted(each.status for each in answers) == [200] * 4 + [503]
    assert upstream.seen.qsize() == 2, "the second one's answer is for the others as well"


def test_a_provider_that_fails_every_time_is_not_asked_one_after_the_other(cached: Gateway, upstream: Upstream) -> None:
    gate = Gate()

    def fails(wire: Wire, request: Message) -> None:
        assert gate.open.wait(PATIENCE_S)
        wire.send(answer({"error": {"message": "no"}}, status="503 Service Unavailable"))

    upstream.script = fails
    hits = metric(cached, "cache_hits_total")
    with ThreadPoolExecutor(8) as clients:
        calls = [clients.submit(cached.chat, "raw/m-1", "always fails") for _ in range(8)]
        wait_for(lambda: metric(cached, "cache_hits_total") == hits + 7, "seven wait")
        gate.open.set()
        assert {call.result().status for call in calls} == {503}
    assert upstream.seen.qsize() == 8


def test_a_leader_whose_client_leaves_goes_on_for_the_others(cached: Gateway, upstream: Upstream) -> None:
    gate = upstream.script = Gate()
    hits = metric(cached, "cache_hits_total")
    leader = cached.connect()
    leader.send(chat_request("left alone"))
    upstream.request()
    with ThreadPoolExecutor(1) as client:
        follower = client.submit(cached.chat, "raw/m-1", "left alone")
        wait_for(lambda: metric(cached, "cache_hits_total") == hits + 1, "another waits")
        gone = metric(cached, "client_gone_total")
        leader.reset()
        wait_for(lambda: metric(cached, "client_gone_total") == gone + 1, "the first one's client is gone")
        gate.open.set()
        answered = follower.result()
    assert (answered.status, answered.header("x-callgate-cache")) == (200, "hit")
    assert gate.calls == 1
    cached.row_of(answered)
    (row,) = [row for row in cached.rows("status=499") if row["input_preview"] == "left alone"]
    assert (row["error_type"], row["cost_usd"], row["cache"]) == ("cancelled", COST_USD, "miss")


def test_when_all_have_left_the_call_is_ended(cached: Gateway, upstream: Upstream) -> None:
    ended = threading.Event()

    def waits(wire: Wire, request: Message) -> None:
        if wire.closed_by_peer():
            ended.set()

    upstream.script = waits
    hits = metric(cached, "cache_hits_total")
    clients = [cached.connect() for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(chat_request("all leave"))
        if not number:
            upstream.request()
    wait_for(lambda: metric(cached, "cache_hits_total") == hits + 2, "two wait")
    for client in clients:
        client.reset()
    assert ended.wait(PATIENCE_S)
    upstream.script = completes
    assert cache_of(cached.chat("raw/m-1", "all leave")) == ["miss"]


def test_one_that_leaves_while_it_follows_is_a_row_of_its_own(cached: Gateway, upstream: Upstream) -> None:
    more = threading.Event()

    def halves(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hello"))
        assert more.wait(PATIENCE_S)
        wire.chunk(*events(" there"), DONE)
        wire.send(b"0\r\n\r\n")

    upstream.script = halves
    with cached.connect() as first:
        first.send(chat_request("one leaves", stream=True))
        head = first.head()
        assert first.next_chunk() == event("Hello")
        second = cached.connect()
        second.send(chat_request("one leaves", stream=True))
        follows = second.head()
        assert second.next_chunk() == event("Hello")
        second.reset()
        row = cached.row_of(follows)
        more.set()
        first.read_body(head)
    assert head.body.endswith(DONE)
    assert (row["status_code"], row["error_type"], row["cost_usd"], row["cache"]) == (499, "cancelled", 0, "hit")


def test_a_follower_of_a_stream_that_breaks_is_told_so(cached: Gateway, upstream: Upstream) -> None:
    more = threading.Event()

    def breaks(wire: Wire, request: Message) -> None:
        wire.send(stream_head())
        wire.chunk(event("Hel"))
        assert more.wait(PATIENCE_S)
        wire.close()

    upstream.script = breaks
    with cached.connect() as first, cached.connect() as second:
        first.send(chat_request("breaks", stream=True))
        head = first.head()
        assert first.next_chunk() == event("Hel")
        second.send(chat_request("breaks", stream=True))
        follows = second.head()
        assert second.next_chunk() == event("Hel")
        more.set()
        first.read_body(head)
        second.read_body(follows)
    assert head.body == follows.body
    assert b"error" in follows.body
    row = cached.row_of(follows)
    assert (row["error_type"], row["cost_usd"]) == ("network", 0)


def test_one_connection_asks_again_and_again(cached: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    request = chat_request("again and again")
    with cached.connect() as wire:
        wire.send(request * 20)
        answers = [wire.message() for _ in range(20)]
    assert cache_of(*answers) == ["miss"] + ["hit"] * 19


def test_nobody_waits_for_ever_for_the_first_or_at_all_where_it_is_not_wanted(
    own_gateway: Gateway, upstream: Upstream
) -> None:
    gate = upstream.script = Gate()
    gateway = with_cache(own_gateway, "{mode: memory, wait_s: 0.2}")
    with ThreadPoolExecutor(2) as clients:
        calls = [clients.submit(gateway.chat, "raw/m-1", "slow") for _ in range(2)]
        wait_for(lambda: gate.calls == 2, "the second one goes itself")
        gate.open.set()
        assert [call.result().status for call in calls] == [200, 200]
    assert gateway.stop() == 0

    gate = upstream.script = Gate()
    gateway = with_cache(own_gateway, "{mode: memory, single_flight: false}")
    with ThreadPoolExecutor(2) as clients:
        calls = [clients.submit(gateway.chat, "raw/m-1", "alone") for _ in range(2)]
        wait_for(lambda: gate.calls == 2, "both go")
        gate.open.set()
        assert cache_of(*[call.result() for call in calls]) == ["miss", "miss"]
    assert cache_of(gateway.chat("raw/m-1", "alone")) == ["hit"]
    assert gateway.stop() == 0


# ---------------------------------------------------------------------------------------- the store


def in_store(gateway: Gateway) -> Gateway:
    return with_cache(gateway, "{mode: store}")


def test_in_the_store_answers_outlive_the_process(own_gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    gateway = in_store(own_gateway)
    whole, streamed = gateway.chat("raw/m-1", "kept"), stream(gateway, "kept")
    assert cache_of(whole, streamed) == ["miss", "miss"]
    assert gateway.stop() == 0
    gateway.start()
    only = "x-callgate-cache: only-if-cached"
    again = [gateway.chat("raw/m-1", "kept"), stream(gateway, "kept"), gateway.chat("raw/m-1", "kept", only)]
    assert cache_of(*again) == ["hit", "hit", "hit"]
    assert [each.body for each in again] == [whole.body, streamed.body, whole.body]
    assert gateway.row_of(again[0])["saved_usd"] is None, "the price of this model is not known"
    assert gateway.chat("raw/m-1", "never asked", only).status == 504
    assert cache_of(gateway.chat("raw/m-1", "never asked")) == ["miss"]
    assert gateway.stop() == 0
    assert upstream.seen.qsize() == 3


def test_calls_that_wait_for_the_store_share_what_is_found_there(own_gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    gateway = in_store(own_gateway)
    first = gateway.chat("raw/m-1", "shared")
    assert gateway.stop() == 0
    gateway.start()
    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda _: gateway.chat("raw/m-1", "shared"), range(40)))
    assert set(cache_of(*answers)) == {"hit"}
    assert {each.body for each in answers} == {first.body}
    assert upstream.seen.qsize() == 1
    assert gateway.stop() == 0


def test_content_that_may_not_be_kept_is_not_kept_here_either(own_gateway: Gateway, upstream: Upstream) -> None:
    upstream.script = completes
    with own_gateway.config.open("a", encoding="utf-8") as config:
        config.write("privacy: {policies: [{scope: tenant, match: acme, payloads: none}]}\n")
    gateway = in_store(own_gateway)
    assert cache_of(gateway.chat("raw/m-1"), gateway.chat("raw/m-1")) == ["bypass", "bypass"]
    assert gateway.stop() == 0


# ---------------------------------------------------------------------------------------- off


def test_without_a_cache_every_call_is_made_and_only_if_cached_is_still_kept_to(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.script = completes
    answers = [gateway.chat("raw/m-1", "no cache") for _ in range(2)]
    assert cache_of(*answers) == ["bypass", "bypass"]
    assert upstream.seen.qsize() == 2
    assert gateway.row_of(answers[1])["cache"] is None
    only = gateway.chat("raw/m-1", "no cache", "x-callgate-cache: only-if-cached")
    assert only.status == 504
    assert upstream.seen.qsize() == 2


def test_other_settings_for_the_cache_hold_at_once(own_gateway: Gateway, upstream: Upstream) -> None:
    """Turned on, then off again, by a reload."""
    upstream.script = completes
    plain = own_gateway.config.read_text("utf-8")
    own_gateway.start()
    assert cache_of(own_gateway.chat("raw/m-1"), own_gateway.chat("raw/m-1")) == ["bypass", "bypass"]
    own_gateway.config.write_text(plain + "cache: {mode: memory}\n", "utf-8")
    wait_for(lambda: cache_of(own_gateway.chat("raw/m-1")) == ["hit"], "it is on")
    own_gateway.config.write_text(plain, "utf-8")
    wait_for(lambda: cache_of(own_gateway.chat("raw/m-1")) == ["bypass"], "it is off")
    assert own_gateway.stop() == 0
