"""The line at a limit: tenants take turns, first come first served within one, and nobody waits longer than said."""

from __future__ import annotations

import asyncio
import time

from gateway.control.admission import Limits
from gateway.control.counters.board import Board
from gateway.core.key import Key
from gateway.core.limits import Ask, Lease, Wait
from gateway.errors import CallError
from gateway.settings import Settings
from gateway.settings.limits import Limit
from pricing import Catalog

CATALOG = Catalog.load()


def now_us() -> int:
    return time.time_ns() // 1000


class Crowd:
    """Calls as the exchange makes them: they wait when they are told to, and ask again at their turn."""

    def __init__(self, queue_ms: int) -> None:
        limit = Limit(scope="model", match="m", concurrent=1, queue_ms=queue_ms)
        self.limits = Limits(Settings(limits=[limit]), CATALOG, Board(None, 1, 0, now_us()))
        self.order: list[str] = []
        self.refused: list[str] = []
        self.held: list[Lease] = []

    def call(self, name: str) -> None:
        ask = Ask(Key(key_id="k", name="k"), name[0], None, "m", "m", {}, 1, 1, None)
        try:
            self._in(name, ask)
        except Wait as wait:
            wait.enter(lambda: self._turn(name, ask))

    def _turn(self, name: str, ask: Ask) -> None:
        ask.waited = True
        try:
            self._in(name, ask)
        except CallError:
            self.refused.append(name)

    def _in(self, name: str, ask: Ask) -> None:
        lease = self.limits.admit(ask, now_us())
        assert lease is not None
        self.order.append(name)
        self.held.append(lease)

    def end_one(self) -> None:
        self.held.pop(0).settle(1, None, now_us())


def test_tenants_take_turns_and_within_one_the_first_goes_first():
    async def run() -> list[str]:
        crowd = Crowd(queue_ms=60_000)
        for name in ("a1", "a2", "a3", "a4", "b1", "b2"):
            crowd.call(name)
        while crowd.held:
            crowd.end_one()
        return crowd.order

    assert asyncio.run(run()) == ["a1", "a2", "b1", "a3", "b2", "a4"]


def test_whose_time_is_over_is_refused_and_the_others_wait_on():
    async def run() -> Crowd:
        crowd = Crowd(queue_ms=30)
        for name in ("a1", "a2", "a3", "b1"):
            crowd.call(name)
        async with asyncio.timeout(10):
            while len(crowd.refused) < 3:
                await asyncio.sleep(0)
        return crowd

    crowd = asyncio.run(run())
    assert (crowd.order, crowd.refused) == (["a1"], ["a2", "a3", "b1"])


def test_a_client_that_has_gone_leaves_the_line():
    async def run() -> list[str]:
        crowd = Crowd(queue_ms=60_000)
        crowd.call("a1")
        ask = Ask(Key(key_id="k", name="k"), "a", None, "m", "m", {}, 1, 1, None)
        try:
            crowd.limits.admit(ask, now_us())
        except Wait as wait:
            leave = wait.enter(lambda: crowd.order.append("who has gone"))
        crowd.call("a2")
        leave()
        crowd.end_one()
        return crowd.order

    assert asyncio.run(run()) == ["a1", "a2"]
