"""Environments: production, staging, … of a tenant. Each has one secret of its own, besides the keys that are made
with names; what it calls is booked under it."""

from __future__ import annotations

import re

import msgspec

from gateway.control.directory import Directory, Environment, environment_id, label_of
from gateway.control.keys import Keyring, now_us
from gateway.control.records import Records
from gateway.core.key import Key
from gateway.errors import ControlError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


class Environments:
    def __init__(self, directory: Directory, keyring: Keyring) -> None:
        self._directory = directory
        self._keyring = keyring
        self._records = Records(directory.store, "environment", Environment, listed_by="callgate environments list")

    def get(self, tenant: str | None, name: str) -> Environment:
        """Raises Missing."""
        found = self._directory.environments.get(environment_id(tenant, name))
        if found is None:
            raise self._records.missing(label_of(tenant, name))
        return found

    async def create(
        self, name: str, *, tenant: str | None = None, note: str = "", actor: str
    ) -> tuple[str, Environment]:
        """Its secret, kept nowhere, and what is kept. Raises ControlError."""
        await self._directory.refresh()
        if not _NAME.match(name):
            raise ControlError(f"{name!r} is no name for an environment: letters, digits, `.`, `_` and `-`.")
        if tenant is not None and tenant not in self._directory.tenants:
            raise ControlError(f"There is no tenant {tenant!r}. `callgate tenants create {tenant}` makes it.")
        label = label_of(tenant, name)
        if environment_id(tenant, name) in self._directory.environments:
            raise ControlError(f"There is an environment {label!r} already.")
        token, key = await self._keyring.create(label, tenant=tenant, environment=name, actor=actor)
        environment = Environment(name, tenant, key.key_id, note.strip(), now_us())
        await self._records.make(environment.id, environment, actor)
        await self._directory.refresh()
        return token, environment

    async def rotate(
        self, tenant: str | None, name: str, *, overlap_s: float = 86_400, actor: str
    ) -> tuple[str, Environment]:
        """A new secret; one that was revoked is replaced by a new key."""
        environment = self._changeable(tenant, name)
        if self._keyring.by_id(environment.key_id) is not None:
            token, _ = await self._keyring.rotate(environment.key_id, overlap_s=overlap_s, actor=actor)
            return token, environment
        label = label_of(tenant, name)
        token, key = await self._keyring.create(label, tenant=tenant, environment=name, actor=actor)
        changed = await self._records.change(
            environment.id, lambda was: msgspec.structs.replace(was, key_id=key.key_id), actor
        )
        await self._directory.refresh()
        return token, changed

    async def delete(self, tenant: str | None, name: str, *, actor: str) -> Environment:
        """Its secret ends; the named keys of it stay, and the log keeps its calls."""
        environment = self._changeable(tenant, name)
        if self._keyring.by_id(environment.key_id) is not None:
            await self._keyring.revoke(environment.key_id, actor=actor)
        await self._records.delete(environment.id, actor)
        await self._directory.refresh()
        return environment

    def _changeable(self, tenant: str | None, name: str) -> Environment:
        environment = self.get(tenant, name)
        if environment.declared:
            raise ControlError(
                f"The environment {label_of(tenant, name)!r} is declared in the configuration: change it there; a "
                "running gateway reloads it."
            )
        return environment

    def secret_of(self, environment: Environment) -> Key | None:
        """The key behind it; None once it was revoked."""
        return self._keyring.by_id(environment.key_id)
