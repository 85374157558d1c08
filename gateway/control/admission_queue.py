"""Calls that wait for their turn at a limit with `queue_ms`: a line for each limit's value, in this worker.

Tenants take turns, and within a tenant the first that came is the first to go: one that sends a hundred calls makes
another wait for one of them. A line moves when a call of this worker ends and, for what leaves the window and for
calls of other workers, every TICK_S.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from gateway.control.admission_holding import Meter

TICK_S = 0.02


class _Waiting:
    __slots__ = ("again", "tokens", "until")

    def __init__(self, again: Callable[[], None], until: float, tokens: int) -> None:
        self.again: Callable[[], None] | None = again
        """None once it was called, or has left."""
        self.until = until
        self.tokens = tokens


class Line:
    """Of one meter. `moved` is called with no call left in it."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._by_tenant: dict[str | None, deque[_Waiting]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._moving = False

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._by_tenant.values())

    def enter(self, tenant: str | None, tokens: int, again: Callable[[], None]) -> Callable[[], None]:
        """What it gives back takes the call out again."""
        waiting = _Waiting(again, time.monotonic() + self._meter.rule.queue_us / 1e6, tokens)
        self._by_tenant.setdefault(tenant, deque()).append(waiting)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

        def leave() -> None:
            waiting.again = None

        return leave

    def move(self) -> None:
        """Lets as many go as there is room for, and those whose time is over, who are refused then."""
        if self._moving:
            return  # who goes is asked again, and may be refused: that ends a lease, and would move the line
        self._moving = True
        try:
            self._move()
        finally:
            self._moving = False

    def _move(self) -> None:
        now = time.monotonic()
        for queue in list(self._by_tenant.values()):
            for waiting in [each for each in queue if each.again is None or each.until <= now]:
                queue.remove(waiting)
                _go(waiting)
        while self._by_tenant:
            tenant, queue = next(iter(self._by_tenant.items()))
            if not queue:
                del self._by_tenant[tenant]
            elif queue[0].again is None:
                queue.popleft()
            elif self._has_room(queue[0].tokens):
                waiting = queue.popleft()
                self._by_tenant[tenant] = self._by_tenant.pop(tenant)  # to the end: the others first
                _go(waiting)
            else:
                return

    def _has_room(self, tokens: int) -> bool:
        rule, used = self._meter.rule, self._meter.window.used(int(time.time()))
        return (
            (rule.requests is None or used.requests < rule.requests)
            and (rule.tokens is None or used.tokens + tokens <= rule.tokens)
            and (rule.concurrent is None or used.in_flight < rule.concurrent)
        )

    def _tick(self) -> None:
        self._timer = None
        self.move()
        if self._by_tenant:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)


def _go(waiting: _Waiting) -> None:
    again, waiting.again = waiting.again, None
    if again is not None:
        again()
