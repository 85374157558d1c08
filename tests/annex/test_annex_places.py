from __future__ import annotations

import pytest
from starlette.routing import Route

from gateway import api, dashboard
from gateway.annex.places import ELSEWHERE, LONG, PLACES, WITH_STANDINGS, is_place, shows_standings, takes_long

ROUTES = {route.path: route for route in [*api.routes(), *dashboard.routes()] if isinstance(route, Route)}
RULES = {(rule.path, method) for rule in [*dashboard.RULES, *api.RULES] for method in rule.methods}


@pytest.mark.parametrize("path", PLACES)
def test_a_place_is_a_route_that_somebody_may_read(path: str) -> None:
    assert "GET" in (ROUTES[path].methods or ())
    assert (path, "GET") in RULES


@pytest.mark.parametrize("path", [*ELSEWHERE, "/api/keys", "/login", "/metrics", "/v1/models", "/playground"])
def test_what_is_about_one_worker_or_changes_something_is_no_place(path: str) -> None:
    assert not is_place(path)


@pytest.mark.parametrize("path", ["/", "/requests", "/requests/0197/body/request", "/api/tags/a/b", "/tenants/acme"])
def test_parameters_are_filled_in(path: str) -> None:
    assert is_place(path)


def test_the_other_lists_are_of_places() -> None:
    assert set(LONG) | set(WITH_STANDINGS) <= set(PLACES)
    assert [shows_standings(path) for path in ("/tenants/acme", "/costs")] == [True, False]
    assert [takes_long(path) for path in ("/api/requests/export", "/api/requests/export/token")] == [True, False]
