"""The API over the real store answers what naive arithmetic over the same rows answers."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.core.span import Payload
from gateway.store import open_store
from gateway.store.base import GROUPS, Batch, SpanWrite
from tests.api.fakes import FakeStore, get, make_app, make_state, traffic

ROWS = traffic(400)
PAYLOADS = {ROWS[3].request_id: Payload(request_body=b'{"model": "gpt-5"}', response_text="Guten Tag")}

QUERIES = [
    "",
    "tenant=acme",
    "model=gpt-5&stream=true",
    "status=error",
    "status=ok&environment=staging",
    "status=429&status=interrupted",
    "tag.feature=chat&tag.release=r1&tag.release=r2",
    "user=ann",
    "unpriced=true",
    "key=config:app",
    "kind=embedding",
    "min_latency_ms=3000&max_latency_ms=6000",
    "min_cost_usd=0.05",
    "q=nr.%2039",
    "q=ÜRGERMEISTER%20NR.%2011",
    "q=it%20went%20WRONG",
    "period=24h",
    "period=6h&tenant=globex",
]
PATHS = [
    *(f"/api/stats?{query}" for query in QUERIES),
    *(f"/api/requests?limit=1000&{query}" for query in QUERIES),
    *(f"/api/costs?group_by={by}" for by in [*GROUPS, "tag:release"]),
    *(f"/api/costs?group_by=model&{query}" for query in QUERIES),
    "/api/requests?limit=1000&order=oldest",
    *(f"/api/values/{field}" for field in ("model", "provider", "tenant", "environment", "key", "kind")),
    "/api/tags",
    "/api/tags/release",
    "/api/tags/release?tenant=acme",
    f"/api/requests/{ROWS[3].request_id}",
    f"/api/requests/{ROWS[4].request_id}",
    "/api/requests/export?format=jsonl&tenant=acme",
    "/api/requests/export?format=csv",
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Any, Any]]:
    """(path, key) → what the API says over SQLite and over the naive store."""
    folder = tmp_path_factory.mktemp("data")

    async def collect() -> dict[tuple[str, str], tuple[Any, Any]]:
        store = open_store("sqlite:///callgate.db", folder)
        await store.connect()
        try:
            await store.write(Batch([SpanWrite(row, PAYLOADS.get(row.request_id)) for row in ROWS]))
            real = make_app(make_state(store, folder))
            naive = make_app(make_state(FakeStore(ROWS, PAYLOADS), folder))
            return {
                (path, key): (read(await get(real, path, key)), read(await get(naive, path, key)))
                for path in PATHS
                for key in ("admin", "acme", "app")
            }
        finally:
            await store.close()

    return asyncio.run(collect())


def read(answer: Any) -> Any:
    kind = answer.headers["content-type"]
    body = (
        answer.text
        if "json" not in kind
        else [json.loads(line, parse_float=Decimal) for line in answer.text.splitlines()]
    )
    return answer.status_code, body


@pytest.mark.parametrize("key", ["admin", "acme", "app"])
@pytest.mark.parametrize("path", PATHS)
def test_the_answers_are_the_same(path: str, key: str, answers: dict[tuple[str, str], tuple[Any, Any]]) -> None:
    real, naive = answers[path, key]
    assert comparable(real) == comparable(naive)


@pytest.mark.parametrize("query", QUERIES)
def test_percentiles_are_right_to_a_bucket(query: str, answers: dict[tuple[str, str], tuple[Any, Any]]) -> None:
    (_, [real]), (_, [naive]) = answers[f"/api/stats?{query}", "admin"]
    for name in ("latency_ms", "ttft_ms", "overhead_ms"):
        if naive["requests"] < 100:
            continue  # one call more or less is more than a bucket
        for percentile in ("p50", "p95"):
            assert float(real[name][percentile]) == pytest.approx(float(naive[name][percentile]), rel=0.11)


def comparable(answer: Any) -> Any:
    """Without percentiles, which are estimates, and cursors; what has no order, sorted."""
    if isinstance(answer, tuple):
        return answer[0], comparable(answer[1])
    if isinstance(answer, dict):
        kept = {
            name: comparable(value)
            for name, value in answer.items()
            if name not in ("p50", "p95", "p99", "next_cursor")
        }
        if "group_by" in kept or ("items" in kept and "sample" in kept):
            kept["items"] = sorted(kept["items"], key=str)
        return kept
    if isinstance(answer, list):
        return [comparable(item) for item in answer]
    return pytest.approx(answer, rel=Decimal("1e-9")) if isinstance(answer, Decimal) else answer


def test_cursors_walk_the_list_both_ways(tmp_path: Path) -> None:
    async def walk() -> None:
        store = open_store("sqlite:///callgate.db", tmp_path)
        await store.connect()
        try:
            await store.write(Batch([SpanWrite(row) for row in ROWS]))
            app = make_app(make_state(store, tmp_path))
            for order in ("newest", "oldest", "slowest", "costliest"):
                there: list[list[str]] = []
                back: list[list[str]] = []
                path = f"/api/requests?limit=70&order={order}&tenant=acme"
                page = (await get(app, path)).json()
                while True:
                    there.append([item["request_id"] for item in page["items"]])
                    if page["next_cursor"] is None:
                        break
                    page = (await get(app, f"{path}&cursor={page['next_cursor']}")).json()
                while page["prev_cursor"] is not None:
                    page = (await get(app, f"{path}&cursor={page['prev_cursor']}")).json()
                    back.append([item["request_id"] for item in page["items"]])
                seen = [request_id for items in there for request_id in items]
                assert len(seen) == len(set(seen))
                assert there[:-1] == [items for items in back[::-1] if items]
        finally:
            await store.close()

    asyncio.run(walk())
