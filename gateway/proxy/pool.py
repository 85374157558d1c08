"""The connections to one origin: kept alive, bounded, handed out last in first out without a wait where one is idle."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from gateway.proxy.connect import Connector, Origin
from gateway.proxy.outbox import Outbox
from gateway.proxy.upstream import Caller, UpstreamConnection

IDLE_S = 50.0
"""Below the 60 s after which most providers close an idle connection."""


class Pool:
    """`take` gives an idle connection at once, `wait` calls `Caller.connected` when there is one.

    At most `limit` connections are open; further callers wait in line, bounded by their own connect timeout.
    """

    def __init__(self, origin: Origin, connector: Connector, limit: int, outbox: Outbox) -> None:
        self.origin = origin
        self.outbox = outbox
        self.limit = limit
        self._connector = connector
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._waiting: deque[Caller] = deque()
        self._connecting: list[asyncio.Task[None]] = []
        """Attempts under way, the oldest first."""
        self._overdue: set[asyncio.Task[None]] = set()
        """Attempts that nobody counts on any more; one that hangs must not stand in for a new one."""

    def take(self) -> UpstreamConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def dial(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """A connection of its own, which is never pooled. Raises OSError where there is none."""
        await self._connector.connect(self.origin, factory)

    def wait(self, caller: Caller) -> None:
        self._waiting.append(caller)
        self._connect_if_allowed()

    def forget(self, caller: object) -> None:
        """The caller waits no longer."""
        if caller in self._waiting:
            self._waiting.remove(caller)  # type: ignore[arg-type]  # it is one of them
            if len(self._connecting) > len(self._waiting):
                self._overdue.add(self._connecting.pop(0))

    def _connect_if_allowed(self) -> None:
        busy = len(self._open) + len(self._connecting) + len(self._overdue)
        if len(self._connecting) < len(self._waiting) and busy < self.limit:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.append(task)
            task.add_done_callback(self._attempted)

    async def _connect(self) -> None:
        try:
            await self._connector.connect(self.origin, lambda: UpstreamConnection(self))
        except (OSError, ValueError, UnicodeError) as exc:
            if self._waiting:
                self._waiting.popleft().connect_failed(exc)

    def _attempted(self, task: asyncio.Task[None]) -> None:
        if task in self._overdue:
            self._overdue.discard(task)
        else:
            self._connecting.remove(task)
        if not task.cancelled():
            self._connect_if_allowed()  # for those that the limit kept waiting

    def opened(self, connection: UpstreamConnection) -> None:
        self._open.add(connection)
        self._offer(connection)

    def released(self, connection: UpstreamConnection) -> None:
        self._offer(connection)

    def _offer(self, connection: UpstreamConnection) -> None:
        connection.was_idle = not self._waiting
        if self._waiting:
            self._waiting.popleft().connected(connection)
        else:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)

    def closed(self, connection: UpstreamConnection) -> None:
        if connection in self._open:
            self._open.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._connect_if_allowed()

    def sweep(self, now: float) -> None:
        """Closes what has been idle for too long; the oldest lie at the bottom."""
        while self._idle and now - self._idle[0].idle_since > IDLE_S:
            self._idle[0].abandon()

    def close(self) -> None:
        """Closes what is idle and connects no more; calls in flight end as they do."""
        for task in (*self._connecting, *self._overdue):
            task.cancel()
        for connection in list(self._idle):
            connection.abandon()

    @property
    def connections(self) -> int:
        return len(self._open)
