"""Who may manage which keys and environments: members those of applications, within what they are bound to."""

from __future__ import annotations

from gateway.control.directory import Environment
from gateway.control.keys import Keyring
from gateway.control.principal import Principal
from gateway.core.key import Key
from gateway.errors import CallError, Missing


def is_within(principal: Principal, tenant: str | None, environment: str | None) -> bool:
    """Whether something of this tenant and environment is in what the principal is bound to."""
    return principal.tenant in (None, tenant) and principal.environment in (None, environment)


def visible_keys(keyring: Keyring, principal: Principal) -> list[Key]:
    """Gateway keys, newest first; API tokens of people are their own affair."""
    everything = keyring.keys()
    return [key for key in everything if key.owner is None and is_within(principal, key.tenant, key.environment)]


def visible_environments(environments: dict[str, Environment], principal: Principal) -> list[Environment]:
    return [each for _, each in sorted(environments.items()) if is_within(principal, each.tenant, each.name)]


def own_scope(principal: Principal, tenant: str | None, environment: str | None) -> tuple[str | None, str | None]:
    """Tenant and environment for something new: what the principal is bound to where nothing is said. Raises
    CallError 403 for something else."""
    chosen = tenant or principal.tenant, environment or principal.environment
    if not is_within(principal, *chosen):
        own = principal.tenant if principal.tenant not in (None, tenant) else principal.environment
        raise CallError(403, "out_of_scope", f"{principal.words} is bound to {own} and can make nothing outside it.")
    return chosen


def may_give(principal: Principal, role: str) -> None:
    """Raises CallError 403 where a member would make a key that may do more than call models."""
    if principal.role != "admin" and role != "app":
        raise CallError(403, "role_not_allowed", f"Only an admin makes keys of the role {role}; members make app keys.")


def manageable_key(keyring: Keyring, principal: Principal, key_id: str) -> Key:
    """Raises Missing for what the principal does not see either, CallError 403 for what it may only see."""
    key = next((key for key in visible_keys(keyring, principal) if key.key_id == key_id), None)
    if key is None:
        raise Missing(f"There is no key with the id {key_id[:100]!r}.")
    may_give(principal, key.role)
    return key
