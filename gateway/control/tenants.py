"""Tenants: whose calls they are. A tenant is its slug, in keys, tags and the log; calls may name one that nobody made,
which then simply appears in the log."""

from __future__ import annotations

import re

import msgspec

from gateway.control.directory import Directory, Tenant
from gateway.control.keys import Keyring, now_us, usable
from gateway.control.records import Records
from gateway.errors import ControlError

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


class Tenants:
    def __init__(self, directory: Directory, keyring: Keyring) -> None:
        self._directory = directory
        self._keyring = keyring
        self._records = Records(directory.store, "tenant", Tenant, listed_by="callgate tenants list")

    async def create(self, slug: str, *, name: str = "", note: str = "", actor: str) -> Tenant:
        if not _SLUG.match(slug):
            raise ControlError(
                f"{slug!r} is no name for a tenant: letters, digits, `.`, `_` and `-`, at most 63, and a letter or "
                "digit first."
            )
        self._not_declared(slug)
        tenant = await self._records.make(slug, Tenant(slug, name.strip() or slug, note.strip(), now_us()), actor)
        await self._directory.refresh()
        return tenant

    async def change(self, slug: str, *, name: str | None = None, note: str | None = None, actor: str) -> Tenant:
        """None leaves it as it is. Raises Missing."""
        self._not_declared(slug)

        def changed(tenant: Tenant) -> Tenant:
            return msgspec.structs.replace(
                tenant,
                name=tenant.name if name is None else name.strip() or slug,
                note=tenant.note if note is None else note.strip(),
            )

        tenant = await self._records.change(slug, changed, actor)
        await self._directory.refresh()
        return tenant

    async def suspend(self, slug: str, *, actor: str) -> Tenant:
        """Its keys are refused from now on, in every worker within a second. Calls under way end as they would, and
        its people can still look. Raises Missing."""
        return await self._set_suspended(slug, now_us(), actor, "suspended")

    async def resume(self, slug: str, *, actor: str) -> Tenant:
        return await self._set_suspended(slug, None, actor, "resumed")

    async def _set_suspended(self, slug: str, at: int | None, actor: str, action: str) -> Tenant:
        self._not_declared(slug)

        def changed(tenant: Tenant) -> Tenant:
            if (tenant.suspended_at is None) == (at is None):
                return tenant
            return msgspec.structs.replace(tenant, suspended_at=at)

        tenant = await self._records.change(slug, changed, actor, action)
        await self._directory.refresh()
        return tenant

    async def delete(self, slug: str, *, actor: str) -> Tenant:
        """Only without keys, environments and people: what they may do hangs on it. The log keeps its calls."""
        self._not_declared(slug)
        self._not_in_use(slug)
        tenant = await self._records.delete(slug, actor)
        await self._directory.refresh()
        return tenant

    def _not_declared(self, slug: str) -> None:
        found = self._directory.tenants.get(slug)
        if found is not None and found.declared:
            raise ControlError(
                f"The tenant {slug!r} is declared in the configuration: change it there; a running gateway reloads it."
            )

    def _not_in_use(self, slug: str) -> None:
        at, everything = now_us(), self._keyring.keys()
        keys = [key.name for key in everything if key.tenant == slug and usable(key, at)]
        environments = [each.name for each in self._directory.environments.values() if each.tenant == slug]
        people = [user.email for user in self._directory.users.values() if user.tenant == slug]
        uses = (("keys", keys), ("environments", environments), ("people", people))
        using = [f"{what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" for what, names in uses if names]
        if using:
            raise ControlError(f"The tenant {slug!r} still has {' and '.join(using)}. End or move those first.")
