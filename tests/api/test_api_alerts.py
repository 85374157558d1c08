"""/api/alerts and /api/notifications: rules, what fires, silences, the history, and tests of who is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.control.alerts_evaluate import Evaluator
from gateway.control.notify.sink import Undelivered
from gateway.core.alerts.notice import Notice
from gateway.core.limits.events import Event
from gateway.settings import Settings
from gateway.settings.alerts import AlertRule, Alerts, Notification
from tests.api.fakes import NOW, FakeStore, ask, make_app, make_state, span

SETTINGS = Settings(
    alerts=Alerts(rules=[AlertRule(name="volume", metric="requests", above=2, each="tenant")]),
    notifications={"ops": Notification(kind="slack", endpoint="https://hooks.example.com/secret-path")},
)
RULE = {"name": "slow", "metric": "latency_p95_ms", "above": 200}


async def nothing_reached(now_us: int) -> AsyncIterator[Event]:
    for event in ():
        yield event


class House:
    def __init__(self, folder: Path) -> None:
        self.state = make_state(FakeStore(), folder, settings=SETTINGS)
        self.app = make_app(self.state)
        assert self.state.alerts is not None
        self.alerts = self.state.alerts
        self.told: list[Notice] = []
        self.alerts.send = self._take  # type: ignore[method-assign]
        self.problem: Undelivered | None = None

    async def _take(self, receiver: str, notice: Notice) -> None:
        if self.problem is not None:
            raise self.problem
        self.told.append(notice)

    def look(self) -> None:
        asyncio.run(Evaluator(self.alerts, self.state, "here", nothing_reached).look(NOW + 1))

    def ask(self, path: str, method: str = "GET", key: str = "admin", **options: Any) -> Any:
        return ask(self.app, path, key, method, **options)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_rule_is_made_changed_and_deleted(house: House) -> None:
    made = house.ask("/api/alerts/rules", "POST", json=RULE)
    assert (made.status_code, made.json()["window_min"]) == (201, 10)
    assert house.ask("/api/alerts/rules", "POST", json=RULE).json()["error"]["message"].endswith("already.")
    assert house.ask("/api/alerts/rules/slow", "PUT", json=RULE | {"above": 900}).status_code == 200
    one = house.ask("/api/alerts/rules/slow").json()
    assert (one["rule"]["above"], one["declared"], one["state"]) == (900, False, "ok")
    assert house.ask("/api/alerts/rules/slow", "DELETE").status_code == 200
    assert house.ask("/api/alerts/rules/slow").status_code == 404


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "words"),
    [
        ("/api/alerts/rules", "POST", RULE | {"metric": "mood"}, 400, "nothing that can be watched"),
        ("/api/alerts/rules", "POST", RULE | {"abov": 1}, 400, "abov"),
        ("/api/alerts/rules", "POST", RULE | {"name": "a/b"}, 400, "name"),
        ("/api/alerts/rules/other", "PUT", RULE, 400, "another rule"),
        ("/api/alerts/rules/volume", "DELETE", None, 400, "declared in the configuration"),
        ("/api/alerts/silences", "POST", {"rule": "x", "until": "soon"}, 400, "ISO date"),
        ("/api/alerts/silences", "POST", {"rule": "x", "until": "2001-01-01"}, 400, "in the future"),
        ("/api/alerts/silences/none", "DELETE", None, 404, "no alert silence"),
        ("/api/alerts/history?page=2", "GET", None, 400, "no parameter"),
        ("/api/notifications/nobody/test", "POST", None, 404, "there are: ops"),
    ],
)
def test_what_cannot_be_done_says_why(path: str, method: str, body: Any, status: int, words: str, house: House) -> None:
    answer = house.ask(path, method, json=body) if body is not None else house.ask(path, method)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text


def test_what_fires_and_what_was_said(house: House) -> None:
    store: Any = house.state.store
    store.add(*(span(number, NOW - 1, tenant="acme") for number in range(5)), span(9, NOW - 1, tenant="b"))
    house.look()
    found = house.ask("/api/alerts/rules", key="viewer").json()["items"][0]
    assert (found["state"], found["declared"], found["values"]) == ("firing", True, {"acme": 5, "b": 1})
    assert [(each["of"], each["value"], each["told"]) for each in found["watches"]] == [("acme", 5, True)]
    said = house.ask("/api/alerts/history").json()["items"]
    assert [(each["title"], each["sent"]["ops"]["state"]) for each in said] == [("Firing: volume (acme)", "waiting")]


def test_history_goes_on_from_a_cursor(house: House) -> None:
    store: Any = house.state.store
    store.add(*(span(number, NOW - 1, tenant=f"t{number % 5}") for number in range(15)))
    house.look()
    seen, cursor = [], ""
    while True:
        page = house.ask(f"/api/alerts/history?limit=2{cursor}").json()
        seen += [each["of"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == ["t0", "t1", "t2", "t3", "t4"]


def test_silences(house: House) -> None:
    until = datetime.fromtimestamp(NOW // 1_000_000 + 3600, UTC).isoformat()
    made = house.ask("/api/alerts/silences", "POST", json={"rule": "vol*", "until": until, "note": "moving"})
    silence = made.json()
    assert (made.status_code, silence["of"], silence["by"]) == (201, "*", "key:admin")
    assert silence["id"] in {each["id"] for each in house.ask("/api/alerts/silences").json()["items"]}
    assert house.ask(f"/api/alerts/silences/{silence['id']}", "DELETE").status_code == 200


def test_a_receiver_is_tried_and_says_nothing_of_where_it_is(house: House) -> None:
    assert house.ask("/api/notifications/ops/test", "POST").json() == {"name": "ops", "sent": True}
    assert [notice.kind for notice in house.told] == ["test"]
    house.problem = Undelivered("hooks.example.com answered 404")
    refused = house.ask("/api/notifications/ops/test", "POST")
    assert (refused.status_code, "answered 404" in refused.text) == (400, True)
    listed = house.ask("/api/notifications").text
    assert '"kind":"slack"' in listed
    assert "secret-path" not in listed


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/api/alerts/rules", "acme", 403),  # bound to a tenant
        ("GET", "/api/alerts/history", "app", 403),
        ("POST", "/api/alerts/rules", "viewer", 403),
        ("POST", "/api/notifications/ops/test", "viewer", 403),
        ("GET", "/api/alerts/silences", "viewer", 200),
    ],
)
def test_who_may(method: str, path: str, key: str, status: int, house: House) -> None:
    assert house.ask(path, method, key=key).status_code == status
