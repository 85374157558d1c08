"""Limits and budgets over real sockets. The long runs are `python -m tests.e2e.limits_race --rounds 50`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import needs
from tests.e2e import limits_neighbour
from tests.e2e.harness import UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.limits_race import instantly, one_round, own_redis
from tests.e2e.upstream import Upstream, completion
from tests.e2e.wire import Message, Wire, answer

CENT = {"per_request": 0.01, "input_per_mtok": 0, "output_per_mtok": 0}
PRICE = {"m-1": CENT, "m-1-2026": CENT}


@pytest.fixture
def limited(tmp_path: Path, upstream: Upstream) -> Iterator[Gateway]:
    upstream.script = instantly
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
    config = configuration(
        providers={"raw": raw},
        prices={"overrides": PRICE},
        limits=[
            {"scope": "tag:case", "match": "rate", "requests_per_min": 3, "tokens_per_min": 100_000},
            {"scope": "tag:case", "match": "places", "concurrent": 1},
            {"scope": "tag:case", "match": "queue", "concurrent": 1, "queue_ms": 5000},
        ],
        budgets=[{"name": "five-cents", "scope": "tag:case", "match": "money", "period": "month", "usd": 0.05}],
    )
    gateway = Gateway(tmp_path / "data", config).start()
    yield gateway
    if gateway.running:
        gateway.stop()


def chat(gateway: Gateway, case: str) -> Message:
    return gateway.chat("raw/m-1", "Hello", f"x-callgate-tags: case={case}", max_tokens=10)


def test_the_fourth_call_within_a_minute_is_told_to_wait_and_is_in_the_log(limited: Gateway) -> None:
    answers = [chat(limited, "rate") for _ in range(4)]
    assert [each.status for each in answers] == [200, 200, 200, 429]
    assert [each.header("x-ratelimit-remaining-requests") for each in answers] == ["2", "1", "0", "0"]
    assert answers[0].header("x-ratelimit-limit-tokens") == "100000"
    refused = answers[3]
    assert 55 <= int(refused.header("retry-after") or 0) <= 61
    error = refused.json()["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert "3 requests per minute" in error["message"]
    assert limited.row_of(refused)["error_type"] == "limit"


def test_a_budget_is_spent_survives_a_crash_and_says_so(limited: Gateway) -> None:
    assert [chat(limited, "money").status for _ in range(6)] == [200] * 5 + [402]
    limited.kill()
    limited.start()
    refused = chat(limited, "money")
    assert refused.status == 402
    error = refused.json()["error"]
    assert error["code"] == "budget_exceeded"
    assert "'five-cents'" in error["message"]
    assert "T00:00:00Z" in error["message"]
    assert limited.row_of(refused)["error_type"] == "budget"
    (budget,) = limited.get("/api/budgets")[1]["items"]
    assert (budget["spent_usd"], budget["reserved_usd"], budget["overshoot_usd"]) == (0.05, 0, 0)


def test_counters_that_are_gone_are_made_anew_from_the_log(limited: Gateway) -> None:
    last = [chat(limited, "money") for _ in range(5)][-1]
    assert limited.row_of(last)["cost_usd"] == 0.01
    limited.kill()
    shutil.rmtree(limited.data / "counters")
    limited.start()
    wait_for(lambda: chat(limited, "money").status == 402, "the log says what was spent")


def test_places_are_given_back_when_a_call_ends_and_a_queue_waits_for_them(
    limited: Gateway, upstream: Upstream
) -> None:
    def held(wire: Wire, request: Message) -> None:
        wait_for(lambda: limited.get("/api/limits")[1]["items"][0]["in_flight"] == 1, "it is under way")
        wire.send(answer(completion()))

    upstream.script = held
    with ThreadPoolExecutor(6) as clients:
        queued = list(clients.map(lambda _: chat(limited, "queue").status, range(6)))
    assert queued == [200] * 6
    upstream.script = instantly
    assert [chat(limited, "places").status for _ in range(3)] == [200] * 3


@pytest.mark.slow
def test_a_crowd_gets_what_may_be_had_and_no_more(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script = instantly
    found = one_round(tmp_path, upstream, clients=120, kill=False, redis=None)
    assert found.problems() == []


@pytest.mark.slow
def test_a_crowd_at_two_gateways_that_share_through_redis(tmp_path: Path, upstream: Upstream) -> None:
    needs.program("redis-server")
    upstream.script = instantly
    with own_redis(tmp_path) as url:
        found = one_round(tmp_path, upstream, clients=120, kill=False, redis=url)
    assert found.problems(gateways=2) == []


def test_a_tenant_far_over_its_limit_is_refused_and_its_neighbour_is_served(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script = instantly
    gateway = limits_neighbour.start(tmp_path, upstream)
    try:
        took, quiet, loud = limits_neighbour.watch(gateway, 4, 0.5)
    finally:
        gateway.stop()
    assert set(quiet) == {200}
    assert loud[200] == limits_neighbour.LOUD_PER_MIN
    assert set(loud) == {200, 429}
    beside = sorted(each for slot, times in took.items() if slot % 2 for each in times)
    assert beside[len(beside) // 2] < 250  # far from what would be felt if refusals were worked off in a line
