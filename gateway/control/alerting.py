"""Alerts as a worker runs them: every worker hands on what its admission tells; the first one looks and sends.

All of it is beside the calls. What admission says is put on a list and written to the store by a task.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import socket
import time
from collections import deque

import msgspec

from gateway.control.alerts import Alerts
from gateway.control.alerts_budgets import reached
from gateway.control.alerts_deliver import Courier
from gateway.control.alerts_evaluate import Evaluator
from gateway.control.alerts_kept import EVENT
from gateway.control.state import AppState
from gateway.core.alerts.notice import of_event
from gateway.core.limits.events import Event
from gateway.errors import Conflict, StoreError

log = logging.getLogger("callgate.alerts")

COURIER_S = 2.0
FORGET_S = 3600.0
MOST_HEARD = 10_000
"""While the store is down; budgets' levels are found again by looking."""
DAY_US = 86_400_000_000


class Alerting:
    def __init__(self, alerts: Alerts, state: AppState, place: str) -> None:
        """`place` names the data folder: with the machine's name, who looks after the rules."""
        self._alerts = alerts
        self._state = state
        holder = hashlib.sha256(f"{socket.gethostname()}:{place}".encode()).hexdigest()[:16]
        self._evaluator = Evaluator(alerts, state, holder, functools.partial(reached, state))
        self._courier = Courier(alerts, state.store)
        self._heard: deque[Event] = deque(maxlen=MOST_HEARD)
        self._something = asyncio.Event()
        self._has_book = False

    def hear(self, event: Event) -> None:
        """Of admission; costs it nothing."""
        self._heard.append(event)
        self._something.set()

    async def run(self, *, looks: bool) -> None:
        """Until it is cancelled. `looks`: whether this is the worker that looks at rules and sends."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hand_on())
            if looks:
                tasks.create_task(self._look())
                tasks.create_task(self._carry())

    async def hand_on(self) -> None:
        """Writes down what was heard. Raises StoreError, and then keeps it."""
        while self._heard:
            event = self._heard[0]
            notice = of_event(event)
            with contextlib.suppress(Conflict):  # another worker heard the same
                await self._state.store.put_document(EVENT, notice.id, msgspec.json.encode(notice), expected=0)
            if self._heard and self._heard[0] is event:  # else it was pushed out meanwhile
                self._heard.popleft()

    async def _hand_on(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            try:
                await self.hand_on()
            except StoreError as exc:
                log.warning("alerts: %d events wait for the store: %s", len(self._heard), exc)
                await asyncio.sleep(COURIER_S)
                self._something.set()
            except Exception:
                log.exception("alerts: what admission told could not be written down")
                self._heard.popleft()  # the others behind it are told
                self._something.set()

    async def _look(self) -> None:
        while True:
            try:
                self._has_book = await self._evaluator.look(_now_us())
            except StoreError as exc:
                log.warning("alerts: the rules could not be looked at: %s", exc)
            except Exception:
                log.exception("alerts: the rules could not be looked at")
            await asyncio.sleep(self._alerts.settings.alerts.every_s)

    async def _carry(self) -> None:
        forgotten_at = time.monotonic()
        while True:
            await asyncio.sleep(COURIER_S)
            if not self._has_book:
                continue
            try:
                await self._courier.round(_now_us())
                if time.monotonic() - forgotten_at > FORGET_S:
                    forgotten_at = time.monotonic()
                    await self._courier.forget(_now_us() - self._alerts.settings.alerts.history_days * DAY_US)
            except StoreError as exc:
                log.warning("alerts: what is to be sent could not be read: %s", exc)
            except Exception:
                log.exception("alerts: sending failed")


def _now_us() -> int:
    return time.time_ns() // 1000
