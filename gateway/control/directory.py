"""Tenants, environments, people and ended sessions, in memory: what is asked for with every request.

Changes by any process reach every worker through `follow`, which asks the store for its documents' version every
second. What the configuration declares stands beside what the store has, and wins.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from gateway.control.following import follow
from gateway.control.records import Records
from gateway.settings.identity import DeclaredEnvironment, DeclaredTenant, DeclaredUser
from gateway.store.documents import Documents

DECLARED_PREFIX = "config:"
"""Of the ids of declared people: made from the address, so that they are the same in every worker."""

log = logging.getLogger(__name__)


class Tenant(msgspec.Struct, frozen=True):
    slug: str
    name: str
    note: str = ""
    created_at: int = 0
    declared: bool = False
    suspended_at: int | None = None
    """Since when its keys are refused, µs UTC; 0 where the configuration says so. None: they are not."""


class Environment(msgspec.Struct, frozen=True):
    """Production, staging, …, of one tenant or of none. Its secret is the gateway key `key_id`."""

    name: str
    tenant: str | None
    key_id: str
    note: str = ""
    created_at: int = 0
    declared: bool = False

    @property
    def id(self) -> str:
        return environment_id(self.tenant, self.name)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person. Who is disabled has no session and no token."""

    user_id: str
    email: str
    """In lower case."""
    name: str
    role: str
    """admin, member or viewer."""
    tenant: str | None = None
    """Sees this tenant only."""
    password: str | None = None
    """argon2 hash; None for who signs in elsewhere only."""
    subject: str | None = None
    """`issuer|sub` of the provider they signed in with."""
    by_rule: bool = False
    """A rule of single sign-on let them in, and says with every sign-in what they are."""
    created_at: int = 0
    disabled_at: int | None = None
    sessions_from: int = 0
    """Sessions that began before are over: they signed out everywhere, or changed their password."""
    declared: bool = False

    def __repr__(self) -> str:
        return f"User({self.email!r}, {self.role!r})"


class EndedSession(msgspec.Struct, frozen=True):
    until: int
    """When its cookie runs out by itself."""


def environment_id(tenant: str | None, name: str) -> str:
    return f"{tenant or ''}/{name}"


def label_of(tenant: str | None, name: str) -> str:
    """As people and the names of keys have it: without a tenant just the name."""
    return environment_id(tenant, name).lstrip("/")


class Directory:
    def __init__(
        self,
        store: Documents,
        tenants: Iterable[DeclaredTenant] = (),
        users: Iterable[DeclaredUser] = (),
        environments: Iterable[DeclaredEnvironment] = (),
    ) -> None:
        self.store = store
        self._stored_tenants: dict[str, Tenant] = {}
        self._stored_users: dict[str, User] = {}
        self._stored_environments: dict[str, Environment] = {}
        self.tenants: dict[str, Tenant] = {}
        """By slug."""
        self.suspended: set[str] = set()
        """Slugs of the tenants whose keys are refused; always this one set, which the data plane looks into."""
        self.environments: dict[str, Environment] = {}
        """By `tenant/name`."""
        self.users: dict[str, User] = {}
        """By id; declared people keep the password that they set, under the id of their address."""
        self.ended: dict[str, EndedSession] = {}
        self._version: int | None = None
        self.declare(tenants, users, environments)

    def declare(
        self,
        tenants: Iterable[DeclaredTenant],
        users: Iterable[DeclaredUser],
        environments: Iterable[DeclaredEnvironment] = (),
    ) -> None:
        """Takes what a (re)loaded configuration says in place of what was before."""
        self._declared_tenants = {each.slug: _declared_tenant(each) for each in tenants}
        found = (_declared_environment(each) for each in environments)
        self._declared_environments = {each.id: each for each in found}
        self._declared_users = {_declared_id(each.email): each for each in users}
        self._index()

    def user_by_email(self, email: str) -> User | None:
        return self._by_email.get(email.strip().lower())

    def user_by_subject(self, subject: str) -> User | None:
        return next((user for user in self.users.values() if user.subject == subject), None)

    async def refresh(self) -> bool:
        """Reads what changed since; whether anything did. Raises StoreError."""
        version = await self.store.documents_version()
        if version == self._version:
            return False
        self._stored_tenants = await Records(self.store, "tenant", Tenant).all()
        self._stored_environments = await Records(self.store, "environment", Environment).all()
        self._stored_users = await Records(self.store, "user", User).all()
        self.ended = await Records(self.store, "ended_session", EndedSession).all()
        # The version from before the read: what was written between the two is read again a second later.
        self._version = version
        self._index()
        return True

    async def follow(self, interval_s: float = 1.0) -> None:
        """Keeps it up to date until cancelled."""
        await follow(self.refresh, "people and tenants", log, interval_s)

    def _index(self) -> None:
        self.tenants = {**self._stored_tenants, **self._declared_tenants}
        self.suspended.clear()
        self.suspended |= {slug for slug, tenant in self.tenants.items() if tenant.suspended_at is not None}
        self.environments = {**self._stored_environments, **self._declared_environments}
        users = {user_id: user for user_id, user in self._stored_users.items() if not _is_declared(user_id)}
        declared = {
            user_id: _declared(each, self._stored_users.get(user_id)) for user_id, each in self._declared_users.items()
        }
        taken = {user.email for user in declared.values()}
        self.users = {user_id: user for user_id, user in users.items() if user.email not in taken} | declared
        self._by_email = {user.email: user for user in self.users.values()}


def _declared_id(email: str) -> str:
    return DECLARED_PREFIX + email.strip().lower()


def _is_declared(user_id: str) -> bool:
    return user_id.startswith(DECLARED_PREFIX)


def _declared_tenant(entry: DeclaredTenant) -> Tenant:
    suspended_at = 0 if entry.suspended else None
    return Tenant(entry.slug, entry.name or entry.slug, entry.note, declared=True, suspended_at=suspended_at)


def _declared_environment(entry: DeclaredEnvironment) -> Environment:
    key_id = DECLARED_PREFIX + entry.label
    return Environment(entry.name, entry.tenant, key_id, entry.note, declared=True)


def _declared(entry: DeclaredUser, stored: User | None) -> User:
    """The file says who they are, the store only what they did themselves: their password, signing out everywhere."""
    email = entry.email.strip().lower()
    own = stored or User(user_id=_declared_id(email), email=email, name="", role=entry.role)
    return msgspec.structs.replace(
        own, name=entry.name or email, role=entry.role, tenant=entry.tenant, declared=True, disabled_at=None
    )
