"""Keys, tenants, environments, people and the audit log over the JSON API: what comes back, and who may make what."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.control.identity import Identity
from tests.api.fakes import TOKENS, FakeStore, ask, make_app, make_state

PASSWORD = "correct horse battery"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    app = make_app(make_state(FakeStore(), tmp_path))
    identity = identity_of(app)

    async def furnish() -> None:
        for slug in ("acme", "globex"):
            await identity.tenants.create(slug, actor="test")
        for name, role, tenant in [("max", "member", "acme"), ("mia", "member", None), ("ada", "admin", None)]:
            user = await identity.people.create(f"{name}@example.com", role=role, tenant=tenant, actor="test")
            token, _ = await identity.people.create_token(user, "test", actor="test")
            monkeypatch.setitem(TOKENS, name, token)

    asyncio.run(furnish())
    return app


def identity_of(app: Starlette) -> Identity:
    identity: Identity = app.state.callgate.identity
    return identity


def send(app: Starlette, method: str, path: str, key: str = "admin", **body: Any) -> httpx.Response:
    return ask(app, path, key, method, json=body)


def test_a_key_is_made_shown_once_and_found_again(app: Starlette) -> None:
    made = send(app, "POST", "/api/keys", name="ci", models=["gpt-*"], networks=["10.0.0.0/8"], tags={"a": "b"})
    assert made.status_code == 201
    secret, key = made.json()["secret"], made.json()["key"]
    assert identity_of(app).keyring.authenticate(secret) is not None
    assert (key["role"], key["models"], key["networks"], key["hint"]) == ("app", ["gpt-*"], ["10.0.0.0/8"], secret[-4:])
    one = ask(app, f"/api/keys/{key['key_id']}")
    assert secret not in one.text
    assert one.json()["last_used_at"] is not None, "just now, by this test"
    assert key["key_id"] in [each["key_id"] for each in ask(app, "/api/keys").json()["items"]]


@pytest.mark.parametrize(
    ("key", "body", "status", "says"),
    [
        ("max", {}, 201, "acme"),
        ("max", {"tenant": "acme"}, 201, "acme"),
        ("max", {"tenant": "globex"}, 403, "out_of_scope"),
        ("max", {"role": "viewer"}, 403, "role_not_allowed"),
        ("mia", {"tenant": "globex"}, 201, "globex"),
        ("mia", {"role": "admin"}, 403, "role_not_allowed"),
        ("ada", {"role": "admin"}, 201, "admin"),
        ("ada", {"role": "king"}, 400, "not_possible"),
        ("ada", {"networks": ["10.0.0.0/99"]}, 400, "no address or range"),
        ("ada", {"expires_at": "tomorrow"}, 400, "expires_at"),
        ("ada", {"modles": ["*"]}, 400, "modles"),
        ("ada", {"models": "*"}, 400, "models"),
    ],
)
def test_who_makes_which_key(key: str, body: dict[str, Any], status: int, says: str, app: Starlette) -> None:
    answer = send(app, "POST", "/api/keys", key, name="new", **body)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text


def test_a_member_changes_app_keys_of_their_own_tenant(app: Starlette) -> None:
    ids = {
        name: send(app, "POST", "/api/keys", "ada", name=name, **fields).json()["key"]["key_id"]
        for name, fields in {
            "own": {"tenant": "acme"},
            "other": {"tenant": "globex"},
            "reader": {"tenant": "acme", "role": "viewer"},
        }.items()
    }
    found = {name: send(app, "DELETE", f"/api/keys/{key_id}", "max").status_code for name, key_id in ids.items()}
    assert found == {"own": 200, "other": 404, "reader": 403}
    declared = send(app, "DELETE", "/api/keys/config:app", "ada")
    assert (declared.status_code, "declared in the configuration" in declared.text) == (400, True)


def test_tenants(app: Starlette) -> None:
    assert send(app, "POST", "/api/tenants", slug="initech", note="x").status_code == 201
    assert send(app, "POST", "/api/tenants", slug="initech").status_code == 400
    assert send(app, "PATCH", "/api/tenants/initech", name="Initech").json()["name"] == "Initech"
    assert send(app, "DELETE", "/api/tenants/initech").status_code == 200
    assert send(app, "DELETE", "/api/tenants/initech").status_code == 404
    assert [each["slug"] for each in ask(app, "/api/tenants", "max").json()["items"]] == ["acme"]


def test_a_tenant_is_suspended_and_resumed(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    token = send(app, "POST", "/api/keys", "ada", name="acme reader", role="viewer", tenant="acme").json()["secret"]
    monkeypatch.setitem(TOKENS, "acme reader", token)
    said = send(app, "PATCH", "/api/tenants/acme", "ada", suspended=True, note="unpaid").json()
    assert (said["suspended"], said["suspended_at"] is None, said["note"]) == (True, False, "unpaid")
    refused = ask(app, "/api/stats", "acme reader")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "tenant_suspended")
    assert ask(app, "/api/stats", "max").status_code == 403, "an API token of one of its people is a key of it too"
    assert send(app, "PATCH", "/api/tenants/acme", "mia", suspended=False).status_code == 403
    assert send(app, "PATCH", "/api/tenants/acme", "ada", name="Acme").json()["suspended"] is True
    assert send(app, "PATCH", "/api/tenants/acme", "ada", suspended=False).json()["suspended_at"] is None
    assert ask(app, "/api/stats", "acme reader").status_code == 200
    log = ask(app, "/api/audit?kind=tenant&id=acme").json()["items"]
    assert [entry["action"] for entry in log] == ["resumed", "changed", "suspended", "changed", "created"]


@pytest.mark.parametrize(
    ("key", "status"), [("ada", 200), ("mia", 200), ("max", 200), ("viewer", 403), ("acme", 403), ("app", 403)]
)
def test_who_changes_a_key(key: str, status: int, app: Starlette) -> None:
    made = send(app, "POST", "/api/keys", "ada", name="own", tenant="acme").json()["key"]
    answer = send(app, "PATCH", f"/api/keys/{made['key_id']}", key, models=["gpt-*"], expires_at="2090-01-01")
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == made | {"models": ["gpt-*"], "expires_at": "2090-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"models": []}, "at least one"),
        ({"networks": ["10.0.0.0/99"]}, "no address"),
        ({"expires_at": "soon"}, "ISO 8601"),
        ({"role": "admin"}, "role"),
        ({"tenant": "globex"}, "tenant"),
        ({"name": ""}, "needs a name"),
    ],
)
def test_a_change_of_a_key_that_does_not_hold(body: dict[str, Any], says: str, app: Starlette) -> None:
    made = send(app, "POST", "/api/keys", "ada", name="own", tenant="acme").json()["key"]
    answer = send(app, "PATCH", f"/api/keys/{made['key_id']}", "ada", **body)
    assert (answer.status_code, says in answer.text) == (400, True)
    assert ask(app, f"/api/keys/{made['key_id']}", "ada").json() == made


def test_environments(app: Starlette) -> None:
    made = send(app, "POST", "/api/environments", "max", name="production").json()
    assert made["environment"]["tenant"] == "acme"
    rotated = send(app, "POST", "/api/environments/production/rotate?tenant=acme", "mia", overlap_hours=0).json()
    assert identity_of(app).keyring.authenticate(made["secret"]) is None
    assert identity_of(app).keyring.authenticate(rotated["secret"]) is not None
    assert send(app, "DELETE", "/api/environments/production", "mia").status_code == 404, "of no tenant there is none"
    assert send(app, "DELETE", "/api/environments/production", "max").status_code == 200


def test_people(app: Starlette) -> None:
    made = send(app, "POST", "/api/users", email="bob@example.com", tenant="acme", password=PASSWORD)
    user = made.json()
    assert (made.status_code, user["role"], user["tenant"], user["has_password"]) == (201, "viewer", "acme", True)
    assert "argon2" not in made.text
    path = f"/api/users/{user['user_id']}"
    assert send(app, "PATCH", path, role="member").json()["tenant"] == "acme", "what is not said stays"
    assert send(app, "PATCH", path, tenant=None, disabled=True).json()["disabled"] is True
    assert ask(app, path).json()["tenant"] is None
    assert send(app, "POST", f"{path}/password", password="short").status_code == 400
    assert send(app, "DELETE", path).status_code == 200
    assert ask(app, path).status_code == 404


def test_ones_own_tokens(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    made = send(app, "POST", "/api/me/tokens", "max", name="notebook").json()
    monkeypatch.setitem(TOKENS, "notebook", made["secret"])
    me = ask(app, "/api/me", "notebook").json()
    assert (me["name"], me["role"], me["tenant"]) == ("max@example.com", "member", "acme")
    key_id = made["key"]["key_id"]
    assert send(app, "DELETE", f"/api/me/tokens/{key_id}", "mia").status_code == 404, "somebody else's"
    assert key_id not in ask(app, "/api/keys", "ada").text, "a token is its owner's affair"
    assert send(app, "DELETE", f"/api/me/tokens/{key_id}", "max").json()["state"] == "revoked"
    assert ask(app, "/api/me", "notebook").status_code == 401


def test_the_audit_log_goes_page_by_page_and_out_as_a_file(app: Starlette) -> None:
    send(app, "POST", "/api/tenants", slug="t-1", name="=cmd|' /C calc'!A0")
    first = ask(app, "/api/audit?limit=2").json()
    second = ask(app, f"/api/audit?limit=1000&cursor={first['next_cursor']}").json()
    numbers = [each["number"] for each in [*first["items"], *second["items"]]]
    assert numbers == sorted(numbers, reverse=True)
    assert (numbers[-1], second["next_cursor"]) == (1, None)
    newest = first["items"][0]
    assert (newest["actor"], newest["action"], newest["id"], newest["before"]) == ("key:admin", "created", "t-1", None)
    lines = [json.loads(line) for line in ask(app, "/api/audit/export").text.splitlines()]
    assert [line["number"] for line in lines] == numbers
    rows = list(csv.DictReader(io.StringIO(ask(app, "/api/audit/export?format=csv").text)))
    assert [int(row["number"]) for row in rows] == numbers
    assert json.loads(rows[0]["after"])["slug"] == "t-1"
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row.values() if cell)


@pytest.mark.parametrize("question", ["?limit=x", "?limit=0", "?cursor=-1", "?who=x", "/export?format=xls"])
def test_questions_that_make_no_sense(question: str, app: Starlette) -> None:
    assert ask(app, f"/api/audit{question}").status_code == 400
