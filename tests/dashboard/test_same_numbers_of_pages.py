"""What the other pages say is what the API says to the same question, over random calls in the real store."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pytest
from starlette.testclient import TestClient

from gateway.dashboard import format as number
from gateway.dashboard.costs_sources import SOURCES
from gateway.dashboard.period import iso
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import ADMIN_KEY, Installation
from tests.dashboard.running import dress

DAY = 86_400_000_000
NOW = time.time_ns() // 1000 // DAY * DAY + DAY
"""The end of today, so that a page and the API are asked about the same time."""
PERIOD = f"from={iso(NOW - 2 * DAY)}&to={iso(NOW)}"
FILTERS = ("", "&environment=production", "&model=!gpt-5&tenant=acme&tenant=quill", "&status=error")
NOT_OF_STATS = ("order", "limit", "cols")


class World(NamedTuple):
    client: TestClient
    call: str

    def page(self, path: str) -> str:
        answer = self.client.get(path, headers={"accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def ask(self, path: str) -> Any:
        answer = self.client.get(path, headers={"authorization": f"Bearer {ADMIN_KEY}"})
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text, parse_float=Decimal)

    def calls_behind(self, href: str) -> int:
        """How many calls the API counts for a link to the list of requests."""
        query = [pair for pair in parse_qsl(unescape(href).partition("?")[2]) if pair[0] not in NOT_OF_STATS]
        return int(self.ask(f"/api/stats?{urlencode(query)}")["requests"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    spans = traffic(600, now_us=NOW - 1, length_us=4 * DAY, seed=time.time_ns() % 10**6)
    for index, each in enumerate(spans[:60]):
        each.cost_source = ("provider", "override", "catalog")[index % 3]
        each.usage_source = "estimated" if index % 4 == 0 else "reported"
    call, payload = chat_call(NOW - 60_000_000)
    made = Installation(tmp_path_factory.mktemp("numbers"), [*spans, call], {call.request_id: payload})
    dress(made)
    with TestClient(made.app, follow_redirects=True) as client:
        client.get(made.sign_in)
        yield World(client, call.request_id)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def card(page: str, title: str) -> str:
    assert f"<h2>{title}</h2>" in page, title
    return page.partition(f"<h2>{title}</h2>")[2].partition("</section>")[0]


def facts(html: str) -> dict[str, str]:
    """What a list of terms says, by its terms."""
    return {text_of(term): text_of(said) for term, said in re.findall(r"<dt[^>]*>(.*?)</dt><dd[^>]*>(.*?)</dd>", html)}


def body_rows(html: str) -> list[str]:
    return re.findall(r"<tr.*?</tr>", html.partition("<tbody>")[2].partition("</tbody>")[0], re.DOTALL)


def nano(usd: Decimal | None) -> int | None:
    return None if usd is None else int(usd * 10**9)


def us(ms: Decimal | None) -> float | None:
    return None if ms is None else float(ms * 1000)


# ------------------------------------------------------------------------------------------------ the overview


@pytest.mark.parametrize("filters", FILTERS)
def test_what_the_figures_of_the_overview_are_made_of(world: World, filters: str) -> None:
    shown = card(world.page(f"/?{PERIOD}{filters}"), "In figures")
    found = world.ask(f"/api/stats?{PERIOD}{filters}")
    costs = world.ask(f"/api/costs/summary?{PERIOD}{filters}")
    spend, requests, tokens, latency, first = (facts(part) for part in shown.split("parts-title")[1:])
    assert spend["Input"] == str(number.money_sum(nano(found["input_cost_usd"])))
    assert spend["Output"] == str(number.money_sum(nano(found["output_cost_usd"])))
    assert spend["In all"] == str(number.money_sum(nano(found["cost_usd"])))
    assert spend["Saved by prompt caches"] == str(number.money_sum(nano(costs["cache_savings_usd"])))
    assert spend["Per 1,000 requests"] == str(number.money_sum(nano(costs["spend"]["per_1k_requests_usd"])))
    assert requests["In all"] == str(number.count(found["requests"]))
    assert requests["Failed"] == str(number.count(found["errors"]))
    assert requests["interrupted"] == str(number.count(found["interrupted"]))
    assert requests["Cancelled by the client"] == str(number.count(found["cancelled"]))
    assert requests["Without a price"] == str(number.count(found["unpriced"]))
    assert tokens["Prompt"] == str(number.count(found["input_tokens"]))
    assert tokens["from the cache"] == str(number.count(found["cached_input_tokens"]))
    assert tokens["into the cache"] == str(number.count(found["cache_write_tokens"]))
    assert tokens["Completion"] == str(number.count(found["output_tokens"]))
    assert tokens["reasoning"] == str(number.count(found["reasoning_tokens"]))
    for times, durations in ((latency, found["latency_ms"]), (first, found["ttft_ms"])):
        named = {"Mean": "mean", "Shortest": "min", "Longest": "max", "p50": "p50", "p95": "p95", "p99": "p99"}
        for label, name in named.items():
            assert times[label] == str(number.duration(us(durations[name]))), label
    speed = found["tokens_per_second"]
    assert first["Tokens a second"] == ("–" if speed is None else f"{speed:.1f}")


@pytest.mark.parametrize("filters", FILTERS)
def test_counts_of_the_overview_are_those_of_the_calls_behind_them(world: World, filters: str) -> None:
    page = world.page(f"/?{PERIOD}{filters}")
    made_of = card(page, "In figures").partition("Requests</h3>")[2]
    counted = re.findall(r'<dd><a href="([^"]+)">(.*?)</a></dd>', made_of)
    assert len(counted) == (2 if "status=" in filters else 6)
    for title in ("Spend by model", "Tags"):
        links = card(page, title).partition('class="ranks"')[2]
        counted += re.findall(r'<a class="rank" href="([^"]+)">.*?<span class="quiet xs">(.*?) calls?<', links)
    failing = card(page, "Failing now")
    counted += re.findall(r'<a class="rank rank-tall" href="([^"]+)".*?<span class="rank-count">(.*?)</span>', failing)
    assert len(counted) > 4
    for href, shown in counted:
        assert world.calls_behind(href) == int(text_of(shown).replace(",", "")), href


@pytest.mark.parametrize("filters", FILTERS)
def test_the_most_expensive_calls(world: World, filters: str) -> None:
    rows = body_rows(card(world.page(f"/?{PERIOD}{filters}"), "Most expensive calls"))
    items = world.ask(f"/api/requests?{PERIOD}{filters}&order=costliest&limit=6")["items"]
    paid = [item for item in items if item["cost_nanousd"]]
    assert len(rows) == len(paid)
    costs = number.money_column(item["cost_nanousd"] for item in paid)
    for row, item, cost in zip(rows, paid, costs, strict=True):
        assert item["request_id"] in row
        assert str(cost) in text_of(row)
        assert str(number.duration(us(item["latency_ms"]))) in text_of(row)


@pytest.mark.parametrize("filters", FILTERS)
def test_tenants_and_tags_of_the_overview(world: World, filters: str) -> None:
    page = world.page(f"/?{PERIOD}{filters}")
    tenants = world.ask(f"/api/costs?{PERIOD}{filters}&group_by=tenant")["items"]
    for row, item in zip(body_rows(card(page, "Tenants")), tenants[:8], strict=True):
        shown = text_of(row)
        assert shown.startswith(item["key"] or "no tenant")
        assert str(number.money_sum(item["cost_nanousd"])) in shown
        assert (
            str(
                number.rate(item["requests"] - item["cancelled"] - item["errors"], item["requests"] - item["cancelled"])
            )
            in shown
        )
        assert str(number.duration(us(item["latency_ms"]["p95"]))) in shown
    tags = [item for item in world.ask(f"/api/costs?{PERIOD}{filters}&group_by=tag:feature")["items"] if item["key"]]
    spent = re.findall(
        r'dir="auto">([^<]+)</span>.*?rank-figure">(.*?)</span></a>', card(page, "Tags").partition('class="ranks"')[2]
    )
    assert len(spent) == min(6, len(tags))
    for (name, spend), item in zip(spent, tags, strict=False):
        assert unescape(name) == item["key"]
        assert text_of(spend) in (str(number.money_sum(item["cost_nanousd"])), "unpriced")


# ------------------------------------------------------------------------------------------------ money


@pytest.mark.parametrize("filters", FILTERS)
def test_where_prices_come_from(world: World, filters: str) -> None:
    rows = body_rows(card(world.page(f"/costs?{PERIOD}{filters}"), "Where the prices come from"))
    found = {item["key"]: item for item in world.ask(f"/api/costs?{PERIOD}{filters}&group_by=cost_source")["items"]}
    expected = [(label, found[key]) for key, label, _ in SOURCES if key in found]
    assert len(rows) == len(expected) == len(found)
    for row, (label, item) in zip(rows, expected, strict=True):
        shown = text_of(row)
        assert shown.startswith(label)
        assert str(number.count(item["requests"])) in shown
        if item["key"] != "none":
            assert str(number.money_sum(item["cost_nanousd"])) in shown


def test_one_tenant(world: World) -> None:
    page = world.page(f"/tenants/acme?{PERIOD}")
    for title, dimension in (("Features", "feature"), ("Users", "user"), ("Models", "model")):
        items = world.ask(f"/api/costs?{PERIOD}&tenant=acme&group_by={dimension}")["items"][:8]
        rows = body_rows(card(page, title))
        assert len(rows) == len(items)
        for row, item in zip(rows, items, strict=True):
            shown = text_of(row)
            assert str(number.count(item["requests"])) in shown
            assert str(number.rate(item["errors"], item["requests"] - item["cancelled"])) in shown


# ------------------------------------------------------------------------------------------------ one call


def test_a_request(world: World) -> None:
    record = world.ask(f"/api/requests/{world.call}")
    page = world.page(f"/requests/{world.call}")
    strip = text_of(page.partition('<section class="stats"')[2].partition("</section>")[0])
    for figure in (
        number.money(record["cost_nanousd"]),
        number.duration(us(record["latency_ms"])),
        number.duration(us(record["ttft_ms"])),
        number.count(record["input_tokens"]),
        number.count(record["output_tokens"]),
        number.duration(us(record["overhead_ms"])),
    ):
        assert str(figure) in strip
    assert f"{record['tokens_per_second']:.0f}tok/s" in strip
    assert f"{record['cached_input_tokens']:,} from cache" in strip
    assert record["price_id"] in page
    for attempt in record["attempts"]:
        assert str(number.duration(us(attempt["latency_ms"]))) in text_of(page)


# ------------------------------------------------------------------------------------------------ the machine


def test_operations(world: World) -> None:
    page = world.page(f"/operations?{PERIOD}")
    found, stats = world.ask("/api/operations"), world.ask(f"/api/stats?{PERIOD}")
    strip = text_of(page.partition('<section class="stats"')[2].partition("</section>")[0])
    assert f"In flight{found['in_flight']}" in strip
    assert number.plural(found["client_connections"], "connection") in strip
    assert str(number.size(found["recorder"]["backlog_bytes"])) in strip
    assert f"{number.short(found['recorder']['written'])} rows so far" in strip
    assert f"Dead letters{world.ask('/api/dead-letters')['total']}" in strip
    assert str(number.duration(us(stats["overhead_ms"]["p99"]))) in strip
    store = facts(card(page, "Store"))
    assert store["Rows"] == str(number.count(found["store"]["spans"]))
    providers = {item["key"]: item for item in world.ask(f"/api/models/usage?{PERIOD}&group_by=provider")["items"]}
    for row in body_rows(card(page, "Providers")):
        name = re.search(r'class="model" title="(\w+)"', row)
        assert name
        if name[1] in providers:
            item = providers[name[1]]
            assert str(number.count(item["requests"])) in text_of(row)
            assert str(number.duration(us(item["latency_ms"]["p95"]))) in text_of(row)


def test_what_fires(world: World) -> None:
    rules = world.ask("/api/alerts/rules")["items"]
    firing = [watch for rule in rules for watch in rule["watches"] if watch["state"] == "firing"]
    assert len(firing) == 1
    for path in ("/alerts", f"/operations?{PERIOD}"):
        title = "Firing" if path == "/alerts" else "Alerts"
        rows = body_rows(card(world.page(path), title))
        assert len(rows) == len(firing)
        assert firing[0]["of"] in text_of(rows[0])
        assert f"{firing[0]['value']:g}" in text_of(rows[0])


def test_menus_count_what_the_dictionary_counts(world: World) -> None:
    for field in ("model", "tenant", "provider", "environment", "tag.feature"):
        path = f"/api/tags/{field.removeprefix('tag.')}" if field.startswith("tag.") else f"/api/values/{field}"
        items = world.ask(f"{path}?limit=200")["items"]
        menu = text_of(world.page(f"/requests/filter-values?field={field}"))
        for item in items[:20]:
            assert item["value"] in menu
            assert str(number.short(item["calls"])) in menu


def test_keys_tenants_and_audit(world: World) -> None:
    for path, listed, name in (
        ("/settings/keys", "/api/keys", "name"),
        ("/settings/tenants", "/api/tenants", "slug"),
        ("/settings/users", "/api/users", "email"),
    ):
        page = text_of(world.page(path))
        for item in world.ask(listed)["items"]:
            assert item[name] in page


def test_nothing_is_rounded_to_nothing(world: World, tmp_path: Path) -> None:
    call, payload = chat_call(NOW - 50_000_000, seed=9)
    call.cost_nanousd = call.input_cost_nanousd = call.charge_nanousd = 2850
    call.output_cost_nanousd, call.attempts = 0, []
    made = Installation(tmp_path, [call], {call.request_id: payload})
    with TestClient(made.app, follow_redirects=True, headers={"accept": "text/html"}) as client:
        client.get(made.sign_in)
        for path in ("/requests", f"/requests/{call.request_id}", "/", "/costs", "/tenants", "/models", "/tags"):
            page = text_of(client.get(f"{path}{'' if call.request_id in path else '?' + PERIOD}").text)
            assert "$0.00000285" in page, path
            assert "$0.0000 " not in page
