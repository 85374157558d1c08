"""The pages of alerts as a browser without a script uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from gateway import worker
from gateway.control.alerts_evaluate import Evaluator
from gateway.control.notify.sink import Undelivered
from gateway.core.alerts.notice import Notice
from gateway.core.limits.events import Event
from gateway.dashboard.alert_form import form_of_rule, rule_of
from gateway.errors import ControlError
from gateway.settings import Settings
from gateway.settings.alerts import AlertRule, Alerts, Notification
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite
from pricing.catalog import Catalog
from tests.api.fakes import KEYS, NOW, TOKENS, make_state, span

SETTINGS = Settings(
    alerts=Alerts(rules=[AlertRule(name="volume", metric="requests", above=2, each="tenant")]),
    notifications={"ops": Notification(kind="slack", endpoint="https://hooks.example.com/secret-path")},
)
FORM = {"name": "slow", "metric": "latency_p95_ms", "way": "above", "limit": "200", "severity": "error"}


async def nothing_reached(now_us: int) -> AsyncIterator[Event]:
    for event in ():
        yield event


class House(NamedTuple):
    browser: httpx.AsyncClient
    state: Any
    runner: asyncio.Runner

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def get(self, path: str) -> httpx.Response:
        return self.run(self.browser.get(path))  # type: ignore[no-any-return]

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self.run(self.browser.post(path, data=fields))  # type: ignore[no-any-return]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], House]]:
    store = open_store("sqlite:///pages.db", tmp_path)
    state = make_state(store, tmp_path, settings=SETTINGS, keys=KEYS)
    state.catalog = Catalog.load()
    app = worker.make_app(state)
    browsers: list[httpx.AsyncClient] = []

    def made(key: str) -> House:
        browsers.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app),
                base_url="http://callgate.test",
                headers={"authorization": f"Bearer {TOKENS[key]}"},
            )
        )
        return House(browsers[-1], state, runner)

    with asyncio.Runner() as runner:
        runner.run(store.connect())
        yield made
        for browser in browsers:
            runner.run(browser.aclose())
        runner.run(store.close())


@pytest.fixture
def house(opened: Callable[[str], House]) -> House:
    return opened("admin")


def main_of(page: httpx.Response) -> str:
    return page.text.partition("<main")[2].partition("</main>")[0]


def look(house: House) -> None:
    house.run(Evaluator(house.state.alerts, house.state, "here", nothing_reached).look(NOW + 1))


def fire(house: House) -> None:
    calls = [SpanWrite(span(number, NOW - 1, tenant="acme<b>")) for number in range(5)]
    house.run(house.state.store.write(Batch(spans=calls)))
    look(house)


def test_nothing_yet(house: House) -> None:
    page = house.get("/alerts").text
    for words in ("All is well.", "not looked at yet", "Nothing was said yet.", "volume", "Calls above 2 calls over"):
        assert words in page
    assert "secret-path" not in page


def test_what_fires_stands_on_top_and_in_the_history(house: House) -> None:
    fire(house)
    page = main_of(house.get("/alerts"))
    assert page.index("Firing") < page.index("acme&lt;b&gt;") < page.index(">History<")
    assert "volume (acme&lt;b&gt;)</a>" in page
    assert "<b>" not in page.replace("<b><svg", "")
    one = house.get("/alerts/rules/volume").text
    assert "5 calls" in one
    assert "declared in the configuration" in one
    assert "/alerts/rules/volume/delete" not in one


def test_a_rule_is_made_changed_and_deleted(house: House) -> None:
    made = house.post("/alerts/create", **FORM, provider="openai, lab", notify="ops")
    assert (made.status_code, made.headers["location"]) == (303, "/alerts/rules/slow")
    rule = house.run(house.state.alerts.rule("slow"))
    assert (rule.above, rule.provider, rule.notify) == (200, ["openai", "lab"], ["ops"])
    assert 'value="200"' in house.get("/alerts/rules/slow").text
    assert house.post("/alerts/rules/slow/change", **FORM | {"limit": "300", "way": "below"}).status_code == 303
    assert house.run(house.state.alerts.rule("slow")).below == 300
    assert house.post("/alerts/rules/slow/delete").headers["location"] == "/alerts"
    assert house.get("/alerts/rules/slow").status_code == 404
    assert "alert_rule" in house.get("/settings/audit").text


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        ("/alerts/create", FORM | {"limit": "much"}, "is no number"),
        ("/alerts/create", FORM | {"limit": "nan"}, "is no number"),
        ("/alerts/create", FORM | {"limit": ""}, "above: or below"),
        ("/alerts/create", FORM | {"name": "a b"}, "This is no rule"),
        ("/alerts/create", FORM | {"name": "volume"}, "declared in the configuration"),
        ("/alerts/create", FORM | {"notify": "nobody"}, "under notifications"),
        ("/alerts/silence", {"rule": "", "hours": "1"}, "name of a rule"),
        ("/alerts/silence", {"rule": "volume", "hours": "9999"}, "no time that can be chosen"),
        ("/alerts/test", {"receiver": "nobody"}, "there are: ops"),
        ("/alerts/rules/volume/change", FORM, "declared in the configuration"),
    ],
)
def test_a_form_that_does_not_hold_says_why(path: str, fields: dict[str, str], words: str, house: House) -> None:
    answer = house.post(path, **fields)
    assert (answer.status_code, words in answer.text) == (400, True), answer.text


def test_what_was_filled_in_comes_back(house: House) -> None:
    assert 'value="provider-x"' in house.post("/alerts/create", **FORM | {"limit": "x", "provider": "provider-x"}).text


def test_a_silence_and_its_end(house: House) -> None:
    assert house.post("/alerts/rules/volume/silence", hours="4", of="", note="moving").status_code == 303
    assert "moving" in house.get("/alerts").text
    fire(house)
    assert "silenced" in house.get("/alerts").text
    key = next(iter(house.run(house.state.alerts.silences())))
    assert house.post("/alerts/unsilence", id=key).status_code == 303
    assert "moving" not in house.get("/alerts").text


def test_the_test_button(house: House) -> None:
    told: list[str] = []

    async def take(receiver: str, notice: Notice) -> None:
        told.append(f"{receiver} {notice.kind}")

    async def refuse(receiver: str, notice: Notice) -> None:
        raise Undelivered("hooks.example.com answered 404")

    house.state.alerts.send = take
    answer = house.post("/alerts/test", receiver="ops")
    assert "ops took the test." in house.get(answer.headers["location"]).text
    assert told == ["ops test"]
    house.state.alerts.send = refuse
    assert "ops could not be told: hooks.example.com answered 404." in house.post("/alerts/test", receiver="ops").text
    assert "took the test" not in house.get("/alerts?tested=somebody").text


def test_who_reads_changes_nothing_and_who_is_bound_reads_nothing(opened: Callable[[str], House]) -> None:
    viewer, acme = opened("viewer"), opened("acme")
    page = main_of(viewer.get("/alerts"))
    assert "volume" in page
    assert "<form" not in page + main_of(viewer.get("/alerts/rules/volume"))
    assert acme.get("/alerts").status_code == 403
    assert 'href="/alerts"' not in acme.get("/").text


@pytest.mark.parametrize(
    "rule",
    [
        AlertRule(name="a", metric="error_rate", above=0.5, clear=0.1, each="model", tenant=["x", "y"], notify=["ops"]),
        AlertRule(name="b", metric="requests", below=1_234_567.0, window_min=0.5, for_min=3, min_calls=4),
    ],
)
def test_a_rule_is_the_same_through_its_form(rule: AlertRule) -> None:
    assert rule_of(form_of_rule(rule)) == rule


def test_a_form_names_the_field() -> None:
    with pytest.raises(ControlError, match="window min: 'ten' is no number"):
        rule_of(FORM | {"window_min": "ten"})
