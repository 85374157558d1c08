"""People, tenants and environments, over the contract's store in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import pytest

from gateway.control.identity import Identity
from gateway.control.keys import now_us
from gateway.control.passwords import Passwords, check
from gateway.errors import ControlError, Missing
from gateway.settings import Settings
from gateway.settings.identity import DeclaredTenant, DeclaredUser
from gateway.store.base import Store
from tests.store.memory_documents import MemoryControl

T = TypeVar("T")
PASSWORD = "correct horse battery"
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
    return make(store, tmp_path)


# ------------------------------------------------------------------------------------------------ people


def test_a_password_is_kept_as_argon2_and_nowhere_else(identity: Identity, store: MemoryControl) -> None:
    user = run(identity.people.create(" Ann@Example.com ", role="admin", password=PASSWORD, actor="operator"))
    assert (user.email, user.name, user.role) == ("ann@example.com", "ann", "admin")
    assert user.password is not None
    assert user.password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert run(identity.people.passwords.verify(user.password, PASSWORD))
    assert not run(identity.people.passwords.verify(user.password, PASSWORD + "x"))
    assert PASSWORD not in repr(store.documents_by_id)
    assert "argon2" not in repr(store.entries), "not even the hash is in the audit log"
    assert "argon2" not in repr(user)


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"])
def test_what_is_no_hash_lets_nobody_in(stored: str | None) -> None:
    assert not run(Passwords().verify(stored, PASSWORD))
    assert not run(Passwords().verify(stored, "x" * 1000))


@pytest.mark.parametrize(
    "password", ["short", "x" * 300, "aaaaaaaaaaaaaaa", "ann.the.first@example.com", "password2026!", ""]
)
def test_weak_passwords(password: str) -> None:
    with pytest.raises(ControlError):
        check(password, "ann.the.first@example.com")


@pytest.mark.parametrize("email", ["", "ann", "@example.com", "ann@", "a b@example.com", "a\n@example.com"])
def test_what_is_no_address(email: str, identity: Identity) -> None:
    with pytest.raises(ControlError, match="no e-mail address"):
        run(identity.people.create(email, actor="operator"))


def test_nobody_is_there_twice(identity: Identity) -> None:
    run(identity.people.create("ann@example.com", actor="operator"))
    with pytest.raises(ControlError, match="already"):
        run(identity.people.create("ANN@example.com", actor="operator"))


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"disabled": True}, {"tenant": "acme"}])
def test_the_last_admin_stays_one(change: dict[str, Any], identity: Identity) -> None:
    ann = run(identity.people.create("ann@example.com", role="admin", actor="operator"))
    with pytest.raises(ControlError, match="last admin"):
        run(identity.people.change(ann.user_id, **change, actor="operator"))
    with pytest.raises(ControlError, match="last admin"):
        run(identity.people.delete(ann.user_id, actor="operator"))
    run(identity.people.create("bob@example.com", role="admin", actor="operator"))
    run(identity.people.change(ann.user_id, **change, actor="operator"))


def test_deleting_somebody_revokes_their_tokens(identity: Identity) -> None:
    ann = run(identity.people.create("ann@example.com", role="member", actor="operator"))
    token, key = run(identity.people.create_token(ann, "notebook", actor="user:ann@example.com"))
    assert (key.owner, key.models, key.endpoints) == (ann.user_id, (), ())
    assert identity.keyring.authenticate(token) == key
    run(identity.people.delete("ann@example.com", actor="operator"))
    assert identity.keyring.authenticate(token) is None
    with pytest.raises(Missing):
        identity.people.get("ann@example.com")


def test_deleting_somebody_deletes_what_was_theirs(identity: Identity, store: MemoryControl) -> None:
    ann = run(identity.people.create("ann@example.com", actor="operator"))
    bob = run(identity.people.create("bob@example.com", actor="operator"))
    for user in (ann, bob):
        for kind in ("conversation", "talk", "session"):
            run(store.put_document(kind, f"{user.user_id}/1", b"{}"))
    run(identity.people.delete(ann.user_id, actor="operator"))
    left = {(kind, each.id) for kind in ("conversation", "talk", "session") for each in run(store.documents(kind))}
    assert left == {(kind, f"{bob.user_id}/1") for kind in ("conversation", "talk", "session")}


def test_every_change_says_who_and_what(identity: Identity, store: MemoryControl) -> None:
    ann = run(identity.people.create("ann@example.com", actor="user:bob@example.com"))
    run(identity.people.change(ann.user_id, role="member", actor="key:ci"))
    run(identity.people.set_password(ann.user_id, PASSWORD, actor="operator"))
    run(identity.people.change(ann.user_id, role="member", actor="key:ci"))  # changes nothing
    told = [(each.actor, each.action, each.kind, each.id) for each in store.entries]
    assert told == [
        ("user:bob@example.com", "created", "user", ann.user_id),
        ("key:ci", "changed", "user", ann.user_id),
        ("operator", "password_set", "user", ann.user_id),
    ]
    changed, password = store.entries[1], store.entries[2]
    assert json.loads(changed.before or b"")["role"] == "viewer"
    assert json.loads(changed.after or b"")["role"] == "member"
    assert json.loads(password.before or b"")["password"] is None
    assert json.loads(password.after or b"")["password"] == "(hidden, changed)"


def test_keys_are_audited_without_their_secrets(identity: Identity, store: MemoryControl) -> None:
    token, key = run(identity.keyring.create("app", tenant="acme", actor="operator"))
    newer, _ = run(identity.keyring.rotate("app", overlap_s=60, actor="key:ci"))
    run(identity.keyring.revoke("app", actor="operator"))
    assert [each.action for each in store.entries] == ["created", "rotated", "expires", "revoked", "revoked"]
    assert {each.id for each in store.entries} == {key.key_id}
    words = repr(store.entries)
    assert token[3:-4] not in words
    assert newer[3:-4] not in words
    assert identity.keyring.digest(token) not in words


# ------------------------------------------------------------------------------------------------ tenants


def test_a_tenant_in_use_is_not_deleted(identity: Identity) -> None:
    run(identity.tenants.create("acme", name="Acme", actor="operator"))
    with pytest.raises(ControlError, match="already"):
        run(identity.tenants.create("acme", actor="operator"))
    token, _ = run(identity.environments.create("production", tenant="acme", actor="operator"))
    run(identity.people.create("ann@acme.example", tenant="acme", actor="operator"))
    with pytest.raises(ControlError, match=r"keys \(acme/production\).*environments.*people \(ann@acme"):
        run(identity.tenants.delete("acme", actor="operator"))
    run(identity.environments.delete("acme", "production", actor="operator"))
    assert identity.keyring.authenticate(token) is None
    run(identity.people.delete("ann@acme.example", actor="operator"))
    run(identity.tenants.delete("acme", actor="operator"))
    assert identity.directory.tenants == {}


@pytest.mark.parametrize("slug", ["", "a b", "-a", "a/b", "ä", "x" * 64, "a\n"])
def test_slugs(slug: str, identity: Identity) -> None:
    with pytest.raises(ControlError, match="no name for a tenant"):
        run(identity.tenants.create(slug, actor="operator"))


def test_an_environment_has_one_secret(identity: Identity) -> None:
    with pytest.raises(ControlError, match="no tenant 'acme'"):
        run(identity.environments.create("production", tenant="acme", actor="operator"))
    run(identity.tenants.create("acme", actor="operator"))
    token, made = run(identity.environments.create("production", tenant="acme", actor="operator"))
    key = identity.keyring.authenticate(token)
    assert key is not None
    assert (key.key_id, key.tenant, key.environment) == (made.key_id, "acme", "production")
    newer, same = run(identity.environments.rotate("acme", "production", overlap_s=0, actor="operator"))
    assert (identity.keyring.authenticate(token), same) == (None, made)
    run(identity.keyring.revoke(made.key_id, actor="operator"))
    assert identity.keyring.authenticate(newer) is None
    again, other = run(identity.environments.rotate("acme", "production", actor="operator"))
    assert other.key_id != made.key_id
    assert identity.keyring.authenticate(again) is not None


# ------------------------------------------------------------------------------------------------ declared


DECLARED = Settings(
    tenants=[DeclaredTenant(slug="acme", name="Acme")],
    users=[DeclaredUser(email="Ann@example.com", role="admin"), DeclaredUser(email="bob@example.com", tenant="acme")],
)


def test_what_is_declared_is_changed_where_it_is_declared(store: MemoryControl, tmp_path: Path) -> None:
    identity = make(store, tmp_path, DECLARED)
    with pytest.raises(ControlError, match="declared in the configuration"):
        run(identity.tenants.delete("acme", actor="operator"))
    with pytest.raises(ControlError, match="declared in the configuration"):
        run(identity.people.change("ann@example.com", role="viewer", actor="operator"))
    bob = identity.people.get("bob@example.com")
    assert (bob.role, bob.tenant, bob.declared) == ("viewer", "acme", True)


def test_declared_people_have_passwords_of_their_own(store: MemoryControl, tmp_path: Path) -> None:
    identity = make(store, tmp_path, DECLARED)
    run(identity.people.set_password("ann@example.com", PASSWORD, actor="operator"))
    elsewhere = make(store, tmp_path, DECLARED)
    run(elsewhere.refresh())
    ann = elsewhere.people.get("ann@example.com")
    assert run(elsewhere.people.passwords.verify(ann.password, PASSWORD))
    assert (ann.role, ann.declared) == ("admin", True)
    elsewhere.declare(Settings())
    assert elsewhere.directory.users == {}, "who is no longer declared is no longer there, password or not"


# ------------------------------------------------------------------------------------------------ following


def test_another_worker_hears_of_every_change(store: MemoryControl, tmp_path: Path) -> None:
    here, there = make(store, tmp_path), make(store, tmp_path)
    run(there.refresh())
    ann = run(here.people.create("ann@example.com", actor="operator"))
    assert there.directory.user_by_email("ann@example.com") is None
    assert run(there.directory.refresh())
    assert there.directory.user_by_email("ann@example.com") == ann
    assert not run(there.directory.refresh()), "nothing changed since"


def test_last_used_is_the_latest_of_all_workers(store: MemoryControl, tmp_path: Path) -> None:
    here, there = make(store, tmp_path), make(store, tmp_path)
    token, key = run(here.keyring.create("app", actor="operator"))
    run(there.refresh())
    assert run(here.last_used.all()) == {}
    at = now_us()
    here.keyring.authenticate(token)
    run(here.last_used.flush())
    there.keyring.authenticate(token)
    run(there.last_used.flush())
    [(key_id, last)] = run(make(store, tmp_path).last_used.all()).items()
    assert (key_id, last) == (key.key_id, there.keyring.used[key.key_id])
    assert last >= at
    changes = store.changes
    run(there.last_used.flush())
    assert store.changes == changes, "nothing new is not written"
    assert all(msgspec.json.decode(each.after or b"null") for each in store.entries), "and nobody audits it"
