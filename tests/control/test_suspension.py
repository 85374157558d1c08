"""A tenant that is suspended: none of its keys is taken, and nothing else changes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from gateway.control.identity import Identity
from gateway.errors import CallError, ControlError, Missing
from gateway.proxy.admit import authenticated, refuse_suspended
from gateway.settings import ApiKey, Settings
from gateway.settings.identity import DeclaredEnvironment, DeclaredTenant
from gateway.store.base import Store
from tests.store.memory_documents import MemoryControl

T = TypeVar("T")
SECRET = b"s" * 32


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def store() -> MemoryControl:
    return MemoryControl()


def make(store: MemoryControl, folder: Path, settings: Settings | None = None) -> Identity:
    return Identity(settings or Settings(), SECRET, cast("Store", store), folder)


@pytest.fixture
def identity(store: MemoryControl, tmp_path: Path) -> Identity:
    identity = make(store, tmp_path)
    run(identity.tenants.create("acme", actor="cli"))
    return identity


def test_its_keys_are_refused_until_it_is_resumed(identity: Identity, store: MemoryControl, tmp_path: Path) -> None:
    token, _ = run(identity.keyring.create("app", tenant="acme"))
    of_environment, _ = run(identity.environments.create("production", tenant="acme", actor="cli"))
    other, _ = run(identity.keyring.create("other", tenant="globex"))
    elsewhere = make(store, tmp_path)
    run(elsewhere.refresh())
    run(identity.tenants.suspend("acme", actor="user:ann"))
    run(elsewhere.refresh())
    for worker in (identity, elsewhere):
        assert [worker.keyring.authenticate(each) for each in (token, of_environment)] == [None, None]
        assert worker.keyring.authenticate(other) is not None
        with pytest.raises(CallError, match="The tenant 'acme' is suspended") as refused:
            authenticated(worker.keyring, token.encode())
        assert (refused.value.status, refused.value.code) == (403, "tenant_suspended")
    run(identity.tenants.resume("acme", actor="user:ann"))
    run(elsewhere.refresh())
    assert all(worker.keyring.authenticate(token) is not None for worker in (identity, elsewhere))
    assert [(each.actor, each.action) for each in store.entries if each.kind == "tenant"] == [
        ("cli", "created"),
        ("user:ann", "suspended"),
        ("user:ann", "resumed"),
    ]


def test_a_key_that_was_revoked_says_so_first(identity: Identity) -> None:
    token, _ = run(identity.keyring.create("app", tenant="acme"))
    run(identity.keyring.revoke("app"))
    run(identity.tenants.suspend("acme", actor="cli"))
    with pytest.raises(CallError, match="was revoked"):
        authenticated(identity.keyring, token.encode())


def test_a_key_of_no_tenant_calls_nothing_in_its_name(identity: Identity) -> None:
    refuse_suspended(identity.keyring, {"tenantSlug": "acme"})
    run(identity.tenants.suspend("acme", actor="cli"))
    refuse_suspended(identity.keyring, {"tenantSlug": "globex"})
    refuse_suspended(identity.keyring, {})
    with pytest.raises(CallError, match="suspended"):
        refuse_suspended(identity.keyring, {"tenantSlug": "acme"})


def test_suspending_twice_is_once(identity: Identity, store: MemoryControl) -> None:
    first = run(identity.tenants.suspend("acme", actor="cli"))
    assert run(identity.tenants.suspend("acme", actor="cli")) == first
    assert [each.action for each in store.entries].count("suspended") == 1


def test_who_is_not_there_and_who_is_declared(store: MemoryControl, tmp_path: Path) -> None:
    settings = Settings(
        tenants=[DeclaredTenant(slug="acme", suspended=True), DeclaredTenant(slug="globex")],
        keys=[ApiKey(name="app", key="0123456789abcdef", tenant="acme")],
    )
    identity = make(store, tmp_path, settings)
    assert identity.keyring.authenticate("0123456789abcdef") is None
    with pytest.raises(ControlError, match="declared in the configuration"):
        run(identity.tenants.resume("acme", actor="cli"))
    with pytest.raises(Missing):
        run(identity.tenants.suspend("initech", actor="cli"))
    identity.declare(Settings(tenants=[DeclaredTenant(slug="acme")], keys=settings.keys))
    assert identity.keyring.authenticate("0123456789abcdef") is not None, "the file was changed"


def test_declared_environments_are_read_only_elsewhere(store: MemoryControl, tmp_path: Path) -> None:
    declared = DeclaredEnvironment(name="production", tenant="acme", key="fedcba9876543210", note="ask Ann")
    identity = make(store, tmp_path, Settings(environments=[declared]))
    key = identity.keyring.authenticate("fedcba9876543210")
    assert key is not None
    assert (key.name, key.tenant, key.environment, key.declared) == ("acme/production", "acme", "production", True)
    environment = identity.environments.get("acme", "production")
    assert (environment.declared, environment.note, environment.key_id) == (True, "ask Ann", key.key_id)
    assert identity.environments.secret_of(environment) == key
    for change in (identity.environments.rotate, identity.environments.delete):
        with pytest.raises(ControlError, match="'acme/production' is declared in the configuration"):
            run(change("acme", "production", actor="cli"))
    identity.declare(Settings())
    assert identity.keyring.authenticate("fedcba9876543210") is None
    assert identity.directory.environments == {}
