"""Deleting what is older than the settings and the tenants' policies allow, a little at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

import msgspec

from gateway.settings import Log
from gateway.settings.privacy import PrivacyPolicy
from gateway.store.base import SpanWriter
from gateway.store.documents import Documents
from gateway.store.erasing import Erasing

DAY_US = 86_400_000_000
STEP_ROWS = 500
EVERY_S = 60.0
OVERDUE_S = 600.0
"""Under load that never pauses a step is taken between two batches after this time."""
CLOCK_JUMP_S = 3600.0
LATE_US = DAY_US
"""A row may be stored so long after its call began: bodies are looked for so far behind what was cleared before."""
POLICY = "privacy_policy"
"""The kind of the documents of policies."""

_policy = msgspec.json.Decoder(PrivacyPolicy).decode


class Clearable(SpanWriter, Documents, Erasing, Protocol):
    """What is asked of a store that keeps tenants' policies."""


class Retention:
    """`policies` are those of the configuration; others are documents of the store, read before every step."""

    def __init__(self, log: Log, policies: Iterable[PrivacyPolicy] = ()) -> None:
        self._days = log.retention_days
        self._payload_days = log.payload_retention_days
        self._declared = list(policies)
        self._cleared_to: dict[str, int] = {}
        """By tenant: bodies of calls that began before this are gone."""
        self._next_at = time.monotonic()
        self._clock = time.time() - time.monotonic()

    def is_due(self, *, idle: bool) -> bool:
        late_s = time.monotonic() - self._next_at
        return late_s >= 0 if idle else late_s >= OVERDUE_S

    async def step(self, store: SpanWriter, tenants: Clearable | None = None) -> int:
        """One small deletion; how many rows went. `tenants`: the same store, where it has policies. Raises StoreError.

        A clock that was set forward by hours between two steps must not empty the log: it is believed the next time.
        """
        clock = time.time() - time.monotonic()
        jumped, self._clock = abs(clock - self._clock) > CLOCK_JUMP_S, clock
        if jumped:
            self._next_at = time.monotonic() + EVERY_S
            return 0
        now_us = time.time_ns() // 1000
        gone = await store.expire(
            spans_before_us=_before(now_us, self._days),
            payloads_before_us=_before(now_us, self._payload_days),
            limit=STEP_ROWS,
        )
        if tenants is not None:
            gone += await self._of_tenants(tenants, now_us)
        self._next_at = time.monotonic() + (0 if gone else EVERY_S)
        return gone

    async def _of_tenants(self, store: Clearable, now_us: int) -> int:
        stored = [_policy(each.body) for each in await store.documents(POLICY, prefix="tenant:")]
        gone = 0
        for tenant, (days, payload_days) in shortest([*self._declared, *stored]).items():
            to_us = _before(now_us, payload_days)
            bodies = None if to_us is None else (max(0, self._cleared_to.get(tenant, 0) - LATE_US), to_us)
            went = await store.expire_tenant(
                tenant, spans_before_us=_before(now_us, days), payloads=bodies, limit=STEP_ROWS
            )
            if not went and to_us is not None:
                self._cleared_to[tenant] = to_us
            gone += went
        return gone


def shortest(policies: Iterable[PrivacyPolicy]) -> dict[str, tuple[int | None, int | None]]:
    """(days of rows, days of bodies) by tenant, of those that say any. None is as long as anybody else's."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for each in policies:
        if each.scope != "tenant" or (each.retention_days is None and each.payload_retention_days is None):
            continue
        days, payload_days = found.get(each.match, (None, None))
        found[each.match] = (_shorter(days, each.retention_days), _shorter(payload_days, each.payload_retention_days))
    return found


def _shorter(one: int | None, other: int | None) -> int | None:
    return min((days for days in (one, other) if days is not None), default=None)


def _before(now_us: int, days: int | None) -> int | None:
    return None if days is None else now_us - days * DAY_US
