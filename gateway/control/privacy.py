"""Policies: what is kept of whose calls, and how long. Those of the configuration stand beside those made at run time;
of all that fit a call the tightest holds, so that none can loosen another."""

from __future__ import annotations

import logging

import msgspec

from gateway.control.audit import entry
from gateway.control.following import follow
from gateway.core.capture import LEVELS, Capture
from gateway.errors import ControlError, Missing
from gateway.recorder.retention import POLICY, shortest
from gateway.settings import Settings
from gateway.settings.privacy import PrivacyPolicy
from gateway.store.documents import Documents

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(PrivacyPolicy).decode


class Policies:
    """`capture` is what the data plane asks; it follows every change of any process within a second."""

    def __init__(self, settings: Settings, store: Documents) -> None:
        self._store = store
        self._version: int | None = None
        self.stored: dict[str, PrivacyPolicy] = {}
        """By `scope:match`."""
        self.capture = Capture()
        self.declare(settings)

    def declare(self, settings: Settings) -> None:
        """Takes over what a (re)loaded configuration says."""
        self._default = settings.log.payloads
        self.declared = list(settings.privacy.policies)
        self._apply()

    def _apply(self) -> None:
        self.capture.use(self._default, [*self.declared, *self.stored.values()])

    async def refresh(self) -> None:
        """Raises StoreError."""
        version = await self._store.documents_version()
        if version == self._version:
            return
        self.stored = {each.id: _decode(each.body) for each in await self._store.documents(POLICY)}
        self._version = version
        self._apply()

    async def follow(self, interval_s: float = 1.0) -> None:
        """Keeps them up to date until cancelled."""
        await follow(self.refresh, "privacy policies", log, interval_s)

    def payload_days(self, tenant: str | None, default: int | None) -> int | None:
        """How long bodies of this tenant are kept; None for as long as rows."""
        own = shortest([*self.declared, *self.stored.values()]).get(tenant or "", (None, None))[1]
        return min((days for days in (own, default) if days is not None), default=None)

    async def put(self, policy: PrivacyPolicy, *, actor: str) -> PrivacyPolicy:
        """Makes it, or writes it over the one of the same scope and match. Raises ControlError."""
        _check(policy)
        await self.refresh()
        before = self.stored.get(_id(policy.scope, policy.match))
        doc_id = _id(policy.scope, policy.match)
        audit = entry(actor, "created" if before is None else "changed", POLICY, doc_id, before, policy)
        await self._store.put_document(POLICY, doc_id, msgspec.json.encode(policy), audit=audit)
        await self.refresh()
        return policy

    async def delete(self, scope: str, match: str, *, actor: str) -> PrivacyPolicy:
        """Raises Missing."""
        await self.refresh()
        doc_id = _id(scope, match)
        before = self.stored.get(doc_id)
        if before is None:
            raise Missing(
                f"There is no policy for the {scope} {match!r}; those of the configuration are changed there."
            )
        await self._store.delete_document(POLICY, doc_id, audit=entry(actor, "deleted", POLICY, doc_id, before, None))
        await self.refresh()
        return before


def _check(policy: PrivacyPolicy) -> None:
    if policy.scope not in ("tenant", "environment", "key") or not policy.match.strip():
        raise ControlError("A policy is for a tenant, an environment or a key: name it.")
    if policy.payloads is not None and policy.payloads not in LEVELS:
        raise ControlError(f"{policy.payloads!r} is none of {', '.join(LEVELS)}.")
    days = (policy.retention_days, policy.payload_retention_days)
    if policy.scope != "tenant" and any(each is not None for each in days):
        raise ControlError("How long something is kept is said for tenants; for environments and keys only what.")
    if any(each is not None and each < 1 for each in days):
        raise ControlError("Retention is whole days, one at least.")
    if policy.payloads is None and not any(days):
        raise ControlError("A policy that says nothing keeps nothing back: give what is kept, or how long.")


def _id(scope: str, match: str) -> str:
    return f"{scope}:{match}"
