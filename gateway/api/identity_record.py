"""How keys, tenants, environments, people and audit entries look in the API and on the command line. No secrets."""

from __future__ import annotations

import msgspec

from gateway.api.filters import iso_time
from gateway.control.directory import Environment, Tenant, User
from gateway.control.keys import key_state, now_us
from gateway.core.key import Key
from gateway.store.documents import AuditEntry


class KeyRecord(msgspec.Struct):
    key_id: str
    name: str
    role: str
    tenant: str | None
    environment: str | None
    models: list[str]
    endpoints: list[str]
    configs: list[str]
    networks: list[str]
    tags: dict[str, str]
    hint: str
    """The last four characters."""
    declared: bool
    state: str
    """active, expired or revoked"""
    created_at: str | None
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    """Right to the minute; null if it was not used since this was kept."""


class TenantRecord(msgspec.Struct):
    slug: str
    name: str
    note: str
    declared: bool
    created_at: str | None
    suspended: bool
    """Its keys are refused."""
    suspended_at: str | None
    """null where the configuration says so."""


class EnvironmentRecord(msgspec.Struct):
    name: str
    tenant: str | None
    note: str
    key_id: str
    created_at: str | None
    declared: bool


class UserRecord(msgspec.Struct):
    user_id: str
    email: str
    name: str
    role: str
    tenant: str | None
    has_password: bool
    single_sign_on: bool
    disabled: bool
    declared: bool
    created_at: str | None


class AuditRecord(msgspec.Struct):
    number: int | None
    at: str
    actor: str
    action: str
    kind: str
    id: str
    before: msgspec.Raw | None
    after: msgspec.Raw | None


def key_record(key: Key, last_used: dict[str, int]) -> KeyRecord:
    return KeyRecord(
        key_id=key.key_id,
        name=key.name,
        role=key.role,
        tenant=key.tenant,
        environment=key.environment,
        models=list(key.models),
        endpoints=list(key.endpoints),
        configs=list(key.configs),
        networks=list(key.networks),
        tags=key.tags,
        hint=key.hint,
        declared=key.declared,
        state=key_state(key, now_us()),
        created_at=moment(key.created_at),
        expires_at=moment(key.expires_at),
        revoked_at=moment(key.revoked_at),
        last_used_at=moment(last_used.get(key.key_id)),
    )


def tenant_record(tenant: Tenant) -> TenantRecord:
    return TenantRecord(
        slug=tenant.slug,
        name=tenant.name,
        note=tenant.note,
        declared=tenant.declared,
        created_at=moment(tenant.created_at),
        suspended=tenant.suspended_at is not None,
        suspended_at=moment(tenant.suspended_at),
    )


def environment_record(environment: Environment) -> EnvironmentRecord:
    return EnvironmentRecord(
        name=environment.name,
        tenant=environment.tenant,
        note=environment.note,
        key_id=environment.key_id,
        created_at=moment(environment.created_at),
        declared=environment.declared,
    )


def user_record(user: User) -> UserRecord:
    return UserRecord(
        user_id=user.user_id,
        email=user.email,
        name=user.name,
        role=user.role,
        tenant=user.tenant,
        has_password=user.password is not None,
        single_sign_on=user.subject is not None,
        disabled=user.disabled_at is not None,
        declared=user.declared,
        created_at=moment(user.created_at),
    )


def audit_record(entry: AuditEntry) -> AuditRecord:
    before = None if entry.before is None else msgspec.Raw(entry.before)
    after = None if entry.after is None else msgspec.Raw(entry.after)
    return AuditRecord(entry.number, iso_time(entry.at), entry.actor, entry.action, entry.kind, entry.id, before, after)


def moment(us: int | None) -> str | None:
    """None for never, as for what is declared and has no time of its own."""
    return iso_time(us) if us else None
