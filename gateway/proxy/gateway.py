"""What all calls of a worker share: the table, the journal, the keys, the counters, the sweep for time limits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Set
from typing import Protocol

from gateway.core.capture import Capture
from gateway.core.key import Key
from gateway.core.limits import Admission
from gateway.journal import JournalWriter
from gateway.proxy.bills import Bills
from gateway.proxy.cache import Behind, ResponseCache
from gateway.proxy.head import KnownHeads
from gateway.proxy.pools import Pools
from gateway.proxy.table import Table
from gateway.settings import Settings

SWEEP_S = 0.1
"""How exact time limits are."""

log = logging.getLogger("callgate.proxy")


class Counters:
    """Since the worker's start."""

    __slots__ = (
        "attempts_repeated",
        "bytes_in",
        "bytes_out",
        "cache_bytes",
        "cache_hits",
        "cache_misses",
        "calls",
        "client_connections",
        "client_gone",
        "in_flight",
        "rejected",
        "retried_stale",
        "upstream_errors",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.attempts_repeated = 0
        """Attempts that followed a failed one of the same call."""
        self.in_flight = 0
        self.rejected = 0
        self.retried_stale = 0
        self.client_gone = 0
        self.upstream_errors = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.client_connections = 0
        self.cache_hits = 0
        """Calls answered from the response cache, or with the answer of an identical one under way."""
        self.cache_misses = 0
        self.cache_bytes = 0
        """What it takes in memory now."""


class Keys(Protocol):
    """Where a presented token is looked up; `lookup` also finds keys that are refused: revoked, expired, or of a
    tenant that is suspended."""

    @property
    def suspended(self) -> Set[str]:
        """Tenants for whom no call is made."""
        ...

    def authenticate(self, token: bytes) -> Key | None: ...

    def lookup(self, token: bytes) -> Key | None: ...


class Timed(Protocol):
    """Something that may run out of time: looked at every `SWEEP_S`."""

    def check(self, now: float) -> None: ...


class Gateway:
    """One worker's data plane. `table` is replaced whole when the settings change; calls keep what they began with."""

    def __init__(
        self,
        *,
        table: Table,
        pools: Pools,
        journal: JournalWriter,
        keys: Keys,
        counters: Counters,
        admission: Admission | None = None,
        behind: Behind | None = None,
    ) -> None:
        """`behind` is where the response cache keeps answers beyond this process, when it is told to."""
        self.pools = pools
        self.counters = counters
        self.cache: ResponseCache | None = None
        """None where answers are not kept."""
        self._behind = behind
        self.outbox = pools.outbox
        self.heads = KnownHeads()
        self.use(table)
        self.journal = journal
        self.keys = keys
        self.admission = admission
        """Limits and budgets; None where there are none."""
        self.capture = Capture(table.settings.log.payloads)
        """How much is kept of whose calls; its rules may change."""
        self.bills = Bills()
        self.timed: set[Timed] = set()
        """Calls and connections with a time limit running."""
        self.draining = False
        """Shutting down: no new call is let in."""
        self._sweeping: asyncio.TimerHandle | None = None

    def use(self, table: Table) -> None:
        """Takes new settings, all at once."""
        self.table = table
        self.heads.forget()
        self.body_bytes = int(table.settings.server.max_body_mb * 1024 * 1024)
        """Largest body that is held."""
        self.payload_bytes = table.settings.log.max_payload_kb * 1024
        """How much of a body is logged."""
        self.captures_timing = table.settings.log.capture_stream_timing
        self._use_cache(table.settings)

    def _use_cache(self, settings: Settings) -> None:
        mode = settings.cache.mode
        behind = self._behind if mode == "store" else None
        if mode == "none":
            self.cache = None
            self.counters.cache_bytes = 0
        elif self.cache is None:
            self.cache = ResponseCache(settings, self.counters, behind)
        else:
            self.cache.use(settings, behind)

    def start(self) -> None:
        self.outbox.start(self.counters)
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        now = time.monotonic()
        for timed in list(self.timed):
            try:
                timed.check(now)
            except Exception:
                log.exception("a time limit could not be enforced")
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        self.pools.sweep(now)
        self.journal.look_after()

    def stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        self.pools.close()
