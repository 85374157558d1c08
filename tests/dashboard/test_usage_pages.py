"""The pages of models, tags, tenants and operations say what the API says, over random traffic in the real store."""

from __future__ import annotations

import re
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.control.comparison import tokens_per_second
from gateway.core.histogram import bucket_of
from gateway.dashboard import format as number
from gateway.dashboard.distribution import histogram, octaves
from gateway.dashboard.period import iso
from gateway.store.base import Totals
from tests.dashboard.fakes import traffic
from tests.dashboard.installation import ADMIN_KEY, Installation
from tests.dashboard.running import dress
from tests.store.naive import by_dimension

DAY = 86_400_000_000
NOW = time.time_ns() // 1000 // DAY * DAY + DAY
"""The end of today, so that the pages and the API are asked about the same time."""
SPANS = traffic(500, now_us=NOW - 1, length_us=9 * DAY)
PERIOD = f"from={iso(NOW - 6 * DAY)}&to={iso(NOW)}"
INSIDE = [span for span in SPANS if NOW - 6 * DAY <= span.started_at < NOW]
FILTERS = ["", "&environment=production", "&tenant=acme&model=!gpt-5"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("usage"), SPANS)
    dress(made)
    return made


@pytest.fixture(scope="module")
def client(made: Installation) -> Any:
    with TestClient(made.app, follow_redirects=True, headers={"accept": "text/html"}) as client:
        client.get(made.sign_in)
        yield client


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


def ask(client: TestClient, path: str) -> Any:
    answer = client.get(path, headers={"authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def first_table(html: str) -> list[str]:
    return re.findall(r"<tr.*?</tr>", html.partition("<tbody>")[2].partition("</tbody>")[0], re.S)


def us(ms: float | None) -> int | None:
    return None if ms is None else round(ms * 1000)


# ------------------------------------------------------------------------------------------------ models


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("by", ["model", "provider", "provider_model", "prompt_version"])
def test_models_are_those_of_the_api(client: TestClient, by: str, filters: str) -> None:
    page = client.get(f"/models?{PERIOD}&by={by}{filters}").text
    items = ask(client, f"/api/models/usage?{PERIOD}&group_by={by}{filters}")["items"]
    rows = first_table(page)
    assert len(rows) == len(items) > 0
    for row, item in zip(rows, items, strict=True):
        shown = text_of(row)
        assert str(number.count(item["requests"])) in shown
        assert str(number.duration(us(item["latency_ms"]["p95"]))) in shown
        assert str(number.duration(us(item["ttft_ms"]["p50"]))) in shown
        assert str(number.rate(item["errors"], item["requests"] - item["cancelled"])) in shown
        assert str(number.short(item["output_length"]["p50"])) in shown


def test_usage_is_that_of_the_rows(client: TestClient) -> None:
    items = {item["key"]: item for item in ask(client, f"/api/models/usage?{PERIOD}")["items"]}
    groups = by_dimension(INSIDE, "model")
    assert set(items) == set(groups)
    for key, mine in groups.items():
        item = items[key]
        assert item["requests"] == len(mine)
        assert item["cost_nanousd"] == sum(span.cost_nanousd or 0 for span in mine)
        lengths = [span.usage.output_tokens for span in mine if span.usage and span.usage.output_tokens]
        assert item["output_length"]["calls"] == len(lengths)
        assert item["output_length"]["max"] == (max(lengths) if lengths else None)
        assert sorted(item["served_as"]) == sorted({f"{span.provider}/{key}" for span in mine})


def test_prices_of_a_model_are_those_of_the_catalogue(client: TestClient, made: Installation) -> None:
    items = {item["key"]: item for item in ask(client, f"/api/models/usage?{PERIOD}")["items"]}
    found = made.app.state.callgate.catalog.find("openai", "gpt-5")
    assert items["gpt-5"]["prices"][0]["price_id"] == found.price_id
    assert items["gpt-5"]["prices"][0]["input_per_mtok"] == "1.25"


def test_lines_are_of_what_was_picked(client: TestClient) -> None:
    page = client.get(f"/models?{PERIOD}&pick=gpt-5&pick=nobody&pick=gpt-4o-mini").text
    chart = page.partition('data-chart="calls"')[2].partition("</table>")[0]
    heads = re.findall(r'data-color="[^"]+">([^<]+)</th>', chart)
    assert heads == ["gpt-5", "gpt-4o-mini"]
    calls = [int(value or 0) for value in re.findall(r'data-v="(\d*)"', chart)]
    groups = by_dimension(INSIDE, "model")
    assert [sum(calls[0::2]), sum(calls[1::2])] == [len(groups["gpt-5"]), len(groups["gpt-4o-mini"])]
    assert page.count('class="multiple"') == 8


def test_sorting_puts_the_best_first(client: TestClient) -> None:
    items = ask(client, f"/api/models/usage?{PERIOD}")["items"]
    expected = [item["key"] for item in sorted(items, key=lambda item: item["latency_ms"]["p95"])]
    rows = first_table(client.get(f"/models?{PERIOD}&sort=p95").text)
    assert [re.search(r'class="ellip" dir="auto">([^<]+)', row)[1] for row in rows] == expected  # type: ignore[index]


@pytest.mark.parametrize("query", ["group_by=tenant", "group_by=user", "limit=0"])
def test_what_cannot_be_compared_is_refused(client: TestClient, query: str) -> None:
    answer = client.get(f"/api/models/usage?{query}", headers={"authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 400


def test_without_streams_there_is_no_speed() -> None:
    assert tokens_per_second(Totals(requests=3)) is None


# ------------------------------------------------------------------------------------------------ tags, tenants


@pytest.mark.parametrize("filters", FILTERS)
def test_values_of_a_tag_are_those_of_the_api(client: TestClient, filters: str) -> None:
    rows = first_table(client.get(f"/tags?{PERIOD}&of=feature{filters}").text)
    items = ask(client, f"/api/costs?{PERIOD}&group_by=tag:feature{filters}")["items"]
    shown = {text_of(re.findall(r"<td.*?</td>", row, re.S)[0]): text_of(row) for row in rows}
    assert set(shown) == {item["key"] or "untagged" for item in items}
    for item in items:
        row = shown[item["key"] or "untagged"]
        assert str(number.count(item["requests"])) in row
        assert str(number.duration(us(item["latency_ms"]["p95"]))) in row
        if item["cost_nanousd"] or not item["unpriced"]:
            assert str(number.money_sum(item["cost_nanousd"])) in row


def test_ids_are_listed_not_summed_up(tmp_path: Path) -> None:
    calls = traffic(20, now_us=NOW - 1, length_us=DAY)
    for call in calls:
        call.tags["sessionId"] = f"session-{call.tags['feature']}"
    made = Installation(tmp_path, calls)
    with TestClient(made.app, headers={"accept": "text/html"}) as client:
        client.get(made.sign_in)
        page = client.get("/tags?of=sessionId").text
    assert "Calls, all time" in page
    assert {text_of(row) for row in first_table(page)} == {
        f"session-{feature}{len(of)}" for feature, of in by_dimension(calls, "tag:feature").items()
    }


def test_a_value_is_found(client: TestClient) -> None:
    page = client.get(f"/tags?{PERIOD}&of=feature&find=KYC").text
    rows = first_table(page)
    assert rows
    assert all("kyc" in text_of(row) for row in rows)
    assert "No value with “nowhere”" in client.get(f"/tags?{PERIOD}&of=feature&find=nowhere").text


def test_tenants_are_those_of_the_api(client: TestClient) -> None:
    rows = first_table(client.get(f"/tenants?{PERIOD}").text)
    items = ask(client, f"/api/costs?{PERIOD}&group_by=tenant")["items"]
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        shown = text_of(row)
        assert shown.startswith(item["key"] or "no tenant")
        assert str(number.money_sum(item["cost_nanousd"])) in shown
        assert str(number.count(item["requests"])) in shown


def test_a_tenant_is_told_by_its_calls_alone(client: TestClient) -> None:
    page = client.get(f"/tenants/acme?{PERIOD}").text
    stats = ask(client, f"/api/stats?{PERIOD}&tenant=acme")
    strip = text_of(page.partition('<section class="stats"')[2].partition("</section>")[0])
    assert str(number.count(stats["requests"])) in strip
    assert str(number.duration(us(stats["latency_ms"]["p95"]))) in strip
    users = ask(client, f"/api/costs?{PERIOD}&tenant=acme&group_by=user")["items"]
    card = page.partition("<h2>Users</h2>")[2].partition("</section>")[0]
    assert [unescape(name) for name in re.findall(r'dir="auto">([^<]+)</a>', card)] == [
        u["key"] for u in users[:8] if u["key"]
    ]
    assert "/costs/statement/acme" in page


# ------------------------------------------------------------------------------------------------ operations


def test_operations_say_what_the_parts_say(client: TestClient) -> None:
    page = client.get(f"/operations?{PERIOD}").text
    found = ask(client, "/api/operations")
    shown = text_of(page)
    assert found["in_flight"] == 37
    assert len(found["last_hour"]) == 360
    assert str(number.size(found["recorder"]["backlog_bytes"])) in shown
    assert "open, 24.0s" in shown
    assert [target["state"] for target in found["routes"][0]["targets"]].count("open") == 1
    assert {view["provider"]: view["state"] for view in found["providers"]}["mistral"] == "failing"
    stats = ask(client, f"/api/stats?{PERIOD}")
    assert f"p99 {number.duration(us(stats['overhead_ms']['p99']))}" in shown
    rows = re.findall(r'<span class="model" title="(\w+)">.*?</tr>', page, re.S)
    assert {"openai", "anthropic", "mistral", "demo"} <= set(rows)


def test_the_overhead_counts_every_call(client: TestClient) -> None:
    table = client.get(f"/operations?{PERIOD}").text.partition("overhead-histogram-data")[2].partition("</table>")[0]
    counts = [int(text.replace(",", "")) for text in re.findall(r'</th><td class="num">([\d,]+)</td>', table)]
    assert sum(counts) == sum(span.overhead_us is not None for span in INSIDE)


def test_versions_of_the_configuration_hold_no_secret(client: TestClient) -> None:
    page = client.get("/operations/configuration/2")
    assert page.status_code == 200
    assert "sk-never-shown" not in page.text
    assert "log.retention_days" in page.text
    items = ask(client, "/api/configuration")["items"]
    assert [item["number"] for item in items] == [2, 1]
    assert {change["path"] for change in items[0]["changes"]} == {"log.retention_days", "log.payloads"}
    assert client.get("/operations/configuration/77").status_code == 404
    assert client.get("/operations/configuration/x").status_code == 404


def test_dead_letters_are_retried_and_say_what_came_of_it(client: TestClient) -> None:
    letters = ask(client, "/api/dead-letters")
    assert letters["total"] == 2
    assert "out of range" in letters["items"][0]["error"]
    page = client.post("/operations/dead-letters/retry", headers={"origin": "http://testserver"})
    assert page.status_code == 200
    assert "None could be stored, 2 stay." in text_of(page.text)
    entries = ask(client, "/api/audit?kind=dead_letters")["items"]
    assert entries[0]["action"] == "retried"


def test_bars_hold_every_value_where_it_belongs() -> None:
    values = [1, 30, 31, 200, 200, 5000]
    counts = [0] * (bucket_of(max(values)) + 1)
    for value in values:
        counts[bucket_of(value)] += 1
    made = histogram("h", "s", counts, lambda value: f"{value:g}", [("p50", 31), ("none", None)])
    assert made is not None
    assert sum(int(str(each.count)) for each in made.bins) == len(values)
    for each in made.bins:
        low, high = (float(end) for end in each.label.split(" – "))
        inside = [value for value in values if low * 0.94 <= value < high * 1.06]
        assert inside, each.label
    assert [title for _, title in made.marks] == ["p50"]
    assert octaves(counts) == {0: 1, 4: 2, 7: 2, 12: 1}
    assert histogram("h", "s", [0, 0], str) is None
