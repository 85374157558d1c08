"""Tenants that the guard against runaways leaves alone for a while, because an admin said so: kept in the store, so
that every worker and machine follows within a second, and each change is in the audit log."""

from __future__ import annotations

import msgspec

from gateway.control.audit import entry
from gateway.control.keys import now_us
from gateway.errors import ControlError, Missing
from gateway.store.documents import Documents

KIND = "runaway_override"
HOUR_US = 3_600_000_000
MOST_HOURS = 24 * 31


class Override(msgspec.Struct, frozen=True):
    tenant: str
    until_us: int
    note: str
    by: str
    created_us: int


_decode = msgspec.json.Decoder(Override).decode


class Overrides:
    """`by_tenant` is what is known; those that are over stay there until they are ended or made anew."""

    def __init__(self, store: Documents) -> None:
        self._store = store
        self._version: int | None = None
        self.by_tenant: dict[str, Override] = {}

    async def refresh(self) -> None:
        """Raises StoreError."""
        version = await self._store.documents_version()
        if version != self._version:
            documents = await self._store.documents(KIND)
            self.by_tenant = {each.id: _decode(each.body) for each in documents}
            self._version = version

    async def put(self, tenant: str, hours: float, note: str, *, actor: str) -> Override:
        """From now on, in place of one there is. Raises ControlError."""
        if not 0 < hours <= MOST_HOURS:
            raise ControlError(f"An override is for up to {MOST_HOURS} hours; {hours:g} is none of that.")
        await self.refresh()
        at, before = now_us(), self.by_tenant.get(tenant)
        after = Override(tenant, at + int(hours * HOUR_US), note.strip(), actor, at)
        audit = entry(actor, "created" if before is None else "changed", KIND, tenant, before, after)
        await self._store.put_document(KIND, tenant, msgspec.json.encode(after), audit=audit)
        await self.refresh()
        return after

    async def end(self, tenant: str, *, actor: str) -> Override:
        """Raises Missing."""
        await self.refresh()
        before = self.by_tenant.get(tenant)
        if before is None:
            raise Missing(f"There is no override of the runaway guard for the tenant {tenant[:100]!r}.")
        await self._store.delete_document(KIND, tenant, audit=entry(actor, "deleted", KIND, tenant, before, None))
        await self.refresh()
        return before
