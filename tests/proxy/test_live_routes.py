"""What the data plane says of its routes, on a real table."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.control.state import Routing
from gateway.core.key import Key
from gateway.errors import CallError
from gateway.proxy.routes import LiveRoutes
from tests.proxy.fakes import APP, table

HERE = {"dialect": "openai", "base_url": "http://h/v1"}
SETTINGS = {
    "providers": {"one": HERE, "two": HERE},
    "models": {
        "fast": "smart",
        "smart": {"targets": ["one/big", "two/vendor/big"], "fallbacks": ["spare"]},
        "spare": {"targets": ["demo/echo"], "retries": 1},
        "local-*": {"targets": ["one/*"]},
    },
}


@pytest.fixture
def gateway() -> SimpleNamespace:
    return SimpleNamespace(table=table(**SETTINGS))


@pytest.fixture
def routes(gateway: SimpleNamespace) -> Routing:
    return LiveRoutes(gateway)


def test_those_that_are_named_in_their_order(routes: Routing) -> None:
    assert [route.name for route in routes.all()] == ["smart", "spare"]


@pytest.mark.parametrize(
    ("asked", "members"),
    [
        ("smart", [("one", "big"), ("two", "vendor/big"), ("demo", "echo")]),
        ("fast", [("one", "big"), ("two", "vendor/big"), ("demo", "echo")]),
        ("local-llama", [("one", "llama")]),
        ("two/plain", [("two", "plain")]),
    ],
)
def test_what_a_call_would_follow(routes: Routing, asked: str, members: list[tuple[str, str]]) -> None:
    assert [routes.names(member) for member in routes.resolve(asked, None).members] == members


def test_it_is_the_route_that_calls_use(gateway: SimpleNamespace, routes: Routing) -> None:
    assert routes.resolve("smart", APP) is gateway.table.resolve("smart").route


@pytest.mark.parametrize(
    ("model", "key", "code"),
    [
        ("nothing", None, "model_not_found"),
        ("smart", Key(key_id="k", name="k", models=("other",)), "model_not_allowed"),
        ("smart", Key(key_id="k", name="k", role="viewer"), "not_allowed"),
    ],
)
def test_what_a_call_would_be_refused_for(routes: Routing, model: str, key: Key | None, code: str) -> None:
    with pytest.raises(CallError) as raised:
        routes.resolve(model, key)
    assert raised.value.code == code


def test_a_reload_is_seen_at_once(gateway: SimpleNamespace, routes: Routing) -> None:
    gateway.table = table(**{**SETTINGS, "models": {"other": {"targets": ["one/big"]}}})
    assert [route.name for route in routes.all()] == ["other"]
