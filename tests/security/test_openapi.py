"""The document at /api/openapi.json is complete, and every operation of a real gateway answers as it says."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
from starlette.routing import Route

from gateway.api import RULES, routes
from gateway.api.filters import NAMES
from gateway.api.openapi_operations import FILTERS, OPERATIONS
from tests.e2e.harness import ADMIN_KEY, Gateway, chat_request, configuration, wait_for
from tests.e2e.wire import PATIENCE_S

PASSWORD = "correct horse battery"
RULE = {"name": "slow", "metric": "latency_p95_ms", "above": 1000}
TALK = {"models": ["demo/echo"], "rounds": [{"text": "Hello"}]}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
TRACEPARENT = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REFUSED = {"POST /api/notifications/{name}/test"}
"""Refused here: the receiver is on a private address."""
RENAMED = {"title": "Greetings"}
CHAT = {"model": "demo/echo", "messages": [{"role": "user", "content": "Hello"}]}


class Step(NamedTuple):
    """`{name}` in the path is what an earlier step `kept` under that name: a path of keys into its answer."""

    operation: str
    path: str
    body: object = None
    kept: tuple[str, str] = ("", "")
    as_person: bool = False


STEPS = [
    Step("GET /healthz", "/healthz"),
    Step("GET /readyz", "/readyz"),
    Step("GET /metrics", "/metrics"),
    Step("GET /api/openapi.json", "/api/openapi.json"),
    Step("GET /api/requests", "/api/requests?limit=5&order=slowest", kept=("request", "items.0.request_id")),
    Step("GET /api/requests/{request_id}", "/api/requests/{request}"),
    Step("GET /api/requests/export", "/api/requests/export?format=jsonl&progress=mine"),
    Step("GET /api/requests/export/{token}", "/api/requests/export/mine"),
    Step("GET /api/requests/stream", "/api/requests/stream"),
    Step("GET /api/traces/{trace_id}", "/api/traces/0af7651916cd43dd8448eb211c80319c"),
    Step("POST /api/requests/{request_id}/replay", "/api/requests/{request}/replay", {"model": "demo/lorem"}),
    Step("GET /api/requests/inflight", "/api/requests/inflight", kept=("flying", "items.0.request_id")),
    Step("POST /api/requests/{request_id}/stop", "/api/requests/{flying}/stop"),
    Step("GET /api/stats", "/api/stats?period=24h"),
    Step("GET /api/costs", "/api/costs?group_by=model&model=!nothing"),
    Step("GET /api/costs/summary", "/api/costs/summary"),
    Step("GET /api/whatif", "/api/whatif?source=demo/echo&target=openai/gpt-4o-mini"),
    Step("GET /api/statement", "/api/statement?tenant=acme&month=2026-10"),
    Step("GET /api/models/usage", "/api/models/usage"),
    Step("GET /api/tags", "/api/tags"),
    Step("GET /api/tags/{key:path}", "/api/tags/feature"),
    Step("GET /api/values/{field}", "/api/values/model"),
    Step("GET /api/routes", "/api/routes"),
    Step("GET /api/routes/explain", "/api/routes/explain?model=smart"),
    Step("GET /api/operations", "/api/operations"),
    Step("GET /api/dead-letters", "/api/dead-letters"),
    Step("POST /api/dead-letters/retry", "/api/dead-letters/retry"),
    Step("GET /api/configuration", "/api/configuration"),
    Step("POST /api/tenants", "/api/tenants", {"slug": "initech"}),
    Step("GET /api/tenants", "/api/tenants"),
    Step("GET /api/tenants/{slug}", "/api/tenants/initech"),
    Step("PATCH /api/tenants/{slug}", "/api/tenants/initech", {"note": "of the film"}),
    Step("POST /api/keys", "/api/keys", {"name": "made", "tenant": "initech"}, kept=("key", "key.key_id")),
    Step("GET /api/keys", "/api/keys"),
    Step("GET /api/keys/{key_id}", "/api/keys/{key}"),
    Step("PATCH /api/keys/{key_id}", "/api/keys/{key}", {"models": ["demo/*"], "expires_at": None}),
    Step("POST /api/keys/{key_id}/rotate", "/api/keys/{key}/rotate", kept=("key", "key.key_id")),
    Step("DELETE /api/keys/{key_id}", "/api/keys/{key}"),
    Step("POST /api/environments", "/api/environments", {"name": "staging", "tenant": "initech"}),
    Step("GET /api/environments", "/api/environments"),
    Step("POST /api/environments/{name}/rotate", "/api/environments/staging/rotate?tenant=initech", {}),
    Step("DELETE /api/environments/{name}", "/api/environments/staging?tenant=initech"),
    Step("DELETE /api/tenants/{slug}", "/api/tenants/initech"),
    Step("POST /api/users", "/api/users", {"email": "b@example.com", "role": "viewer"}, kept=("user", "user_id")),
    Step("GET /api/users", "/api/users", kept=("ann", "items.0.user_id")),
    Step("GET /api/users/{user_id}", "/api/users/{user}"),
    Step("PATCH /api/users/{user_id}", "/api/users/{user}", {"name": "Bea"}),
    Step("POST /api/users/{user_id}/password", "/api/users/{user}/password", {"password": PASSWORD}),
    Step(
        "GET /api/users/{user_id}/sessions", "/api/users/{ann}/sessions", kept=("elsewhere", "items.2.session_id")
    ),
    Step("DELETE /api/users/{user_id}/sessions/{session_id}", "/api/users/{ann}/sessions/{elsewhere}"),
    Step("DELETE /api/users/{user_id}/sessions", "/api/users/{user}/sessions"),
    Step("DELETE /api/users/{user_id}", "/api/users/{user}"),
    Step("GET /api/me", "/api/me"),
    Step("POST /api/me/tokens", "/api/me/tokens", {"name": "mine"}, kept=("token", "key.key_id"), as_person=True),
    Step("GET /api/me/tokens", "/api/me/tokens", as_person=True),
    Step("POST /api/me/tokens", "/api/me/tokens", {"name": "lost"}, kept=("lost", "key.key_id"), as_person=True),
    Step("GET /api/users/{user_id}/tokens", "/api/users/{ann}/tokens"),
    Step("DELETE /api/users/{user_id}/tokens/{key_id}", "/api/users/{ann}/tokens/{lost}"),
    Step("DELETE /api/me/tokens/{key_id}", "/api/me/tokens/{token}", as_person=True),
    Step("GET /api/me/sessions", "/api/me/sessions", kept=("older", "items.1.session_id"), as_person=True),
    Step("DELETE /api/me/sessions/{session_id}", "/api/me/sessions/{older}", as_person=True),
    Step("DELETE /api/me/sessions", "/api/me/sessions", as_person=True),
    Step("GET /api/limits", "/api/limits"),
    Step("GET /api/budgets", "/api/budgets"),
    Step("POST /api/runaway/{tenant}/override", "/api/runaway/acme/override", {"hours": 2}),
    Step("GET /api/runaway", "/api/runaway"),
    Step("DELETE /api/runaway/{tenant}/override", "/api/runaway/acme/override"),
    Step("POST /api/alerts/rules", "/api/alerts/rules", RULE),
    Step("GET /api/alerts/rules", "/api/alerts/rules"),
    Step("GET /api/alerts/rules/{name}", "/api/alerts/rules/slow"),
    Step("PUT /api/alerts/rules/{name}", "/api/alerts/rules/slow", RULE | {"above": 2000}),
    Step("DELETE /api/alerts/rules/{name}", "/api/alerts/rules/slow"),
    Step("POST /api/alerts/silences", "/api/alerts/silences", {"rule": "*", "until": TOMORROW}, ("quiet", "id")),
    Step("GET /api/alerts/silences", "/api/alerts/silences"),
    Step("DELETE /api/alerts/silences/{silence_id}", "/api/alerts/silences/{quiet}"),
    Step("GET /api/notifications", "/api/notifications"),
    Step("POST /api/notifications/{name}/test", "/api/notifications/hook/test"),
    Step("GET /api/alerts/history", "/api/alerts/history"),
    Step("POST /api/privacy/policies", "/api/privacy/policies", {"scope": "tenant", "match": "x", "payloads": "none"}),
    Step("GET /api/privacy/policies", "/api/privacy/policies"),
    Step("DELETE /api/privacy/policies/{scope}/{match}", "/api/privacy/policies/tenant/x"),
    Step("POST /api/privacy/redaction", "/api/privacy/redaction", {"text": "write to ann@example.com"}),
    Step("POST /api/privacy/erasures", "/api/privacy/erasures", {"kind": "user", "value": "nobody"}),
    Step("GET /api/privacy/erasures", "/api/privacy/erasures"),
    Step("GET /api/audit", "/api/audit?limit=3"),
    Step("GET /api/audit/export", "/api/audit/export?format=csv"),
    Step("GET /api/playground/models", "/api/playground/models"),
    Step("POST /api/playground/chat", "/api/playground/chat", {"request": CHAT}),
    Step("POST /api/playground/conversations", "/api/playground/conversations", {"talk": TALK}, ("talk", "id")),
    Step("GET /api/playground/conversations", "/api/playground/conversations?q=hello"),
    Step("GET /api/playground/conversations/{conversation_id}", "/api/playground/conversations/{talk}"),
    Step("PATCH /api/playground/conversations/{conversation_id}", "/api/playground/conversations/{talk}", RENAMED),
    Step("DELETE /api/playground/conversations/{conversation_id}", "/api/playground/conversations/{talk}"),
]  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With something of everything in it, and a call under way to a provider that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        config = configuration(
            models={"smart": {"targets": [{"model": "demo/echo"}], "fallbacks": ["demo/lorem"]}},
            limits=[{"scope": "tenant", "match": "*", "requests_per_min": 1000}],
            budgets=[{"name": "all", "scope": "tenant", "match": "*", "period": "day", "usd": 100}],
            notifications={
                "hook": {"kind": "webhook", "endpoint": "https://127.0.0.1:1/", "secret": "0123456789abcdef"}
            },
            providers={"silent": {"dialect": "openai", "base_url": base_url, "api_key": "none"}},
            prices={"overrides": {"echo": {"input_per_mtok": 1.0, "output_per_mtok": 2.0}}},
        )
        running = Gateway(tmp_path_factory.mktemp("described") / "data", config).start()
        for number in range(3):
            made = running.chat("demo/echo", f"Call {number}", TRACEPARENT, metadata={"team": "search"})
            running.row_of(made)
        with running.connect() as waiting:
            waiting.send(chat_request("Are you there?", model="silent/x"))
            wait_for(lambda: running.get("/api/requests/inflight")[1]["items"], "the call is under way")
            yield running
        assert running.stop() == 0, "".join(running.output)


@pytest.fixture(scope="module")
def described(gateway: Gateway) -> dict[str, Any]:
    status, found = gateway.get("/api/openapi.json")
    assert status == 200
    return dict(found)


def test_every_route_is_described_and_nothing_else() -> None:
    there = {f"{m} {r.path}" for r in routes() if isinstance(r, Route) for m in r.methods or () if m != "HEAD"}
    assert set(OPERATIONS) == there
    assert {f"{m} {rule.path}" for rule in RULES for m in rule.methods if m != "HEAD"} == there


def test_every_filter_is_described() -> None:
    assert {each.name for each in FILTERS} == {*NAMES} - {"tag.KEY"}


def test_its_names_are_its_own_and_its_references_lead_somewhere(described: dict[str, Any]) -> None:
    operations = [of for path in described["paths"].values() for of in path.values()]
    ids = [of["operationId"] for of in operations]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)
    for path, methods in described["paths"].items():
        for of in methods.values():
            given = {each["name"] for each in of["parameters"] if each.get("in") == "path"}
            assert given == set(re.findall(r"{(\w+)}", path))
    for kind, name in set(re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(described))):
        assert name in described["components"][kind]


def test_who_may_is_said(described: dict[str, Any]) -> None:
    alive = described["paths"]["/healthz"]["get"]
    assert (alive["security"], alive["x-callgate-roles"]) == ([], [])
    users = described["paths"]["/api/users"]["post"]
    assert (bool(users["security"]), users["x-callgate-roles"]) == (True, ["admin"])
    assert "Not for who is bound to a tenant" in users["description"]


def test_the_words_below_a_field_are_its_description(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert schemas["KeyRecord"]["properties"]["hint"]["description"] == "The last four characters."
    assert schemas["CostRecord"]["properties"]["cost_usd"]["anyOf"] == [{"type": "number"}, {"type": "null"}]


def test_every_operation_answers_as_described(gateway: Gateway, described: dict[str, Any]) -> None:
    assert [step.operation for step in STEPS if step.operation not in OPERATIONS] == []
    assert {step.operation for step in STEPS} == set(OPERATIONS)
    kept: dict[str, str] = {}
    admin = httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {ADMIN_KEY}"}, timeout=PATIENCE_S)
    with admin, contextlib.closing(signed_in(gateway, admin)) as person:
        for step in STEPS:
            check(step, described, person if step.as_person else admin, kept)


def signed_in(gateway: Gateway, admin: httpx.Client) -> httpx.Client:
    """Somebody new, as their browser sends; they are signed in elsewhere too."""
    who = {"email": "ann@example.com", "password": PASSWORD}
    assert admin.post("/api/users", json=who | {"role": "admin"}).status_code == 201
    browser = httpx.Client(base_url=gateway.url, headers={"sec-fetch-site": "same-origin"}, timeout=PATIENCE_S)
    for _ in range(3):
        assert browser.post("/login", data=who).status_code == 303
    return browser


def check(step: Step, described: dict[str, Any], client: httpx.Client, kept: dict[str, str]) -> None:
    operation, (method, path) = OPERATIONS[step.operation], step.operation.split(" ")
    said = described["paths"][path.replace(":path", "")][method.lower()]
    body = {"json": step.body} if step.body is not None else {}
    with client.stream(method, step.path.format(**kept), **body) as answer:
        if path == "/api/requests/stream":
            assert answer.headers["content-type"].startswith("text/event-stream")
            return
        answer.read()
    expected = 400 if step.operation in REFUSED else operation.status
    assert answer.status_code == expected, f"{step.operation}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code == 204:
        return
    content = said["responses"]["4XX" if expected == 400 else str(expected)]["content"]
    media = answer.headers["content-type"]
    assert media in content, f"{step.operation} answers {media}"
    if media != "application/json":
        return
    valid(answer.json(), content[media]["schema"], described, step.operation)
    if step.kept[0]:
        kept[step.kept[0]] = picked(answer.json(), step.kept[1])


def valid(value: object, schema: dict[str, Any], described: dict[str, Any], what: str) -> None:
    """Against the schema, and without a field that it does not have."""
    strict = json.loads(json.dumps(described["components"]["schemas"]))
    for each in strict.values():
        if "properties" in each:
            each["additionalProperties"] = False
    whole = {"components": {"schemas": strict}, **schema}
    problems = [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(whole).iter_errors(value)]
    assert problems == [], what


def picked(value: Any, path: str) -> str:
    for part in path.split("."):
        value = value[int(part)] if part.isdigit() else value[part]
    return str(value)
