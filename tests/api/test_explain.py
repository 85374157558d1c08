"""`/api/routes` and `/api/routes/explain`, on a data plane of two routes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from starlette.applications import Starlette

from gateway.control.state import Routing
from gateway.core.key import Key
from gateway.core.routing import KeyRing, Member, Outcome, Route, RoutePolicy, TargetState, judge
from gateway.errors import CallError
from tests.api.fakes import FakeStore, ask, make_app, make_state

NOW = 50_000_000


class FakeRouting:
    """`smart` has two targets and a fallback; `eu` prefers a region."""

    def __init__(self) -> None:
        members = (
            Member(index=0, model="openai/gpt-5", state=TargetState(), keys=KeyRing(2), weight=9, price=11_250_000),
            Member(index=1, model="anthropic/claude", state=TargetState(), keys=KeyRing(1)),
            Member(index=2, model="demo/echo", state=TargetState(), keys=KeyRing(1), tier=1),
        )
        self.smart = Route("smart", members, RoutePolicy(retries=2, sticky="session"))
        there = (
            Member(index=0, model="openai/gpt-5", state=members[0].state, keys=members[0].keys, region="us"),
            Member(index=1, model="mistral/large", state=TargetState(), keys=KeyRing(1), region="eu", context=100),
        )
        self.eu = Route("eu", there, RoutePolicy(region="eu"))

    def resolve(self, model: str, key: Key | None) -> Route:
        if key is not None and not key.allows_model(model):
            raise CallError(403, "model_not_allowed", f"The key {key.name!r} may not use {model!r}.")
        try:
            return {"smart": self.smart, "eu": self.eu}[model]
        except KeyError:
            raise CallError(404, "model_not_found", f"No provider serves the model {model!r}.") from None

    def all(self) -> Iterable[Route]:
        return [self.smart, self.eu]

    def names(self, member: Member) -> tuple[str, str]:
        provider, _, model = member.model.partition("/")
        return provider, model

    def now_us(self) -> int:
        return NOW


@pytest.fixture
def routing() -> FakeRouting:
    return FakeRouting()


@pytest.fixture
def app(routing: FakeRouting, tmp_path: Path) -> Starlette:
    state = make_state(FakeStore(), tmp_path)
    plane: Routing = routing
    state.routing = plane
    return make_app(state)


def explained(app: Starlette, query: str) -> dict[str, float]:
    answer = ask(app, f"/api/routes/explain?{query}")
    assert answer.status_code == 200
    return {target["model"]: target["chance"] for target in answer.json()["route"]["targets"]}


def test_all_routes_with_their_targets(app: Starlette) -> None:
    answer = ask(app, "/api/routes", "viewer").json()
    assert (answer["worker"], answer["next_cursor"]) == (3, None)
    assert [item["name"] for item in answer["items"]] == ["smart", "eu"]
    smart = answer["items"][0]
    assert {name: value for name, value in smart.items() if name != "targets"} == {
        "name": "smart",
        "strategy": "weighted",
        "sticky": "session",
        "region": None,
        "retries": 2,
    }
    assert smart["targets"][0] == {
        "provider": "openai",
        "model": "gpt-5",
        "tier": 0,
        "state": "closed",
        "ready_in_ms": 0.0,
        "chance": 0.9,
        "why": "weight: 90 % of calls",
        "in_flight": 0,
        "latency_ms": None,
        "keys": 2,
        "keys_ready": 2,
        "weight": 9.0,
        "share": None,
        "region": None,
        "price_usd": 0.01125,
    }
    assert [(target["model"], target["tier"], target["chance"]) for target in smart["targets"][1:]] == [
        ("claude", 0, 0.1),
        ("echo", 1, 0.0),
    ]


@pytest.mark.parametrize(
    ("query", "chances"),
    [
        ("model=smart", {"gpt-5": 0.9, "claude": 0.1, "echo": 0.0}),
        ("model=eu", {"large": 1.0, "gpt-5": 0.0}),
        ("model=eu&region=us", {"gpt-5": 1.0, "large": 0.0}),
        ("model=eu&tokens=5000", {"gpt-5": 1.0, "large": 0.0}),
    ],
)
def test_where_a_call_would_go(app: Starlette, query: str, chances: dict[str, float]) -> None:
    assert explained(app, query) == chances


def test_a_session_goes_to_one_target(app: Starlette) -> None:
    assert sorted(explained(app, "model=smart&session=s1").values()) == [0.0, 0.0, 1.0]


def test_it_is_as_things_stand(app: Starlette, routing: FakeRouting) -> None:
    first = routing.smart.members[0].state
    first.rest(NOW + 2_500_000, NOW)
    first.began(NOW)
    first.ended(NOW, 412_500, judge(Outcome(200)))
    target = ask(app, "/api/routes/explain?model=smart").json()["route"]["targets"][-1]
    assert (target["model"], target["state"], target["ready_in_ms"]) == ("gpt-5", "resting", 2500.0)
    assert (target["latency_ms"], target["why"]) == (412.5, "left alone: resting")


def test_what_a_call_would_be_answered_instead(app: Starlette) -> None:
    answer = ask(app, "/api/routes/explain?model=nothing").json()
    assert answer["route"] is None
    assert answer["refused"] == {
        "status": 404,
        "code": "model_not_found",
        "message": "No provider serves the model 'nothing'.",
    }


def test_with_a_key_s_permissions(app: Starlette) -> None:
    answer = ask(app, "/api/routes/explain?model=smart&key=app").json()
    assert (answer["key"], answer["refused"]) == ("app", None)


@pytest.mark.parametrize(
    ("query", "key", "status", "code", "param"),
    [
        ("", "admin", 400, "invalid_parameter", "model"),
        ("model=smart&modle=x", "admin", 400, "unknown_parameter", "modle"),
        ("model=smart&model=eu", "admin", 400, "invalid_parameter", "model"),
        ("model=smart&tokens=many", "admin", 400, "invalid_parameter", "tokens"),
        ("model=smart&key=nobody", "admin", 400, "invalid_parameter", "key"),
        ("model=smart&key=admin", "acme", 400, "invalid_parameter", "key"),  # of no tenant, so not there for acme
        ("model=smart", "app", 403, "role_not_allowed", None),
        ("model=smart", None, 401, "missing_key", None),
    ],
)
def test_what_is_refused(
    app: Starlette, query: str, key: str | None, status: int, code: str, param: str | None
) -> None:
    answer = ask(app, f"/api/routes/explain?{query}", key)
    assert answer.status_code == status
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)


@pytest.mark.parametrize("path", ["/api/routes", "/api/routes/explain?model=smart"])
def test_a_process_that_carries_no_calls_says_so(tmp_path: Path, path: str) -> None:
    answer = ask(make_app(make_state(FakeStore(), tmp_path)), path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_data_plane")
