"""Every route × every role × bound to a tenant or not, against the table of `gateway.api.access` and the dashboard's.

The table says who may; the walk asks the whole application, as it is put together, and finds nothing else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.applications import Starlette

from gateway import dashboard, worker
from gateway.api import RULES
from gateway.api.access import Rule
from gateway.settings import ApiKey
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite
from pricing.catalog import Catalog
from tests.api.fakes import NOW, make_state, span, traffic

ALL_RULES = [*RULES, *dashboard.RULES]
NEVER_ENDS = {"/api/requests/stream"}
"""Walked where they are refused; test_api_live reads them."""
OURS = {"sec-fetch-site": "same-origin"}


class Somebody(NamedTuple):
    name: str
    role: str
    tenant: str | None
    is_person: bool


NOBODY = Somebody("nobody", "", None, False)
KEYS = [
    Somebody(f"{role} key of {tenant}", role, tenant, False)
    for role in ("app", "viewer", "admin")
    for tenant in (None, "acme")
]
PEOPLE = [
    Somebody(f"{role} of {tenant}", role, tenant, True)
    for role in ("viewer", "member", "admin")
    for tenant in (None, "acme")
]
EVERYBODY = [NOBODY, *KEYS, *PEOPLE]


class House(NamedTuple):
    """The application, a token for everybody but nobody, and the event loop that its store lives in."""

    app: Starlette
    tokens: dict[str, str]
    run: Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With something of acme and something of globex of every kind. Walking changes nothing: no change that is let
    through has what it would take."""
    folder: Path = tmp_path_factory.mktemp("house")
    store = open_store("sqlite:///walk.db", folder)
    calls = [*traffic(40), span(990, NOW - 1, tenant="globex", tags={"whose": "globex-tag"}, name="globex-call")]
    tokens = {who.name: f"a-secret-of-{who.name.replace(' ', '-')}" for who in KEYS}
    declared = [ApiKey(name=who.name, key=tokens[who.name], role=who.role, tenant=who.tenant) for who in KEYS]  # type: ignore[arg-type]  # a role
    state = make_state(store, folder, keys=declared)
    state.catalog = Catalog.load()
    identity = state.identity

    async def furnish() -> None:
        await store.connect()
        await store.write(Batch(spans=[SpanWrite(call) for call in calls]))
        for tenant in ("acme", "globex"):
            await identity.tenants.create(tenant, actor="test")
            await identity.environments.create("production", tenant=tenant, note=f"of {tenant}", actor="test")
            await identity.keyring.create(f"{tenant}-app", tenant=tenant, actor="test")
        for number, who in enumerate(PEOPLE):
            user = await identity.people.create(
                f"p{number}@example.com", role=who.role, tenant=who.tenant, actor="test"
            )
            tokens[who.name], _ = await identity.people.create_token(user, "walk", actor="test")
        await identity.people.create("g@example.com", role="member", tenant="globex", actor="test")

    with asyncio.Runner() as runner:
        runner.run(furnish())
        yield House(worker.make_app(state), tokens, runner.run)
        runner.run(store.close())


def granted(rule: Rule, who: Somebody) -> bool:
    """What the table says, said again."""
    if not rule.roles:
        return True
    if who.role not in rule.roles:
        return False
    return not (rule.unbound and who.tenant is not None) and (who.is_person or not rule.people)


def concrete(path: str) -> str:
    known = {"/api/tenants/{slug}": "/api/tenants/acme", "/api/values/{field}": "/api/values/model"}
    return known.get(path) or re.sub(r"\{[^}]*\}", "x", path.replace("{tenant:path}", "acme"))


def walked() -> Iterator[tuple[Rule, str]]:
    for rule in ALL_RULES:
        for method in rule.methods:
            yield rule, method


async def answer(house: House, who: Somebody, method: str, path: str) -> httpx.Response:
    headers = dict(OURS) if who is NOBODY else {"authorization": f"Bearer {house.tokens[who.name]}"}
    transport = httpx.ASGITransport(app=house.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://callgate.test") as client:
        return await client.request(method, path, headers=headers)


def is_refused(found: httpx.Response) -> bool:
    """By the table: sent to sign in, or told that a key is missing or is not enough."""
    if found.status_code == 303:
        return found.headers["location"].startswith("/login")
    if found.status_code not in (401, 403):
        return False
    words = found.text
    return any(code in words for code in ("missing_key", "role_not_allowed", "people_only", "out_of_scope"))


@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: who.name)
def test_the_table_is_what_happens(who: Somebody, house: House) -> None:
    async def walk() -> list[str]:
        wrong = []
        for rule, method in walked():
            may = granted(rule, who) or (rule.path == "/metrics")  # open unless metrics.open says no
            if (may and rule.path in NEVER_ENDS) or rule.path == "/logout":
                continue
            found = await answer(house, who, method, concrete(rule.path))
            without_body = method == "HEAD" and found.status_code in (401, 403)
            refused = without_body or is_refused(found)
            if refused is may or found.status_code in (405, 500):
                wrong.append(f"{method} {rule.path}: {found.status_code} {found.text[:200]}")
        return wrong

    assert house.run(walk()) == []


@pytest.mark.parametrize("who", [who for who in EVERYBODY if who.tenant == "acme"], ids=lambda who: who.name)
def test_who_is_bound_to_a_tenant_hears_of_no_other(who: Somebody, house: House) -> None:
    async def walk() -> list[str]:
        told = []
        for rule in ALL_RULES:
            if "GET" not in rule.methods or rule.path in NEVER_ENDS or rule.path.startswith("/static"):
                continue
            found = await answer(house, who, "GET", concrete(rule.path))
            if "globex" in found.text.lower():
                told.append(rule.path)
        for path in ("/api/tenants/globex", "/api/environments/production?tenant=globex", "/api/keys/globex-app"):
            found = await answer(house, who, "DELETE", path)
            assert found.status_code in (403, 404), (path, found.text)
        return told

    assert house.run(walk()) == []


def test_who_is_bound_to_none_hears_of_both(house: House) -> None:
    admin = next(who for who in KEYS if who.role == "admin" and who.tenant is None)
    for path in ("/api/tenants", "/api/keys", "/api/environments", "/api/users", "/api/audit"):
        found = house.run(answer(house, admin, "GET", path))
        assert {"acme", "globex"} <= set(re.findall("acme|globex", found.text)), path


def test_five_routes_are_open() -> None:
    open_to_all = [rule.path for rule in ALL_RULES if not rule.roles]
    assert open_to_all == [
        "/healthz",
        "/readyz",
        "/static/{version}/{path:path}",
        "/login",
        "/login/{step}",
    ]
