"""/api/limits and /api/budgets: live numbers, and nobody sees what is not theirs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.control.limiting import Limiting
from gateway.core.key import Key
from gateway.core.limits import Ask
from gateway.errors import CallError
from gateway.settings import Settings
from gateway.settings.limits import Budget, Limit
from pricing import Catalog
from tests.api.fakes import FakeStore, ask, make_app, make_state

SETTINGS = Settings(
    limits=[
        Limit(scope="tenant", requests_per_min=3, tokens_per_min=10_000, concurrent=5),
        Limit(scope="key", requests_per_min=100),
    ],
    budgets=[
        Budget(name="each-tenant", scope="tenant", usd=0.01, period="day"),
        Budget(name="for-good", scope="environment", match="staging", usd=5, period="total", hard=False),
    ],
)
CATALOG = Catalog.load(None, {"lab/m": {"input_per_mtok": 1, "output_per_mtok": 1}})


@pytest.fixture
def app(tmp_path: Path) -> Any:
    state = make_state(FakeStore(), tmp_path, settings=SETTINGS)
    state.limiting = Limiting(SETTINGS, CATALOG, state.store, tmp_path, 0, lambda: True)
    limits = state.limiting.limits
    assert limits is not None
    now = time.time_ns() // 1000
    for tenant, environment, times in (("acme", "staging", 5), ("globex", "production", 1)):
        key = Key(key_id="config:app" if tenant == "acme" else "k-2", name="app")
        for _ in range(times):
            try:
                lease = limits.admit(Ask(key, tenant, environment, "m", "m", {}, 100, 400, "lab"), now)
            except CallError:
                continue
            assert lease is not None
            if tenant == "acme":
                lease.settle(200, 150_000, now)
    yield make_app(state)
    asyncio.run(state.limiting.close())


def test_what_is_used_of_each_limit(app):
    items = ask(app, "/api/limits").json()["items"]
    acme = {
        "scope": "tenant",
        "value": "acme",
        "name": "acme",
        "requests_per_min": 3,
        "requests_used": 3,
        "tokens_per_min": 10_000,
        "tokens_used": 600,
        "concurrent": 5,
        "in_flight": 0,
    }
    assert items[0] == acme
    assert items[1] | {"value": "globex", "in_flight": 1, "requests_used": 1, "tokens_used": 500} == items[1]
    assert {(each["value"], each["name"]) for each in items[2:]} == {("config:app", "app"), ("k-2", "k-2")}


def test_what_is_spent_and_reserved_of_each_budget(app):
    items = {(each["budget"], each["value"]): each for each in ask(app, "/api/budgets").json()["items"]}
    acme, globex, staging = (
        items[key] for key in (("each-tenant", "acme"), ("each-tenant", "globex"), ("for-good", "staging"))
    )
    assert (acme["spent_usd"], acme["reserved_usd"], acme["remaining_usd"]) == (0.00045, 0, 0.00955)
    assert (globex["spent_usd"], globex["reserved_usd"], globex["in_flight"]) == (0, 0.0005, 1)
    assert (staging["resets_at"], staging["hard"], staging["limit_usd"]) == (None, False, 5)
    assert acme["resets_at"] > acme["begins_at"]


@pytest.mark.parametrize(
    ("key", "seen"),
    [
        ("admin", {"acme", "globex", "config:app", "k-2"}),
        ("viewer", {"acme", "globex", "config:app", "k-2"}),
        ("acme", {"acme"}),
        ("app", {"acme", "config:app"}),
        ("staging", set()),
    ],
)
def test_who_is_bound_sees_its_own_only(app, key, seen):
    assert {each["value"] for each in ask(app, "/api/limits", key).json()["items"]} == seen


def test_without_a_key_nothing_is_seen(app):
    assert ask(app, "/api/budgets", None).status_code == 401


def test_without_limits_there_is_nothing(tmp_path):
    app = make_app(make_state(FakeStore(), tmp_path))
    assert ask(app, "/api/limits").json() == ask(app, "/api/budgets").json() == {"items": [], "next_cursor": None}


def test_the_metrics_count_what_was_refused(app):
    assert 'callgate_limits_refused_total{reason="rate",worker="3"} 2.0' in ask(app, "/metrics").text


def test_the_guard_against_runaways_is_lifted_for_a_while_and_set_again(app):
    assert ask(app, "/api/runaway").json()["items"] == []
    made = ask(app, "/api/runaway/acme/override", method="POST", json={"hours": 2, "note": "load test"})
    assert made.status_code == 201, made.text
    (item,) = ask(app, "/api/runaway").json()["items"]
    assert (item["tenant"], item["note"]) == ("acme", "load test")
    entries = ask(app, "/api/audit").json()["items"]
    assert ("created", "runaway_override", "acme") in {(e["action"], e["kind"], e["id"]) for e in entries}
    assert ask(app, "/api/runaway/acme/override", method="POST", json={"hours": 0}).status_code == 400
    assert ask(app, "/api/runaway/acme/override", method="DELETE").status_code == 200
    assert ask(app, "/api/runaway").json()["items"] == []
    assert ask(app, "/api/runaway/acme/override", method="DELETE").status_code == 404
