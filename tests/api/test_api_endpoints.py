from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from gateway.api.export import FORMATS
from gateway.api.filters import MAX_LIMIT
from gateway.api.record import FIELDS
from gateway.core.health import JournalHealth, RecorderHealth
from gateway.core.span import Payload, Span
from gateway.store.base import GROUPS
from tests.api.fakes import NOW, SECOND, FakeStore, ask, make_app, make_state, naive_stats, pages, span, traffic

STATS = [
    "requests",
    "errors",
    "success_rate",
    "cancelled",
    "interrupted",
    "unpriced",
    "cost_usd",
    "input_cost_usd",
    "output_cost_usd",
    "saved_usd",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "latency_ms",
    "ttft_ms",
    "overhead_ms",
    "tokens_per_second",
]


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(traffic(120))


@pytest.fixture
def app(store: FakeStore, tmp_path: Path) -> Starlette:
    return make_app(make_state(store, tmp_path))


def ids(rows: list[Span]) -> list[str]:
    return [row.request_id for row in sorted(rows, key=lambda row: (-row.started_at, row.request_id))]


# ------------------------------------------------------------------------------------------------ requests


def test_pages_walk_the_whole_list_once(app: Starlette, store: FakeStore) -> None:
    found = [item["request_id"] for page in pages(app, "/api/requests?limit=50") for item in page["items"]]
    assert found == ids(store.rows)


def test_pages_go_back(app: Starlette) -> None:
    first = ask(app, "/api/requests?limit=50").json()
    second = ask(app, f"/api/requests?limit=50&cursor={first['next_cursor']}").json()
    assert ask(app, f"/api/requests?limit=50&cursor={second['prev_cursor']}").json()["items"] == first["items"]
    assert first["prev_cursor"] is None


@pytest.mark.parametrize(
    ("query", "own"),
    [
        ("model=gpt-5&model=demo/echo", lambda row: row.model in ("gpt-5", "demo/echo")),
        ("tenant=acme&stream=true", lambda row: row.tenant == "acme" and row.stream),
        ("status=error", lambda row: row.error_type in ("timeout", "interrupted", "rate_limit")),
        ("status=4xx", lambda row: row.status_code in (429, 499)),
        ("kind=embedding", lambda row: row.kind == "embedding"),
        ("tag.feature=chat&tag.release=r1&tag.release=r2",
         lambda row: row.tags["feature"] == "chat" and row.tags["release"] in ("r1", "r2")),
        ("min_latency_ms=4000", lambda row: row.latency_us >= 4_000_000),
        ("min_cost_usd=0.05", lambda row: (row.cost_nanousd or 0) >= 50_000_000),
        ("q=" + quote("BÜRGERMEISTER nr. 7"), lambda row: "Nr. 7" in row.input_preview),
        ("unpriced=true", lambda row: row.cost_nanousd is None and row.usage is not None),
        ("period=6h", lambda row: row.started_at >= NOW - 6 * 3600 * SECOND),
    ],
)  # fmt: skip
def test_filters(query: str, own: object, app: Starlette, store: FakeStore) -> None:
    expected = ids([row for row in store.rows if own(row)])  # type: ignore[operator]  # a predicate
    assert 0 < len(expected) < len(store.rows)
    found = ask(app, f"/api/requests?limit=1000&{query}").json()["items"]
    assert [item["request_id"] for item in found] == expected


@pytest.mark.parametrize(("order", "field"), [("slowest", "latency_ms"), ("costliest", "cost_nanousd")])
def test_orders(order: str, field: str, app: Starlette) -> None:
    values = [item[field] or 0 for item in ask(app, f"/api/requests?limit=1000&order={order}").json()["items"]]
    assert values == sorted(values, reverse=True)


def test_a_list_item_is_a_record(app: Starlette) -> None:
    assert list(ask(app, "/api/requests").json()["items"][0]) == list(FIELDS)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        (f"limit={MAX_LIMIT + 1}", "limit"),
        ("limit=x", "limit"),
        ("limit=²", "limit"),
        ("cursor=rubbish", "cursor"),
        ("cursor=-5", "cursor"),
        ("order=best", "order"),
        ("offset=5", "offset"),
    ],
)
def test_errors_name_the_parameter(query: str, param: str, app: Starlette) -> None:
    answer = ask(app, f"/api/requests?{query}")
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert f"'{param}'" in error["message"]


def test_one_request(app: Starlette, store: FakeStore) -> None:
    row = store.rows[5]
    store.payloads[row.request_id] = Payload(
        request_body=b'{"n":1.0}', response_body=b"data: [DONE]", response_text="x"
    )
    answer = ask(app, f"/api/requests/{row.request_id}")
    assert '"request_body":{"n":1.0}' in answer.text
    found = answer.json()
    assert list(found) == [*FIELDS, "request_body", "response_body", "response_text", "sealed_with"]
    assert (found["response_body"], found["response_text"]) == ("data: [DONE]", "x")


@pytest.mark.parametrize("request_id", ["nope", "01a02c4e-0000-7000-8000-ffffffffffff", "%ff%00", "é" * 400])
def test_no_such_request(request_id: str, app: Starlette) -> None:
    answer = ask(app, f"/api/requests/{request_id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "request_not_found")


# ------------------------------------------------------------------------------------------------ export


def test_jsonl_is_the_filter_and_nothing_else(app: Starlette, store: FakeStore) -> None:
    answer = ask(app, "/api/requests/export?format=jsonl&tenant=acme")
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [item["request_id"] for item in found] == ids([row for row in store.rows if row.tenant == "acme"])
    assert list(found[0]) == list(FIELDS)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"].endswith('.jsonl"')


def test_csv_holds_the_same_and_starts_no_formula(app: Starlette, store: FakeStore) -> None:
    store.add(
        span(500, NOW, user="@cmd", session="-1+1", trace_id="＝1", tags={"=a": "=b"}, error_message='a,"b"\r\nc')
    )
    answer = ask(app, "/api/requests/export?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert list(rows[0]) == list(FIELDS)
    assert len(rows) == len(store.rows)
    newest = rows[0]
    assert newest["user"] == "'@cmd"
    assert newest["session"] == "'-1+1"
    assert newest["trace_id"] == "'＝1"
    assert newest["error_message"] == 'a,"b"\r\nc'
    assert json.loads(newest["tags"]) == {"=a": "=b"}
    assert newest["cost_usd"] == ""
    assert {row["output_preview"] for row in rows[1:]} == {"'=SUM(A1) keeps its sign"}
    assert not any(cell[:1] in tuple("=+-@\t\r\n") for row in rows for cell in row.values() if cell)


def test_parquet_is_exact(app: Starlette, store: FakeStore) -> None:
    answer = ask(app, "/api/requests/export?format=parquet")
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.column_names == list(FIELDS)
    assert table.column("request_id").to_pylist() == ids(store.rows)
    by_id = {row.request_id: row for row in store.rows}
    for found in table.to_pylist():
        row = by_id[found["request_id"]]
        cost = None if row.cost_nanousd is None else Decimal(row.cost_nanousd) / 10**9
        assert found["cost_usd"] == cost
        assert found["cost_nanousd"] == row.cost_nanousd
        assert round(found["started_at"].timestamp() * SECOND) == row.started_at
        assert dict(found["tags"]) == row.tags
        assert found["attempts"][0]["cost_usd"] == cost
        assert found["stream"] == row.stream
    assert pa.types.is_decimal(table.schema.field("cost_usd").type)


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_of_nothing_is_a_file(form: str, app: Starlette) -> None:
    answer = ask(app, f"/api/requests/export?format={form}&tenant=nobody")
    assert answer.status_code == 200
    if form == "parquet":
        assert pq.read_table(io.BytesIO(answer.content)).num_rows == 0
    else:
        assert answer.text == ("" if form == "jsonl" else ",".join(FIELDS) + "\r\n")


def test_unknown_formats(app: Starlette) -> None:
    error = ask(app, "/api/requests/export?format=xlsx").json()["error"]
    assert error["param"] == "format"
    assert "csv, jsonl, parquet" in error["message"]


# ------------------------------------------------------------------------------------------------ totals and menus


def test_stats_are_the_promised_fields_and_the_sums(app: Starlette, store: FakeStore) -> None:
    answer = ask(app, "/api/stats?tenant=acme")
    found = json.loads(answer.text, parse_float=Decimal)
    assert list(found) == STATS
    assert list(found["latency_ms"]) == ["mean", "min", "max", "p50", "p95", "p99"]
    expected = naive_stats([row for row in store.rows if row.tenant == "acme"])
    totals = expected.totals
    assert found["requests"] == totals.requests
    assert found["cost_usd"] * 10**9 == totals.cost_nanousd
    counted = totals.requests - totals.cancelled
    assert float(found["success_rate"]) == pytest.approx((counted - totals.errors) / counted)
    assert found["latency_ms"]["max"] * 1000 == expected.latency.max


def test_stats_of_nothing(app: Starlette) -> None:
    found = ask(app, "/api/stats?tenant=nobody").json()
    assert (found["requests"], found["success_rate"], found["cost_usd"]) == (0, None, 0)
    assert set(found["ttft_ms"].values()) == {None}


def test_days_and_hours_are_times_like_all_others(app: Starlette) -> None:
    keys = [item["key"] for item in ask(app, "/api/costs?group_by=hour").json()["items"]]
    assert keys == sorted(keys)
    assert all(key.endswith(":00:00Z") for key in keys)


@pytest.mark.parametrize("by", [*GROUPS, "tag:feature"])
def test_costs_add_up(by: str, app: Starlette, store: FakeStore) -> None:
    found = json.loads(ask(app, f"/api/costs?group_by={by}").text, parse_float=Decimal)
    assert found["group_by"] == by
    assert found["next_cursor"] is None
    total = naive_stats(store.rows).totals
    assert sum(item["requests"] for item in found["items"]) == total.requests
    assert sum(item["cost_nanousd"] for item in found["items"]) == total.cost_nanousd
    assert sum(item["cost_usd"] for item in found["items"]) * 10**9 == total.cost_nanousd


@pytest.mark.parametrize(
    ("query", "param"),
    [("group_by=colour", "group_by"), ("group_by=tag:", "group_by"), ("time_zone=Mars", "time_zone"),
     ("time_zone=../../etc/passwd", "time_zone"), ("time_zone=Europe", "time_zone"), ("limit=9999", "limit")],
)  # fmt: skip
def test_costs_refuse(query: str, param: str, app: Starlette) -> None:
    assert ask(app, f"/api/costs?{query}").json()["error"]["param"] == param


def test_menus_come_from_the_dictionaries_unless_filtered(app: Starlette, store: FakeStore) -> None:
    assert {item["key"] for item in ask(app, "/api/tags").json()["items"]} == {"feature", "release", "tenantSlug"}
    assert {item["value"] for item in ask(app, "/api/tags/feature").json()["items"]} == {"chat", "search"}
    assert [item["value"] for item in ask(app, "/api/values/model?prefix=gpt").json()["items"]] == ["gpt-5"]
    assert store.asked == {"tag_keys": 1, "tag_values": 1, "field_values": 1}
    filtered = ask(app, "/api/tags/release?tag.release=r1").json()["items"]
    assert filtered == [{"value": "r1", "calls": sum(row.tags["release"] == "r1" for row in store.rows)}]
    sampled = ask(app, "/api/tags?tenant=globex").json()
    assert sampled["sample"] == sum(row.tenant == "globex" for row in store.rows)


def test_values_of_what_has_none(app: Starlette) -> None:
    error = ask(app, "/api/values/password").json()["error"]
    assert "model, provider" in error["message"]


def test_tag_keys_may_have_slashes(app: Starlette, store: FakeStore) -> None:
    store.add(span(999, NOW, tags={"a/b c": "x"}))
    assert ask(app, "/api/tags/a/b%20c").json()["items"] == [{"value": "x", "calls": 1}]


# ------------------------------------------------------------------------------------------------ health


def test_healthz(app: Starlette) -> None:
    assert ask(app, "/healthz", None).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("journal", "recorder", "broken", "status", "code"),
    [
        ("ok", "running", None, "ok", 200),
        ("ok", "running", "locked", "degraded", 200),
        ("ok", "store_down", None, "degraded", 200),
        ("dropping_bodies", "running", None, "degraded", 200),
        ("refusing", "running", None, "down", 503),
    ],
)
def test_readyz(
    journal: str, recorder: str, broken: str | None, status: str, code: int, store: FakeStore, tmp_path: Path
) -> None:
    state = make_state(store, tmp_path)
    report = state.recorder_health()
    state.journal_health = lambda: JournalHealth(state=journal)
    state.recorder_health = lambda: RecorderHealth(state=recorder, updated_at=report.updated_at)
    store.broken = broken
    answer = ask(make_app(state), "/readyz", None)
    assert (answer.status_code, answer.json()["status"]) == (code, status)
    assert set(answer.json()["checks"]) == {"store", "journal", "recorder"}
    assert all("latency_ms" in check for check in answer.json()["checks"].values())


def test_a_silent_recorder_is_noticed(store: FakeStore, tmp_path: Path) -> None:
    state = make_state(store, tmp_path)
    state.recorder_health = lambda: RecorderHealth(state="running", updated_at=NOW - 60 * SECOND)
    assert ask(make_app(state), "/readyz", None).json()["checks"]["recorder"]["status"] == "degraded"


def test_metrics_are_what_the_counters_say(app: Starlette) -> None:
    answer = ask(app, "/metrics", None)
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, sample.labels.get("state")): (sample.value, sample.labels.get("worker"))
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["callgate_calls_total", None] == (7, "3")
    assert samples["callgate_in_flight", None] == (2, "3")
    assert samples["callgate_journal_state", "ok"] == (1, "3")
    assert samples["callgate_journal_state", "refusing"] == (0, "3")
    assert samples["callgate_recorder_written_total", None] == (5, None)
    assert samples["callgate_store_up", None] == (1, None)


def test_metrics_survive_a_store_that_is_down(app: Starlette, store: FakeStore) -> None:
    store.broken = "gone"
    assert "callgate_store_up 0.0" in ask(app, "/metrics", None).text


# ------------------------------------------------------------------------------------------------ any input

PATHS = [f"/api/{path}" for path in ("requests", "requests/export", "stats", "costs", "tags", "tags/x", "values/model")]
KNOWN = [
    "from",
    "to",
    "period",
    "model",
    "tenant",
    "status",
    "stream",
    "min_latency_ms",
    "max_cost_usd",
    "min_input_tokens",
    "max_output_tokens",
    "unpriced",
    "q",
    "tag.a",
    "tag.",
    "limit",
    "cursor",
    "order",
    "format",
    "group_by",
    "time_zone",
    "prefix",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    query=st.lists(st.tuples(st.sampled_from(KNOWN) | st.text(max_size=8), st.text(max_size=20)), max_size=4),
)
def test_no_parameters_make_a_500(path: str, query: list[tuple[str, str]], app: Starlette) -> None:
    text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query)
    assert ask(app, f"{path}?{text}").status_code in (200, 400)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=20))
def test_no_path_makes_a_500(tail: bytes, app: Starlette) -> None:
    for path in ("/api/requests/", "/api/values/", "/api/tags/", "/"):
        assert ask(app, path + quote(tail, safe="")).status_code in (200, 400, 404)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
