"""The pages of Settings as a browser without a script uses them: forms, secrets shown once, what is said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from gateway import worker
from gateway.dashboard.settings.audit import differences
from gateway.store import open_store
from pricing.catalog import Catalog
from tests.api.fakes import KEYS, make_state

PASSWORD = "correct horse battery"
OURS = {"sec-fetch-site": "same-origin", "accept": "text/html"}


class House(NamedTuple):
    browser: httpx.AsyncClient
    state: Any
    runner: asyncio.Runner

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def get(self, path: str) -> httpx.Response:
        return self.run(self.browser.get(path, headers=OURS))  # type: ignore[no-any-return]

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self.run(self.browser.post(path, data=fields, headers=OURS))  # type: ignore[no-any-return]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    store = open_store("sqlite:///pages.db", tmp_path)
    state = make_state(store, tmp_path, keys=KEYS)
    state.catalog = Catalog.load()
    transport = httpx.ASGITransport(app=worker.make_app(state))
    with asyncio.Runner() as runner:
        runner.run(store.connect())
        browser = httpx.AsyncClient(transport=transport, base_url="http://callgate.test")
        yield House(browser, state, runner)
        runner.run(browser.aclose())
        runner.run(store.close())


@pytest.fixture
def admin(house: House) -> House:
    """Set up as at the first start: the printed link, then an account."""
    assert house.get(f"/login?token={house.state.sessions.one_time_token()}").headers["location"] == "/setup"
    made = house.post("/setup", email="ann@example.com", name="Ann", password=PASSWORD, again=PASSWORD)
    assert (made.status_code, made.headers["location"]) == (303, "/")
    return house


def secret_in(page: httpx.Response) -> str:
    found = re.search(r'secret-value"[^>]*>(cg-[^<]+)<', page.text)
    assert found is not None, page.text
    return found[1]


def test_the_first_account(admin: House) -> None:
    assert admin.get("/setup").headers["location"] == "/", "once"
    assert "ann@example.com" in admin.get("/").text
    admin.post("/logout")
    assert admin.get("/settings/keys").headers["location"].startswith("/login")
    assert 'name="password"' in admin.get("/login").text
    assert admin.post("/login", email="ann@example.com", password="wrong").status_code == 401
    assert admin.post("/login", email="ann@example.com", password=PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "ann@example.com", "password": PASSWORD, "again": "another"}, "not the same"),
        ({"email": "ann@example.com", "password": "short", "again": "short"}, "12 to 256"),
        ({"email": "nobody", "password": PASSWORD, "again": PASSWORD}, "no e-mail address"),
    ],
)
def test_a_set_up_that_does_not_hold(fields: dict[str, str], words: str, house: House) -> None:
    house.get(f"/login?token={house.state.sessions.one_time_token()}")
    answer = house.post("/setup", **fields)
    assert (answer.status_code, words in answer.text) == (400, True)
    assert PASSWORD not in answer.text


def test_a_key_is_made_rotated_and_revoked(admin: House) -> None:
    admin.post("/settings/tenants", slug="acme", name="Acme")
    made = admin.post(
        "/settings/keys", name="checkout", role="app", tenant="acme", models="gpt-* fast", networks="10.0.0.0/8"
    )
    token = secret_in(made)
    keyring = admin.state.keyring
    key = keyring.authenticate(token)
    assert (key.tenant, key.models, key.networks) == ("acme", ("gpt-*", "fast"), ("10.0.0.0/8",))
    assert token not in admin.get("/settings/keys").text
    assert "10.0.0.0/8" in admin.get(f"/settings/keys/{key.key_id}").text
    newer = secret_in(admin.post(f"/settings/keys/{key.key_id}/rotate", overlap="0"))
    assert (keyring.authenticate(token), keyring.authenticate(newer).key_id) == (None, key.key_id)
    assert admin.post(f"/settings/keys/{key.key_id}/revoke").status_code == 303
    assert keyring.authenticate(newer) is None
    assert "checkout" not in admin.get("/settings/keys").text
    assert "checkout" in admin.get("/settings/keys?all=1").text
    log = admin.get("/settings/audit?kind=key").text
    for words in ("created", "rotated", "revoked", "user:ann@example.com"):
        assert words in log


def test_a_keys_bounds_are_changed(admin: House) -> None:
    made = admin.post("/settings/keys", name="checkout", models="gpt-*", tags="team=a", expires="2090-05-01")
    token, keyring = secret_in(made), admin.state.keyring
    key = keyring.authenticate(token)
    page = admin.get(f"/settings/keys/{key.key_id}").text
    for field in ('value="checkout"', 'value="gpt-*"', 'value="team=a"', 'value="2090-05-01"'):
        assert field in page
    change = f"/settings/keys/{key.key_id}/change"
    given = {"name": "checkout", "networks": "10.0.0.0/8", "tags": "team=b", "expires": "2090-05-01"}
    assert admin.post(change, **given).status_code == 303
    after = keyring.authenticate(token)
    assert (after.models, after.networks, after.tags) == (("*",), ("10.0.0.0/8",), {"team": "b"})
    assert after.expires_at == key.expires_at
    wrong = admin.post(change, **(given | {"networks": "10.0.0.0/99"}))
    assert (wrong.status_code, "no address or range" in wrong.text, "10.0.0.0/99" in wrong.text) == (400, True, True)
    assert keyring.authenticate(token) == after
    admin.post(change, **(given | {"expires": ""}))
    assert keyring.authenticate(token).expires_at is None


def test_a_tenant_is_suspended_and_resumed(admin: House) -> None:
    admin.post("/settings/tenants", slug="acme", name="Acme")
    token = secret_in(admin.post("/settings/keys", name="checkout", tenant="acme"))
    assert admin.post("/settings/tenants/acme/suspend").status_code == 303
    assert admin.state.keyring.authenticate(token) is None
    for page in ("/settings/tenants", "/settings/tenants/acme", "/settings/keys"):
        assert "suspended" in admin.get(page).text.lower()
    assert "Resume acme" in admin.get("/settings/tenants/acme").text
    assert admin.post("/settings/tenants/acme/resume").status_code == 303
    assert admin.state.keyring.authenticate(token) is not None
    assert "Suspend acme" in admin.get("/settings/tenants/acme").text


def test_sessions_are_listed_and_ended_one_by_one(admin: House) -> None:
    ann = admin.state.identity.people.get("ann@example.com")
    own, agent = dict(admin.browser.cookies), "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"
    form = {"email": "ann@example.com", "password": PASSWORD}
    elsewhere = admin.run(admin.browser.post("/login", data=form, headers=OURS | {"user-agent": agent}))
    admin.browser.cookies = httpx.Cookies(own)
    page = admin.get("/settings/account").text
    assert "Firefox on Windows" in page
    book = admin.state.sessions.book
    here, there = sorted(admin.run(book.of(ann)), key=lambda each: "Firefox" in each.browser)
    assert elsewhere.status_code == 303
    assert admin.post("/settings/account/sign-out", session_id=there.session_id).headers["location"].endswith("account")
    assert "Firefox on Windows" not in admin.get("/settings/account").text
    assert "any more" in admin.post("/settings/account/sign-out", session_id=there.session_id).text
    of_ann = f"/settings/users/{ann.user_id}"
    assert here.session_id in admin.get(of_ann).text
    admin.post("/settings/users", email="bob@example.com", role="admin", password=PASSWORD)
    assert (
        "signed in nowhere"
        in admin.get(f"/settings/users/{admin.state.identity.people.get('bob@example.com').user_id}").text
    )
    assert admin.post(f"{of_ann}/everywhere").status_code == 303
    assert admin.get(of_ann).headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "x", "networks": "10.0.0.0/99"}, "no address or range"),
        ({"name": "x", "expires": "soon"}, "no date"),
        ({"name": "x", "expires": "2001-01-01"}, "in the past"),
        ({"name": "x", "tags": "feature"}, "no tag"),
        ({"name": "admin"}, "already"),
    ],
)
def test_a_form_that_does_not_hold_comes_back_filled_in(fields: dict[str, str], words: str, admin: House) -> None:
    answer = admin.post("/settings/keys", environment="staging-7", **fields)
    assert (answer.status_code, words in answer.text, "staging-7" in answer.text) == (400, True, True)


def test_declared_keys_say_where_they_are_changed(admin: House) -> None:
    page = admin.get("/settings/keys/config%3Aadmin").text
    assert "declared in the configuration" in page
    assert "/revoke" not in page
    assert "declared in the configuration" in admin.post("/settings/keys/config%3Aadmin/revoke").text


def test_people_are_added_changed_and_disabled(admin: House) -> None:
    admin.post("/settings/tenants", slug="acme", name="Acme")
    admin.post("/settings/users", email="bob@example.com", role="viewer", tenant="acme", password=PASSWORD)
    bob = admin.state.identity.people.get("bob@example.com")
    assert (bob.role, bob.tenant) == ("viewer", "acme")
    admin.post(f"/settings/users/{bob.user_id}/change", name="Bob", role="member", tenant="")
    admin.post(f"/settings/users/{bob.user_id}/disable")
    bob = admin.state.identity.people.get("bob@example.com")
    assert (bob.name, bob.role, bob.tenant, bob.disabled_at is None) == ("Bob", "member", None, False)
    assert "disabled" in admin.get("/settings/users").text
    ann = admin.state.identity.people.get("ann@example.com")
    assert "last admin" in admin.post(f"/settings/users/{ann.user_id}/delete").text


def test_an_environment_and_its_secret(admin: House) -> None:
    token = secret_in(admin.post("/settings/environments", name="production"))
    assert admin.state.keyring.authenticate(token).environment == "production"
    newer = secret_in(admin.post("/settings/environments/rotate", name="production", tenant="", overlap="0"))
    assert admin.state.keyring.authenticate(token) is None
    admin.post("/settings/environments/delete", name="production", tenant="")
    assert admin.state.keyring.authenticate(newer) is None
    assert "No environments" in admin.get("/settings/environments").text


def test_ones_own_account(admin: House) -> None:
    token = secret_in(admin.post("/settings/account/token", name="notebook"))
    assert "notebook" in admin.get("/settings/account").text
    me = admin.run(admin.browser.get("/api/me", headers={"authorization": f"Bearer {token}"})).json()
    assert (me["name"], me["role"], me["via"]) == ("ann@example.com", "admin", "key")
    wrong = admin.post("/settings/account/password", now="wrong", password="a new long one", again="a new long one")
    assert "is another" in wrong.text
    ann = admin.state.identity.people.get("ann@example.com")
    [kept] = admin.state.identity.people.tokens(ann)
    assert "notebook" in admin.get(f"/settings/users/{ann.user_id}").text
    assert admin.post(f"/settings/users/{ann.user_id}/revoke", key_id=kept.key_id).status_code == 303
    assert admin.state.identity.people.tokens(ann) == []
    assert "any more" in admin.post("/settings/account/revoke", key_id=kept.key_id).text
    assert admin.post("/settings/account/everywhere").headers["location"] == "/login"
    assert admin.get("/settings/account").status_code == 303


def test_forms_of_other_sites_change_nothing(admin: House) -> None:
    answer = admin.run(
        admin.browser.post("/settings/tenants", data={"slug": "evil"}, headers={"sec-fetch-site": "cross-site"})
    )
    assert (answer.status_code, admin.state.identity.directory.tenants) == (403, {})


def test_differences_are_those_fields_that_are_not_alike() -> None:
    before, after = {"name": "a", "role": "viewer", "tags": {}}, {"name": "a", "role": "admin", "until_at": 5}
    found = [(each.field, each.before, each.after) for each in differences(before, after, lambda us: f"at {us}")]
    assert found == [("role", "viewer", "admin"), ("until_at", "–", "at 5")]
