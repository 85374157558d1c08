"""Counters that processes share through a Redis of the test's own: within the stated bound, and what else without."""

from __future__ import annotations

import asyncio
import functools
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.control.admission import Limits
from gateway.control.counters.across import Across
from gateway.control.counters.allotment import Allotment, Levels
from gateway.control.counters.board import Board
from gateway.core.key import Key
from gateway.core.limits import Ask
from gateway.core.limits.events import Event
from gateway.settings import Settings
from gateway.settings.limits import Budget, Shared
from pricing import Catalog
from tests import needs

needs.program("redis-server")

PROCESSES = 4


class Redis:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self.process = subprocess.Popen([*command, str(self.folder)], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                continue
            return
        raise AssertionError("redis-server does not listen")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


def now_us() -> int:
    return time.time_ns() // 1000


def take(across: Across, name: str, limit: int, amount: int, *, lasting: bool) -> bool:
    return across.take(across.allotment(name, limit, lasting=lasting), amount, now_us())


async def exhaust(processes: list[Across], name: str, limit: int, amount: int, *, lasting: bool) -> int:
    """How much all take together, in turns, until none of them gets anything any more."""
    taken, quiet = 0, 0
    while quiet < 3:
        got = 0
        for across in processes:
            while take(across, name, limit, amount, lasting=lasting):
                got += amount
        for across in processes:
            await across.sync()
        taken += got
        quiet = 0 if got else quiet + 1
    return taken


@pytest.mark.parametrize(("limit", "amount"), [(600, 1), (600, 7), (10, 1), (1_000_000, 4_321)])
@pytest.mark.parametrize("lasting", [True, False], ids=["lasting", "rate"])
def test_together_they_take_the_limit_and_no_more_than_the_credits_beyond(redis, limit, amount, lasting):
    async def run() -> int:
        processes = [Across(Shared(url=redis.url), "m") for _ in range(PROCESSES)]
        try:
            return await exhaust(processes, "counter", limit, amount, lasting=lasting)
        finally:
            for across in processes:
                await across.close()

    taken = asyncio.run(run())
    each = max(limit * 2 // 100, 1, amount)
    assert limit - PROCESSES * amount < taken <= limit + PROCESSES * each


def test_money_that_was_reserved_and_not_spent_is_there_for_others(redis):
    async def run() -> tuple[int, int]:
        one, other = Across(Shared(url=redis.url), "m"), Across(Shared(url=redis.url), "m")
        first = await exhaust([one], "budget", 1000, 10, lasting=True)
        mine = one.allotment("budget", 1000, lasting=True)
        for _ in range(first // 10):
            mine.end(10, 4)
        mine.touched_us = 0  # idle
        await one.sync()
        second = await exhaust([other], "budget", 1000, 10, lasting=True)
        await one.close()
        await other.close()
        return first, second

    first, second = asyncio.run(run())
    assert 990 <= first <= 1020
    assert 990 <= first * 4 // 10 + second <= 1020


def test_a_call_that_finds_too_little_waits_for_what_another_process_has_unused(redis):
    """One has all there is and uses none of it; the other is told no only when there is nothing anywhere."""

    async def run() -> int:
        one, other = Across(Shared(url=redis.url), "m"), Across(Shared(url=redis.url), "m")
        hoard = one.allotment("budget", 1000, lasting=True)
        hoard.press(900)
        hoard.touched_us = now_us()
        for _ in range(2):
            await one.sync()
        assert hoard.held == 900
        following = [asyncio.create_task(each.run()) for each in (one, other)]
        mine, taken = other.allotment("budget", 1000, lasting=True), 0
        while True:
            if not mine.covers(50):
                turn = asyncio.Event()
                other.enter([(mine, 50)], turn.set)
                await turn.wait()
            if not other.take(mine, 50, now_us()):
                break
            taken += 50
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        await one.close()
        await other.close()
        return taken

    assert 990 <= asyncio.run(run()) <= 1050


def test_a_level_is_told_by_one_machine_by_what_all_have_spent(redis):
    """Four processes of two machines, each of which spends a quarter: none reaches a level alone."""

    async def run() -> tuple[list[tuple[str, str]], dict[str, set[str]]]:
        told: list[tuple[str, str]] = []
        processes = [Across(Shared(url=redis.url), machine) for machine in ("one", "one", "other", "other")]
        shares = [across.allotment("budget", 1000, lasting=True, bounded=False) for across in processes]
        for across, share in zip(processes, shares, strict=True):
            tell = functools.partial(lambda machine, level, _: told.append((machine, level)), across.machine)
            share.levels = Levels({"50": 500, "80": 800, "100": 1000}, lambda: 0, tell)
        for _ in range(26):
            for across, share in zip(processes, shares, strict=True):
                assert across.take(share, 10, now_us())
                share.end(10, 10)
            await asyncio.gather(*(across.sync() for across in processes))
        for across in processes:
            await across.sync()
        ours: dict[str, set[str]] = {"one": set(), "other": set()}
        for across, share in zip(processes, shares, strict=True):
            ours[across.machine] |= set(share.levels.ours)
            assert share.levels.ahead == {}
            await across.close()
        return told, ours

    told, ours = asyncio.run(run())
    assert sorted(level for _, level in told) == ["100", "50", "80"]
    assert {(machine, level) for machine, levels in ours.items() for level in levels} == set(told)


@pytest.mark.parametrize("hard", [True, False], ids=["hard", "soft"])
def test_admission_of_two_machines_tells_of_a_budget_by_what_both_have_spent(redis, hard):
    settings = Settings(budgets=[Budget(name="dollar", scope="tenant", match="acme", usd=1, hard=hard)])
    ask = Ask(Key(key_id="k", name="k"), "acme", None, "m", "m", {}, 10, 10, None)

    async def run() -> list[Event]:
        told: list[Event] = []
        machines = []
        for name in ("one", "other"):
            across = Across(Shared(url=redis.url), name)
            machines.append(
                (Limits(settings, Catalog.load(), Board(None, 1, 0, now_us()), told.append, across), across)
            )
        for _ in range(6):
            for limits, across in machines:
                lease = limits.admit(ask, now_us())
                lease.settle(20, 90_000_000, now_us())
                await across.sync()
        for limits, across in machines:
            await across.sync()
            (account,) = limits.accounts.values()
            assert account.purse.spent(account.begin) == 540_000_000
            assert set(limits.reached(account, 540_000_000)) <= {50, 80, 100}
            await across.close()
        return told

    told = asyncio.run(run())
    assert [(event.level_percent, event.spent_nanousd) for event in told] == [
        (50, 540_000_000),
        (80, 810_000_000),
        (100, 1_080_000_000),
    ]


def test_a_level_that_a_machine_reached_by_what_its_log_had_before_is_told_too(redis):
    async def run() -> list[tuple[str, int]]:
        across, told = Across(Shared(url=redis.url), "m"), []
        share = across.allotment("budget", 1000, lasting=True)
        share.levels = Levels({"50": 500}, lambda: 700, lambda level, spent: told.append((level, spent)))
        await across.sync()
        await across.close()
        return told

    assert asyncio.run(run()) == [("50", 700)]


def test_without_redis_a_machine_counts_alone_and_tells_it_later(redis):
    async def run() -> tuple[bool, bool, int]:
        across = Across(Shared(url=redis.url), "m")
        other = Across(Shared(url=redis.url), "m")
        await across.sync()
        redis.stop()
        take(across, "rate", 100, 1, lasting=False)
        await across.sync()
        was_alone = across.alone and not across.refuses
        for _ in range(59):
            assert take(across, "rate", 100, 1, lasting=False)
        redis.start()
        await across.sync()
        rest = await exhaust([other], "rate", 100, 1, lasting=False)
        back = not across.alone
        await across.close()
        await other.close()
        return was_alone, back, rest

    was_alone, back, rest = asyncio.run(run())
    assert (was_alone, back) == (True, True)
    assert 36 <= rest <= 42  # what the first one had asked for beyond its sixty is not there for the other


def test_without_redis_calls_are_refused_where_that_is_the_policy():
    async def run() -> bool:
        across = Across(Shared(url="redis://127.0.0.1:1/0", on_failure="refuse"), "m")
        await across.sync()
        await across.close()
        return across.refuses

    assert asyncio.run(run())


def test_an_allotment_that_was_denied_goes_no_further():
    allotment = Allotment("a", 100, 2, lasting=True)
    allotment.denied = True
    assert not allotment.take(1, 0, alone=False)
    assert allotment.take(1, 0, alone=True)
    allotment.end(1, 1)
    assert (allotment.in_use, allotment.spent) == (0, 1)
