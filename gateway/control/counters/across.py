"""Counters across machines, through Redis: each process syncs its allotments every few milliseconds, beside the calls.

One script, run by Redis as one step, books what was used since the last time and grants what there still is. Times are
Redis's own, so the machines' clocks need not agree. A process that is not heard of for DEAD_S is taken for dead, and
what it held is free again: what its last calls cost since its last sync is the price of that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from gateway.control.counters.allotment import Allotment, Levels
from gateway.core.ids import uuid7
from gateway.settings.limits import Shared

log = logging.getLogger("callgate.limits")

SYNC_S = 0.01
QUIET_S = 0.5
"""Between syncs while nothing is wanted."""
TIMEOUT_S = 1.0
WAIT_S = 2.0
"""A call waits at most so long for Redis's word."""
DEAD_S = 30
FORGET_S = 400
"""Allotments of a counter that nobody used for so long are dropped."""

Need = tuple[Allotment, int]
"""An allotment, and how much of it a call takes."""

_BEGIN = """
-- KEYS[1] is a hash. What processes hold of it unused (spare:P), when they were heard of (heard:P, s), and when one of
-- them had too little (short, s), beside what the counter itself keeps.
-- ARGV: process, limit, what is wanted, the least that is of use (0: any), from how much left on that least is
-- granted although it goes over, what the process has unused and keeps, what of all that calls wait for.
local now = tonumber(redis.call('TIME')[1])
local me, limit, wanted, least = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local enough, kept, awaited = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local fields, all = {}, redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do fields[all[at]] = all[at + 1] end

local function heard(process) return tonumber(fields['heard:' .. process] or '0') end

local function grant(left)
  local granted = math.max(0, math.min(wanted, left))
  if granted >= least then return granted end
  return left >= enough and least or 0
end

local function answer(granted)
  local lacks, elsewhere = granted < least, 0
  for field, amount in pairs(fields) do
    local process = string.match(field, '^spare:(.+)$')
    if process and process ~= me and heard(process) >= now - 2 then elsewhere = elsewhere + tonumber(amount) end
  end
  if lacks then redis.call('HSET', KEYS[1], 'short', now) end
  local spare = string.format('%.0f', math.max(0, kept + granted - awaited))
  redis.call('HSET', KEYS[1], 'spare:' .. me, spare, 'heard:' .. me, now)
  local short = lacks or tonumber(fields['short'] or '0') >= now - 1
  return {string.format('%.0f', granted), string.format('%.0f', elsewhere), short and 1 or 0}
end
"""

RATE = f"""{_BEGIN}
-- And the counts by second. ARGV[8]: what was used without being granted, less what is given back.
local sum = tonumber(ARGV[8])
for field, count in pairs(fields) do
  local second, process = tonumber(field), string.match(field, '^heard:(.+)$')
  if second and second < now - 60 then redis.call('HDEL', KEYS[1], field)
  elseif second then sum = sum + tonumber(count)
  elseif process and heard(process) < now - 60 then redis.call('HDEL', KEYS[1], field, 'spare:' .. process) end
end
local granted = grant(limit - sum)
local more = tonumber(ARGV[8]) + granted
if more ~= 0 then redis.call('HINCRBY', KEYS[1], now, string.format('%.0f', more)) end
redis.call('EXPIRE', KEYS[1], 130)
return answer(granted)
"""

LASTING = f"""{_BEGIN}
-- And what is spent, and what each process holds (holds:P), unused or in use by its calls.
-- ARGV[8]: spent since the last time. ARGV[9]: what it holds. ARGV[10]: seconds until a process is dead. Then the
-- levels that are told once (told:L, by which machine): the machine, what that has spent by its own count, and for each
-- level its name and amount. Beside the answer come what is spent, and for each level reached its name, whose it is to
-- tell, and whether that was decided now.
local held = tonumber(ARGV[9])
local spent = tonumber(redis.call('HINCRBY', KEYS[1], 'spent', ARGV[8]))
local sum = spent + held
for field, amount in pairs(fields) do
  local process = string.match(field, '^holds:(.+)$')
  if process and process ~= me then
    if heard(process) < now - tonumber(ARGV[10]) then
      redis.call('HDEL', KEYS[1], field, 'heard:' .. process, 'spare:' .. process)
    else sum = sum + tonumber(amount) end
  end
end
local granted = grant(limit - sum)
redis.call('HSET', KEYS[1], 'holds:' .. me, string.format('%.0f', held + granted))
redis.call('EXPIRE', KEYS[1], 35 * 86400)
local said = answer(granted)
local most = math.max(spent, tonumber(ARGV[12] or '0'))
said[#said + 1] = string.format('%.0f', most)
for at = 13, #ARGV, 2 do
  if most >= tonumber(ARGV[at + 1]) then
    local first = redis.call('HSETNX', KEYS[1], 'told:' .. ARGV[at], ARGV[11])
    said[#said + 1] = ARGV[at]
    said[#said + 1] = redis.call('HGET', KEYS[1], 'told:' .. ARGV[at])
    said[#said + 1] = first
  end
end
return said
"""


class _Waiting:
    """A call that waits until Redis has answered for everything it needs."""

    __slots__ = ("again", "needs", "until")

    def __init__(self, again: Callable[[], None], needs: Sequence[Need], until: float) -> None:
        self.again: Callable[[], None] | None = again
        """None once it was called, or has left."""
        self.needs = needs
        self.until = until


class Across:
    """Of one process. `alone` while Redis cannot be reached."""

    def __init__(self, settings: Shared, machine: str) -> None:
        """`machine` is the same for the workers of one, and no other's."""
        assert settings.url is not None
        self.settings = settings
        self.machine = machine
        self.alone = False
        self.why = ""
        """What was wrong when Redis was last tried."""
        self._allotments: dict[str, Allotment] = {}
        self._process = uuid7()
        self._wake = asyncio.Event()
        self._client: Any = None
        self._scripts: tuple[Any, Any] | None = None
        self._line: list[_Waiting] = []

    @property
    def refuses(self) -> bool:
        return self.alone and self.settings.on_failure == "refuse"

    def allotment(self, name: str, limit: int, *, lasting: bool, bounded: bool = True) -> Allotment:
        """The one of that name; a limit that was changed is taken over."""
        found = self._allotments.get(name)
        if found is None or (found.lasting, found.bounded) != (lasting, bounded):
            percent = self.settings.allotment_percent
            found = self._allotments[name] = Allotment(name, limit, percent, lasting=lasting, bounded=bounded)
            self._wake.set()
        if found.limit != limit:
            found.limit = limit
            found.credit = max(1, int(limit * self.settings.allotment_percent / 100))
        return found

    def known(self, name: str) -> Allotment | None:
        """The one of that name, where there is one."""
        return self._allotments.get(name)

    def take(self, allotment: Allotment, amount: int, now_us: int) -> bool:
        taken = allotment.take(amount, now_us, alone=self.alone)
        if allotment.pressed or allotment.held < allotment.credit:
            self._wake.set()
        return taken

    def must_ask(self, needs: Sequence[Need], now_us: int) -> bool:
        """Whether something is lacking of these, or others wait for it, and nobody has said that there is none."""
        if self.alone:
            return False
        lacking = [need for need in needs if need[0].demand or not need[0].covers(need[1])]
        return bool(lacking) and self._may_come(lacking, now_us)

    def _may_come(self, needs: Sequence[Need], now_us: int) -> bool:
        return not self.alone and not any(
            allotment.is_used_up(amount, now_us) and not allotment.covers(amount) for allotment, amount in needs
        )

    def enter(self, needs: Sequence[Need], again: Callable[[], None]) -> Callable[[], None]:
        """Calls `again` once, when all of them are there or one of them is known not to be. What it gives back takes
        the call out of the line."""
        waiting = _Waiting(again, needs, time.monotonic() + WAIT_S)
        self._line.append(waiting)
        for allotment, amount in needs:
            if not allotment.covers(amount):
                allotment.press(amount)
        self._wake.set()

        def leave() -> None:
            waiting.again = None

        return leave

    async def run(self) -> None:
        """Syncs until it is cancelled."""
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self.sync()
            self._move()
            await asyncio.sleep(SYNC_S)

    async def sync(self) -> None:
        """Once, for all that need it. A Redis that cannot be reached is noticed and tried again the next time."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._sync(time.time_ns() // 1000)
        except Exception as exc:  # of the client's many kinds, and the operating system's
            if not self.alone:
                action = "calls are refused" if self.settings.on_failure == "refuse" else "this machine counts alone"
                log.error("limits: Redis cannot be reached, %s: %s", action, exc or type(exc).__name__)
            self.alone, self.why = True, f"Redis cannot be reached ({type(exc).__name__})"
        else:
            if self.alone:
                log.warning("limits: Redis is back, and was told what was used meanwhile")
            self.alone = False

    def _move(self) -> None:
        """Lets those go whose question is answered, in the order they came, and asks on for the others."""
        now, now_us = time.monotonic(), time.time_ns() // 1000
        line, self._line = self._line, []
        behind: set[str] = set()
        for waiting in line:
            if (again := waiting.again) is None:
                continue
            names = {allotment.name for allotment, _ in waiting.needs}
            there = all(allotment.covers(amount) for allotment, amount in waiting.needs)
            if (
                (there and behind.isdisjoint(names))
                or waiting.until <= now
                or not self._may_come(waiting.needs, now_us)
            ):
                waiting.again = None
                again()
                continue
            behind |= names
            self._line.append(waiting)
            for allotment, amount in waiting.needs:
                if not allotment.covers(amount):
                    allotment.press(amount)
        if self._line:
            self._wake.set()

    async def close(self) -> None:
        """Gives back what is held."""
        for allotment in self._allotments.values():
            allotment.touched_us = 0
        await self.sync()
        if self._client is not None:
            await self._client.aclose()

    async def _sync(self, now_us: int) -> None:
        rate, lasting = self._connected()
        if not self._allotments:
            await self._client.ping()
        for name, allotment in list(self._allotments.items()):
            if allotment.lasting:
                await self._ask(lasting, "held", allotment, now_us)
            elif allotment.held or allotment.pressed or allotment.wanted(now_us):
                await self._ask(rate, "rate", allotment, now_us)
            if now_us - allotment.touched_us > FORGET_S * 1_000_000 and not allotment.in_use:
                del self._allotments[name]

    async def _ask(self, script: Any, kind: str, allotment: Allotment, now_us: int) -> None:
        """What is owed counts, or is in use and reported as such; what is given back is free. Debts are paid when Redis
        has answered, not before, or they could be made a second time meanwhile. Where a call found too little, what
        there is goes back as well, so that nothing is left in parts too small for any."""
        least, awaited, wanted = allotment.pressed, allotment.demand, allotment.wanted(now_us)
        allotment.pressed = allotment.demand = 0
        owed, held = max(0, -allotment.held), max(0, allotment.held)
        given_back = held if least else max(0, -wanted)
        more = max(least, wanted - owed + held) if least else max(0, wanted - owed)
        spent, allotment.spent = allotment.spent, 0
        allotment.held -= given_back
        kept = held - given_back
        # The last call may go over the edge where a hundredth of it still fits, as on one machine; not over a rate.
        enough = min(least, allotment.limit // 100) if allotment.lasting and allotment.limit >= 100 else least
        args: list[str | int] = [self._process, allotment.limit, more, least, max(1, enough), kept, awaited]
        args += [spent, allotment.in_use + kept, DEAD_S] if allotment.lasting else [owed - given_back]
        if (levels := allotment.levels) is not None and levels.ahead:
            args += [self.machine, levels.spent(), *(word for level in levels.ahead.items() for word in level)]
        try:
            key = f"{self.settings.prefix}:{kind}:{allotment.name}"
            said = await script(keys=[key], args=args)
        except BaseException:
            allotment.spent += spent
            allotment.held += given_back
            raise
        granted, elsewhere, short = [int(each) for each in said[:3]]
        allotment.held += owed + granted
        allotment.denied = granted < more
        allotment.elsewhere, allotment.short = elsewhere, bool(short)
        allotment.nothing_for = least if granted < least else None
        allotment.answered_us = time.time_ns() // 1000
        if least or (short and kept + granted):
            self._wake.set()  # others may lack what lies here, or what is not taken after all
        if levels is not None and len(said) > 4:
            self._reached(levels, int(said[3]), said[4:])

    def _reached(self, levels: Levels, spent: int, said: list[Any]) -> None:
        """`said` has three words for each level: its name, whose it is to tell, and whether that is so since now."""
        for name, machine, is_new in zip(said[::3], said[1::3], said[2::3], strict=True):
            level = name.decode()
            levels.ahead.pop(level, None)
            if machine.decode() == self.machine:
                levels.ours.append(level)
                if is_new:
                    levels.tell(level, spent)

    def _connected(self) -> tuple[Any, Any]:
        """The scripts. The client is loaded here, by who has it configured, and nowhere else."""
        if self._scripts is None:
            redis = import_module("redis.asyncio")
            self._client = redis.Redis.from_url(
                self.settings.url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
            )
            self._scripts = self._client.register_script(RATE), self._client.register_script(LASTING)
        return self._scripts
