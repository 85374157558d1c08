"""What the pages of requests say is what the API says to the same question, over random calls in the real store."""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.dashboard import format as number
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import ADMIN_KEY, Installation

DAY = 86400 * 1_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
QUERIES = (
    "period=24h",
    "period=24h&status=error",
    "period=24h&model=!gpt-5&tag.feature=kyc-review",
    "period=24h&provider=anthropic&min_latency_ms=2000&order=slowest",
    "period=24h&tenant=acme&tenant=quill&order=costliest&limit=25",
    "period=24h&stream=true&max_cost_usd=0.001&order=oldest",
)
COLUMNS = "request,tenant,input,cached,output,reasoning,attempts,overhead,ttft,cost,latency"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Any:
    now_us = time.time_ns() // 1000
    spans = traffic(700, now_us=now_us, length_us=DAY, seed=time.time_ns() % 10**6)
    for each in spans[:9]:
        each.trace_id = TRACE
    call, payload = chat_call(now_us - 60_000_000)
    made = Installation(tmp_path_factory.mktemp("numbers"), [*spans, call], {call.request_id: payload})
    with TestClient(made.app, headers={"x-api-key": ADMIN_KEY}) as client:
        yield client


def ask(client: TestClient, path: str) -> Any:
    return json.loads(client.get(path).text, parse_float=Decimal)


def cells(row: str) -> dict[str, str]:
    """The text of each column."""
    found = re.findall(r'<td[^>]*data-col="(\w+)"[^>]*>(.*?)</td>', row, re.DOTALL)
    return {name: re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text)).strip() for name, text in found}


def us(ms: Decimal | None) -> int | None:
    return None if ms is None else round(ms * 1000)


@pytest.mark.parametrize("query", QUERIES)
def test_the_list(pages: TestClient, query: str) -> None:
    html = pages.get(f"/requests?{query}&cols={COLUMNS}", headers={"accept": "text/html"}).text
    limit = "" if "limit=" in query else "&limit=50"
    records = ask(pages, f"/api/requests?{query}{limit}")["items"]
    assert records
    rows = dict(re.findall(r'<tr data-row="([^"]+)"[^>]*>(.*?)</tr>', html, re.DOTALL))
    assert list(rows) == [record["request_id"] for record in records]
    costs = number.money_column(
        0 if record["cost_nanousd"] is None and record["input_tokens"] is None else record["cost_nanousd"]
        for record in records
    )
    for record, cost in zip(records, costs, strict=True):
        shown = cells(rows[record["request_id"]])
        assert shown["cost"] == str(cost)
        assert shown["tenant"] == record["tenant"]
        assert shown["input"] == str(number.count(record["input_tokens"]))
        assert shown["cached"] == str(number.count(record["cached_input_tokens"]))
        assert shown["output"] == str(number.count(record["output_tokens"]))
        assert shown["reasoning"] == str(number.count(record["reasoning_tokens"]))
        assert shown["latency"] == str(number.duration(us(record["latency_ms"])))
        assert shown["ttft"] == str(number.duration(us(record["ttft_ms"])))
        assert shown["overhead"] == str(number.duration(us(record["overhead_ms"])))
        assert shown["attempts"] == str(len(record["attempts"]))


@pytest.mark.parametrize("query", QUERIES)
def test_the_head_of_the_list(pages: TestClient, query: str) -> None:
    html = pages.get(f"/requests?{query}", headers={"accept": "text/html"}).text
    plain = "&".join(part for part in query.split("&") if not part.startswith(("order=", "limit=")))
    stats = ask(pages, f"/api/stats?{plain}")
    assert f"<h2>{number.plural(stats['requests'], 'request')}</h2>" in html
    failed = number.rate(stats["errors"], stats["requests"] - stats["cancelled"])
    cost = number.money_sum(int(stats["cost_usd"] * 10**9))
    assert f"{failed} failed · {cost}" in html


def test_pages_both_ways_hold_every_record_once(pages: TestClient) -> None:
    seen, path = [], "/requests?period=24h&limit=100"
    while path:
        html = pages.get(path, headers={"accept": "text/html"}).text
        seen += re.findall(r'data-row="([^"]+)"', html)
        link = re.search(r'href="([^"]+)"[^>]*id="older-page"', html)
        path = link[1].replace("&amp;", "&") if link else ""
    exported = pages.get("/api/requests/export?period=24h&format=jsonl").text.splitlines()
    assert seen == [json.loads(line)["request_id"] for line in exported]


def test_a_trace(pages: TestClient) -> None:
    found = ask(pages, f"/api/traces/{TRACE}")
    html = pages.get(f"/traces/{TRACE}", headers={"accept": "text/html"}).text
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
    assert f"Spans{found['spans']}" in text
    assert f"Cost{number.money(int(found['cost_usd'] * 10**9))}" in text
    assert f"Tokens{found['input_tokens']:,}in {found['output_tokens']:,}out" in text
    assert html.count('aria-level="') == found["spans"] == 9


def test_figures_of_a_diff(pages: TestClient) -> None:
    left, right = ask(pages, "/api/requests?period=24h&status=ok&limit=2")["items"]
    html = pages.get(
        f"/requests/{left['request_id']}/diff?with={right['request_id']}", headers={"accept": "text/html"}
    ).text
    rows = re.findall(r"<tr><td>(\w[\w ]*)</td>(.*?)</tr>", html.partition("Figures")[2].partition("</table>")[0])
    shown = {name: re.findall(r'class="num">(.*?)</td>', rest) for name, rest in rows}
    for index, record in enumerate((left, right)):
        values = {name: re.sub(r"<[^>]+>", "", found[index]) for name, found in shown.items()}
        assert values["Cost"] == str(number.money(record["cost_nanousd"]))
        assert values["Latency"] == str(number.duration(us(record["latency_ms"])))
        assert values["Input"] == str(number.count(record["input_tokens"]))
        assert values["Output"] == str(number.count(record["output_tokens"]))
