"""Counters across machines, through Redis: each process syncs its allotments every few milliseconds, beside the calls.

One script, run by Redis as one step, books what was used since the last time and grants what there still is. Times are
Redis's own, so the machines' clocks need not agree. A process that is not heard of for DEAD_S is taken for dead, and
what it held is free again: what its last calls cost since its last sync is the price of that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from importlib import import_module
from typing import Any

from gateway.control.counters.allotment import Allotment
from gateway.core.ids import uuid7
from gateway.settings.limits import Shared

log = logging.getLogger("callgate.limits")

SYNC_S = 0.01
QUIET_S = 0.5
"""Between syncs while nothing is wanted."""
TIMEOUT_S = 1.0
DEAD_S = 30
FORGET_S = 400
"""Allotments of a counter that nobody used for so long are dropped."""

RATE = """
-- KEYS[1]: counts by second. ARGV: what was used without being granted, what is wanted, the limit.
local now = tonumber(redis.call('TIME')[1])
local sum = 0
local counts = redis.call('HGETALL', KEYS[1])
for at = 1, #counts, 2 do
  if tonumber(counts[at]) < now - 60 then redis.call('HDEL', KEYS[1], counts[at])
  else sum = sum + tonumber(counts[at + 1]) end
end
local used, wanted, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local granted = math.max(0, math.min(wanted, limit - sum - used))
if used + granted ~= 0 then redis.call('HINCRBY', KEYS[1], now, string.format('%.0f', used + granted)) end
redis.call('EXPIRE', KEYS[1], 130)
return string.format('%.0f', granted)
"""

LASTING = """
-- KEYS[1]: what is spent, and what each process holds and when it was last heard of.
-- ARGV: process, spent since the last time, what it holds, what it wants, the limit, seconds until a process is dead.
local now = tonumber(redis.call('TIME')[1])
local spent = tonumber(redis.call('HINCRBY', KEYS[1], 'spent', ARGV[2]))
local held, limit = tonumber(ARGV[3]), tonumber(ARGV[5])
local sum = spent + held
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local process = string.match(all[at], '^holds:(.+)$')
  if process and process ~= ARGV[1] then
    local heard = tonumber(redis.call('HGET', KEYS[1], 'heard:' .. process) or '0')
    if heard < now - tonumber(ARGV[6]) then redis.call('HDEL', KEYS[1], all[at], 'heard:' .. process)
    else sum = sum + tonumber(all[at + 1]) end
  end
end
local granted = math.max(0, math.min(tonumber(ARGV[4]), limit - sum))
redis.call('HSET', KEYS[1], 'holds:' .. ARGV[1], string.format('%.0f', held + granted), 'heard:' .. ARGV[1], now)
redis.call('EXPIRE', KEYS[1], 35 * 86400)
return string.format('%.0f', granted)
"""


class Across:
    """Of one process. `alone` while Redis cannot be reached."""

    def __init__(self, settings: Shared) -> None:
        assert settings.url is not None
        self.settings = settings
        self.alone = False
        self.why = ""
        """What was wrong when Redis was last tried."""
        self._allotments: dict[str, Allotment] = {}
        self._process = uuid7()
        self._wake = asyncio.Event()
        self._client: Any = None
        self._scripts: tuple[Any, Any] | None = None

    @property
    def refuses(self) -> bool:
        return self.alone and self.settings.on_failure == "refuse"

    def allotment(self, name: str, limit: int, *, lasting: bool) -> Allotment:
        """The one of that name; a limit that was changed is taken over."""
        found = self._allotments.get(name)
        if found is None or found.lasting != lasting:
            percent = self.settings.allotment_percent
            found = self._allotments[name] = Allotment(name, limit, percent, lasting=lasting)
            self._wake.set()
        if found.limit != limit:
            found.limit = limit
            found.credit = max(1, int(limit * self.settings.allotment_percent / 100))
        return found

    def take(self, allotment: Allotment, amount: int, now_us: int) -> bool:
        taken = allotment.take(amount, now_us, alone=self.alone)
        if allotment.pressed or allotment.held < allotment.credit:
            self._wake.set()
        return taken

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
            wanted = allotment.wanted(now_us)
            if allotment.lasting:
                await self._sync_lasting(lasting, allotment, wanted)
            elif wanted or allotment.held < 0:
                await self._sync_rate(rate, allotment, wanted)
            if now_us - allotment.touched_us > FORGET_S * 1_000_000 and not allotment.in_use:
                del self._allotments[name]

    async def _sync_rate(self, script: Any, allotment: Allotment, wanted: int) -> None:
        """What is owed counts, what is given back is free; debts are paid when Redis has answered, not before, or
        they could be made a second time meanwhile."""
        owed, given_back = max(0, -allotment.held), max(0, -wanted)
        more = max(0, wanted - owed)
        allotment.held -= given_back
        try:
            args = [owed - given_back, more, allotment.limit]
            granted = int(await script(keys=[self._key("rate", allotment)], args=args))
        except BaseException:
            allotment.held += given_back
            raise
        _granted(allotment, owed, granted, more)

    async def _sync_lasting(self, script: Any, allotment: Allotment, wanted: int) -> None:
        """What is owed is in use, and reported as such."""
        owed, given_back = max(0, -allotment.held), max(0, -wanted)
        more = max(0, wanted - owed)
        spent, allotment.spent = allotment.spent, 0
        allotment.held -= given_back
        try:
            holds = allotment.in_use + max(0, allotment.held)
            args = [self._process, spent, holds, more, allotment.limit, DEAD_S]
            granted = int(await script(keys=[self._key("held", allotment)], args=args))
        except BaseException:
            allotment.spent += spent
            allotment.held += given_back
            raise
        _granted(allotment, owed, granted, more)

    def _key(self, kind: str, allotment: Allotment) -> str:
        return f"{self.settings.prefix}:{kind}:{allotment.name}"

    def _connected(self) -> tuple[Any, Any]:
        """The scripts. The client is loaded here, by who has it configured, and nowhere else."""
        if self._scripts is None:
            redis = import_module("redis.asyncio")
            self._client = redis.Redis.from_url(
                self.settings.url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
            )
            self._scripts = self._client.register_script(RATE), self._client.register_script(LASTING)
        return self._scripts


def _granted(allotment: Allotment, owed: int, granted: int, wanted: int) -> None:
    allotment.held += owed + granted
    allotment.denied = granted < wanted
    allotment.pressed = False
