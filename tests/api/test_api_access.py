from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from gateway import dashboard, worker
from gateway.api import RULES, routes
from gateway.api.access import DELEGATED, READERS, SECURITY_HEADERS, Rule, uncovered
from gateway.settings import Metrics, Settings
from tests.api.fakes import NOW, TOKENS, FakeStore, ask, make_app, make_state, span, traffic

OPEN = {"/healthz", "/readyz", "/metrics"}


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(traffic(60))


async def a_page(request: Request) -> Response:
    return HTMLResponse(f"hello {request.state.principal.name}")


async def a_change(request: Request) -> Response:
    return PlainTextResponse("changed")


@pytest.fixture
def app(store: FakeStore, tmp_path: Path) -> Starlette:
    return make_app(
        make_state(store, tmp_path),
        more=[Route("/page", a_page), Route("/change", a_change, methods=["POST"]), Route("/forgotten", a_page)],
        rules=[Rule("/page", READERS, page=True), Rule("/change", READERS, methods=("POST",))],
    )


def concrete(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", path).replace("/values/x", "/values/model")


def cases() -> Iterator[tuple[Rule, str]]:
    for rule in RULES:
        if rule.path != "/api/requests/stream":  # never ends; test_api_live has it
            yield rule, concrete(rule.path)


def test_every_route_has_a_rule() -> None:
    assert uncovered(routes(), RULES) == []


def test_every_route_of_the_whole_application_has_a_rule(store: FakeStore, tmp_path: Path) -> None:
    whole = worker.make_app(make_state(store, tmp_path))
    assert uncovered(whole.routes, [*RULES, *DELEGATED, *dashboard.RULES]) == []


def test_a_route_without_a_rule_is_named_and_closed(app: Starlette) -> None:
    forgotten = [Route("/forgotten", a_page), Route("/page", a_page, methods=["POST"]), WebSocketRoute("/ws", a_page)]
    rules = [Rule("/page", READERS), *DELEGATED]
    assert uncovered(forgotten, rules) == ["GET /forgotten", "HEAD /forgotten", "POST /page", "* /ws"]
    assert uncovered([WebSocketRoute("/v1/realtime", a_page)], rules) == []
    assert ask(app, "/forgotten", "admin").status_code == 404


@pytest.mark.parametrize(("rule", "path"), list(cases()))
def test_without_a_key_only_the_open_routes_answer(rule: Rule, path: str, app: Starlette) -> None:
    answer = ask(app, path, None, rule.methods[0], headers={"sec-fetch-site": "same-origin"})
    if path in OPEN:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "missing_key"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("is_open", "status"), [(True, 200), (False, 401)])
def test_metrics_can_be_closed(is_open: bool, status: int, store: FakeStore, tmp_path: Path) -> None:
    app = make_app(make_state(store, tmp_path, settings=Settings(metrics=Metrics(open=is_open))))
    assert ask(app, "/metrics", None).status_code == status
    assert ask(app, "/metrics", "viewer").status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": "Bearer nonsense"}, "invalid_key"),
        ({"x-api-key": "ü".encode("latin-1").decode("latin-1")}, "invalid_key"),
        ({"authorization": "Basic dTpw"}, "missing_key"),
        ({"authorization": "Bearer "}, "missing_key"),
    ],
)
def test_refused_keys_say_why(headers: dict[str, str], code: str, app: Starlette) -> None:
    answer = ask(app, "/api/stats", None, headers={name: value.encode("latin-1") for name, value in headers.items()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_both_headers_take_a_key(header: str, app: Starlette) -> None:
    value = TOKENS["viewer"] if header == "x-api-key" else f"bearer {TOKENS['viewer']}"
    assert ask(app, "/api/stats", None, headers={header: value}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/api/stats", "/api/requests?x=1", "/nothing", "/page"])
def test_security_headers_are_on_every_answer(path: str, app: Starlette) -> None:
    answer = ask(app, path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    is_page = answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'self'" if is_page else "default-src 'none'"
    )


def test_a_page_sends_strangers_to_the_form_and_back(app: Starlette) -> None:
    answer = ask(app, "/page?a=b c&d=%2F", None)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/page%3Fa%3Db%2520c%26d%3D%252F"
    part = ask(app, "/page", None, headers={"hx-request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login")


@pytest.mark.parametrize(("key", "status"), [("app", 403), ("viewer", 200)])
def test_pages_are_for_readers(key: str, status: int, app: Starlette) -> None:
    assert ask(app, "/page", key).status_code == status


@pytest.mark.parametrize(("path", "allow"), [("/api/stats", "GET, HEAD"), ("/change", "POST")])
def test_wrong_methods(path: str, allow: str, app: Starlette) -> None:
    answer = ask(app, path, method="DELETE")
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://callgate.test"}, 403),
        ({"origin": "http://callgate.test"}, 200),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_changes_with_a_cookie_come_from_our_own_pages(headers: dict[str, str], status: int, app: Starlette) -> None:
    form = {"key": TOKENS["viewer"], "next": "/page"}
    sessions = app.state.callgate.sessions
    signed_in: dict[str, str] = {}

    async def sign_in(request: Request) -> Response:
        response: Response = await sessions.sign_in(request)
        signed_in["cookie"] = response.headers["set-cookie"].partition(";")[0]
        return response

    login = make_app(
        app.state.callgate,
        more=[Route("/login", sign_in, methods=["POST"])],
        rules=[Rule("/login", (), methods=("POST",))],
    )
    ask(login, "/login", None, "POST", data=form, headers={"sec-fetch-site": "same-origin"})
    assert ask(app, "/change", None, "POST", headers={**signed_in, **headers}).status_code == status
    assert ask(app, "/change", "viewer", "POST").status_code == 200  # a key is proof enough


def test_a_failing_store_is_a_503_that_says_what_goes_on(app: Starlette, store: FakeStore) -> None:
    store.broken = "database is locked at /secret/path"
    answer = ask(app, "/api/stats")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"]["code"] == "store_unavailable"
    assert "/secret" not in answer.text


def test_an_unexpected_error_shows_nothing(
    app: Starlette, store: FakeStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(which: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(store, "stats", fail)
    answer = ask(app, "/api/stats")
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "api_error"
    assert "hunter2" not in answer.text
    assert "hunter2" in caplog.text


# ------------------------------------------------------------------------------------------------ what is seen

SCOPES = [
    ("acme", lambda row: row.tenant == "acme"),
    ("staging", lambda row: row.environment == "staging"),
    ("app", lambda row: row.tenant == "acme" and row.key_id == "config:app"),
    ("viewer", lambda row: True),
]


@pytest.mark.parametrize(("key", "own"), SCOPES)
def test_a_key_sees_only_its_own(key: str, own: object, app: Starlette, store: FakeStore) -> None:
    expected = {row.request_id for row in store.rows if own(row)}  # type: ignore[operator]  # a predicate
    assert 0 < len(expected) <= len(store.rows)
    listed = ask(app, "/api/requests?limit=1000", key).json()["items"]
    exported = ask(app, "/api/requests/export?format=jsonl", key).text.splitlines()
    assert {item["request_id"] for item in listed} == expected
    assert {json.loads(line)["request_id"] for line in exported} == expected
    assert ask(app, "/api/stats", key).json()["requests"] == len(expected)
    costs = ask(app, "/api/costs?group_by=model", key).json()["items"]
    assert sum(item["requests"] for item in costs) == len(expected)
    single = {row.request_id for row in store.rows if ask(app, f"/api/requests/{row.request_id}", key).is_success}
    assert single == expected


@pytest.mark.parametrize(
    ("path", "key"),
    [("/api/requests?tenant=globex", "acme"), ("/api/stats?key=config:admin", "app"),
     ("/api/requests/export?environment=production", "staging"), ("/api/tags?tenant=globex", "acme")],
)  # fmt: skip
def test_asking_beyond_is_refused_by_name(path: str, key: str, app: Starlette) -> None:
    answer = ask(app, path, key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "out_of_scope")


@pytest.mark.parametrize("path", ["/api/tags", "/api/tags/secret", "/api/values/tenant", "/api/values/kind"])
def test_menus_do_not_tell_of_others(path: str, app: Starlette, store: FakeStore) -> None:
    store.add(span(999, NOW - 1, tenant="globex", kind="hidden-kind", tags={"secret": "hidden-value"}))
    for key in ("acme", "app"):
        answer = ask(app, path, key)
        assert answer.status_code == 200
        for word in ("secret", "hidden", "globex"):
            assert word not in answer.text
    assert any(word in ask(app, path, "viewer").text for word in ("secret", "hidden", "globex"))
