"""The Costs page and the API, asked the same over random traffic in the real store, say the same."""

from __future__ import annotations

import asyncio
import re
import time
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from gateway.control.costs import causes, statement
from gateway.dashboard.format import money_sum, short
from gateway.dashboard.period import iso
from gateway.store.base import Group, SpanFilter, Totals
from tests.dashboard.fakes import traffic
from tests.dashboard.installation import ADMIN_KEY, Installation
from tests.store.naive import by_dimension, totals

DAY = 86_400_000_000
NOW = time.time_ns() // 1000 // DAY * DAY + DAY
"""The end of today, so that the page and the API are asked about the same time."""
SPANS = traffic(500, now_us=NOW - 1, length_us=9 * DAY)
FROM, TO = iso(NOW - 6 * DAY), iso(NOW)
FILTERS = ["", "&tenant=acme", "&environment=production&status=!ok", "&model=!gpt-5"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Installation(tmp_path_factory.mktemp("costs"), SPANS)
    with TestClient(made.app, follow_redirects=True) as client:
        client.get(made.sign_in)
        yield client


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


def ask(client: TestClient, path: str) -> Any:
    answer = client.get(path, headers={"authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 200, answer.text
    return answer.json(), answer.text


def nano(dollars: float) -> int:
    return round(Decimal(str(dollars)) * 10**9)


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("by", ["provider_model", "tenant", "key", "user", "tag:feature", "day"])
def test_every_row_is_the_apis(client: TestClient, by: str, filters: str) -> None:
    page = client.get(f"/costs?from={FROM}&to={TO}&by={by}{filters}")
    assert page.status_code == 200
    body = page.text.partition("<tfoot>")[0].rpartition("<tbody>")[2]
    rows = re.findall(r"<tr.*?</tr>", body, re.S)
    items = ask(client, f"/api/costs?from={FROM}&to={TO}&group_by={by}{filters}")[0]["items"]
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        shown = text_of(row)
        if item["cost_nanousd"] or not item["unpriced"]:
            assert str(money_sum(item["cost_nanousd"])) in shown
        assert str(short(item["output_tokens"])) in shown


@pytest.mark.parametrize("filters", FILTERS)
def test_the_figures_at_the_top_are_the_summarys(client: TestClient, filters: str) -> None:
    page = client.get(f"/costs?from={FROM}&to={TO}{filters}").text
    strip = re.search(r'<section class="stats".*?</section>', page, re.S)
    assert strip
    shown = text_of(strip[0])
    found, _ = ask(client, f"/api/costs/summary?from={FROM}&to={TO}{filters}")
    for amount in (
        found["spend"]["cost_usd"],
        found["spend"]["per_1k_requests_usd"],
        found["cache_savings_usd"],
        found["failed_cost_usd"],
        found["forecast"]["spent_usd"],
    ):
        if amount is not None:
            assert str(money_sum(nano(amount))) in shown
    parts = found["causes"]
    assert sum(map(nano, parts.values())) == nano(found["change_usd"])


def test_a_statement_adds_up_to_the_rows(client: TestClient) -> None:
    month = iso(NOW - 1)[:7]
    chosen = [s for s in SPANS if s.tenant == "acme" and iso(s.started_at)[:7] == month]
    found, _ = ask(client, f"/api/statement?tenant=acme&month={month}")
    expected = totals(chosen)
    assert found["total"]["charge_nanousd"] == expected.charge_nanousd
    for lines in (found["models"], found["features"]):
        assert sum(line["charge_nanousd"] for line in lines) == expected.charge_nanousd
        assert sum(line["requests"] for line in lines) == len(chosen)
    assert {line["key"]: line["requests"] for line in found["models"]} == {
        key: len(of) for key, of in by_dimension(chosen, "provider_model").items()
    }
    page = text_of(client.get(f"/costs/statement/acme?month={month}").text)
    for line in (*found["models"], found["total"]):
        assert str(money_sum(line["charge_nanousd"])) in page
    lines = client.get(f"/api/statement?tenant=acme&month={month}&format=csv").text.splitlines()
    assert lines[-1].startswith("total,")
    charged = [nano(float(line.rsplit(",", 1)[1])) for line in lines if line.startswith("model,")]
    assert sum(charged) == expected.charge_nanousd


def test_a_statement_needs_a_tenant_and_a_month(client: TestClient) -> None:
    assert client.get("/api/statement?month=2026-10").status_code == 400
    assert client.get("/api/statement?tenant=acme&month=October").status_code == 400
    assert "Nothing was called" in client.get("/costs/statement/nobody?month=2020-02").text


def test_what_if_of_a_model_at_its_own_prices_is_what_it_cost(client: TestClient) -> None:
    items = ask(client, f"/api/whatif?from={FROM}&to={TO}&target=openai/gpt-5-mini")[0]["items"]
    assert items
    for item in items:
        assert nano(item["difference_usd"]) == nano(item["would_cost_usd"]) - nano(item["cost_usd"])
    assert client.get(f"/api/whatif?from={FROM}&to={TO}&target=nobody/nothing").status_code == 400


def test_causes_add_up_to_the_change() -> None:
    def group(key: str, requests: int, cost: int) -> Group:
        made: Any = Group(key, Totals(requests=requests, cost_nanousd=cost), None)  # type: ignore[arg-type]
        return made

    before = [group("a", 10, 1000), group("b", 10, 3000)]
    found = causes([group("a", 30, 3000), group("b", 10, 3000)], before)
    assert (found.volume_nanousd, found.mix_nanousd, found.per_call_nanousd) == (4000, -2000, 0)
    found = causes([group("a", 10, 2000), group("b", 10, 3000)], before)
    assert (found.volume_nanousd, found.mix_nanousd, found.per_call_nanousd) == (0, 0, 1000)
    found = causes([group("new", 7, 777)], [])
    assert sum((found.volume_nanousd, found.mix_nanousd, found.per_call_nanousd)) == 777


def test_an_empty_store_has_an_empty_statement(tmp_path: Path) -> None:
    made = Installation(tmp_path)

    async def work() -> None:
        await made.store.connect()
        found = await statement(made.store, SpanFilter(tenant=("acme",)), "2026-02", ZoneInfo("UTC"))
        assert (found.models, found.features, found.totals.requests) == ([], [], 0)
        assert found.to_us - found.from_us == 28 * DAY
        await made.store.close()

    asyncio.run(work())
