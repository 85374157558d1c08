"""Limits as a worker runs them: the board is opened where there is something to count, the log is asked beside the
calls, and new settings are taken over."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path

from gateway.control.admission import Limits, log_event
from gateway.control.admission_ledger import Ledger
from gateway.control.counters.across import Across
from gateway.control.counters.board import Board
from gateway.control.runaway_overrides import Overrides
from gateway.core.limits.events import Event, Sink
from gateway.settings import Settings
from gateway.store.base import Store
from pricing import Catalog

log = logging.getLogger("callgate.limits")

REFRESH_S = 1.0


class Limiting:
    """`limits` is what calls are admitted by; None where nothing is limited."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        store: Store,
        data: Path,
        worker: int,
        drained: Callable[[], bool],
    ) -> None:
        self.limits: Limits | None = None
        self.sinks: list[Sink] = [log_event]
        """Each hears every event, once."""
        self.overrides = Overrides(store)
        self._data = data
        self._worker = worker
        self._workers = settings.server.workers
        self._ledger = Ledger(store, drained)
        self._across = Across(settings.shared, _machine(data)) if settings.shared.url else None
        self.use(settings, catalog)

    def use(self, settings: Settings, catalog: Catalog) -> None:
        """New settings; the number of workers and `shared` stay as they were at the start."""
        if self.limits is not None:
            self.limits.use(settings, catalog)
        elif settings.limits or settings.budgets or settings.runaway is not None:
            self.limits = Limits(settings, catalog, self._board(), self._tell, self._across)

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._across is None:
            await self._learn()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._learn())
            tasks.create_task(self._across.run())

    async def _learn(self) -> None:
        while True:
            limits = self.limits
            if limits is None:
                await asyncio.sleep(REFRESH_S)
                continue
            try:
                if limits.settings.runaway is not None:
                    await self.overrides.refresh()
                    lifted = {name: each.until_us // 1_000_000 for name, each in self.overrides.by_tenant.items()}
                    limits.lift(lifted)
                await self._ledger.refresh(limits, _now_us())
            except Exception:
                log.exception("limits: what the log knows could not be taken over")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await limits.new_accounts.wait()
            limits.new_accounts.clear()

    async def close(self) -> None:
        """What is held of shared counters is given back; those of this machine stay as they are."""
        if self._across is not None:
            await self._across.close()
        if self.limits is not None:
            self.limits.board.close()

    def _board(self) -> Board:
        try:
            return Board(self._data / "counters", self._workers, self._worker, _now_us())
        except OSError as exc:
            log.error("limits: this worker counts alone, for the shared counters cannot be had: %s", exc)
            return Board(None, 1, 0, _now_us())

    def _tell(self, event: Event) -> None:
        for sink in self.sinks:
            try:
                sink(event)
            except Exception:
                log.exception("limits: an event could not be handed on")


def _machine(data: Path) -> str:
    """The same for all workers of a data folder."""
    return hashlib.sha256(f"{socket.gethostname()}:{data.resolve()}".encode()).hexdigest()[:16]


def _now_us() -> int:
    return time.time_ns() // 1000
