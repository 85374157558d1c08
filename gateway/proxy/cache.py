"""The response cache: a call that was answered before gets the same answer again, and calls that are identical while
they are under way share one. What makes two calls the same is `core.cache_key`.

It is asked before limits and budgets are: what it answers uses nothing that they count. Where a store stands behind
it, the call waits for it by callback, and never longer than the store's side allows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from gateway.core.cache_key import (
    KINDS,
    Directives,
    cache_key,
    compact,
    directives,
    makes_something,
    normalised,
    significant,
)
from gateway.core.shelf import Shelf
from gateway.core.span import CallClosed
from gateway.errors import CallError
from gateway.proxy import failures
from gateway.proxy.flight import Flight
from gateway.proxy.listener import Listener
from gateway.proxy.plan import Plan
from gateway.proxy.recording import Recording, for_keeping
from gateway.proxy.withheld import capture_level
from gateway.settings import Settings
from gateway.settings.routes import ModelRoute
from pricing import Billed, Usage

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange
    from gateway.proxy.gateway import Counters

MICRO = 1_000_000

log = logging.getLogger("callgate.proxy")

SHAPE = repr([each.__struct_fields__ for each in (Recording, CallClosed, Usage, Billed)])
"""What is kept is read by position: another version of Callgate, with other fields, finds nothing of this one's."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Recording).decode


class Behind(Protocol):
    """Where answers are kept beyond a worker's memory. Neither call waits or raises."""

    def read(self, key: bytes, found: Callable[[bytes | None], None]) -> None:
        """`found` is called once, later, with what was written or None: also where reading takes too long, or fails."""
        ...

    def write(self, key: bytes, kept: bytes, until_us: int) -> None:
        """`until_us`: from when on it is not to be found."""
        ...


class Keep(NamedTuple):
    """How the answer of a call is kept."""

    for_us: int
    behind: Behind | None
    """None where it is kept in memory only."""


def consult(exchange: Exchange, plan: Plan) -> bool:
    """Whether the call is taken care of: answered from the cache, or waiting for an answer that is on its way. False:
    it goes on. CallError 504 where the client wants an answer from the cache or none, and there is none."""
    asked = directives(exchange.head.cache_control)
    cache = exchange.gateway.cache
    if (
        cache is not None
        and not asked.no_store
        and capture_level(exchange.gateway, exchange.head, exchange.key, plan.tags) in ("full", "preview")
        and (keep := cache.keeps(exchange, plan)) is not None
    ):
        return cache.takes(exchange, plan, asked, keep)
    if asked.only_if_cached:
        raise failures.not_in_cache()
    return False


class ResponseCache:
    """One worker's. `behind` is None where answers are kept in memory only."""

    def __init__(self, settings: Settings, counters: Counters, behind: Behind | None = None) -> None:
        self.counters = counters
        self._behind = behind
        self._shelf: Shelf[Recording] = Shelf(0)
        self._flights: dict[bytes, Flight] = {}
        self._settings = settings
        self.use(settings, behind)

    def use(self, settings: Settings, behind: Behind | None) -> None:
        """Takes new settings. Where providers or names have changed, what was kept may be another's answer by now."""
        if (settings.providers, settings.models) != (self._settings.providers, self._settings.models):
            self._shelf.clear()
        self._settings = settings
        self._behind = behind
        rules = settings.cache
        self.entry_bytes = rules.max_entry_kb * 1024
        self._shelf.resize(int(rules.max_mb * 1024 * 1024))
        self.counters.cache_bytes = self._shelf.size

    # ------------------------------------------------------------------ a call

    def keeps(self, exchange: Exchange, plan: Plan) -> Keep | None:
        """None where the call's answer is not kept, nor taken from here. What may not be kept in the log is not kept
        here either, and what is kept there in part only is never written down here."""
        head, rules, key = exchange.head, self._settings.cache, exchange.key
        dialect = head.dialect
        if not plan.held or head.method != b"POST" or not dialect.reads_body or dialect.kind not in KINDS:
            return None
        names = [name for name in (plan.model_requested, plan.target.name) if name is not None]
        if not any(fnmatchcase(name, pattern) for pattern in rules.models for name in names):
            return None
        route = self._settings.models.get(plan.model_requested or "")
        own_s = route.cache_ttl_s if isinstance(route, ModelRoute) else None
        for_us = int((rules.ttl_s if own_s is None else own_s) * MICRO)
        tags = plan.tags
        level = exchange.gateway.capture.level(
            tags.get("tenantSlug"), tags.get("environment"), key.name if key is not None else None
        )
        if level == "none" or not for_us:
            return None
        return Keep(for_us, self._behind if level == "full" else None)

    def takes(self, exchange: Exchange, plan: Plan, asked: Directives, keep: Keep) -> bool:
        """As `consult`, for a call that may be answered from here."""
        key = _key_of(exchange, plan)
        if key is None:
            if asked.only_if_cached:
                raise failures.not_in_cache()
            return False
        now = time.time_ns() // 1000
        kept = self._shelf.get(key, now)
        if kept is not None and _is_fresh(kept, asked, now):
            self.counters.cache_hits += 1
            exchange.plan = plan
            Listener(exchange, kept).play()
            return True
        if asked.only_if_cached:
            return self._only_if_cached(exchange, plan, key, asked, keep)
        exchange.plan = plan
        flight = self._flights.get(key)
        if flight is not None:
            self.counters.cache_hits += 1
            flight.join(exchange, self._settings.cache.wait_s)
            return True
        flight = self.lead(exchange, key, keep)
        if keep.behind is None or kept is not None:
            self.counters.cache_misses += 1
            return False
        keep.behind.read(key, lambda data: self._read(flight, asked, data))
        return True

    def lead(self, exchange: Exchange, key: bytes, keep: Keep, tried: int = 0) -> Flight:
        """The call goes upstream, for itself and for those that come after it."""
        flight = Flight(self, key, keep, exchange, tried)
        if self._settings.cache.single_flight:
            self._flights.setdefault(key, flight)
        return flight

    def landed(self, flight: Flight) -> None:
        """Nobody joins it any more."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def keep(self, key: bytes, recording: Recording, keep: Keep) -> None:
        """A good answer is there."""
        if recording.footprint > self.entry_bytes:
            return
        kept, until = for_keeping(recording), recording.ended_at + keep.for_us
        self._shelf.put(key, kept, kept.footprint, until)
        self.counters.cache_bytes = self._shelf.size
        if keep.behind is not None:
            keep.behind.write(key, _encode(kept), until)

    # ------------------------------------------------------------------ what is behind

    def _read(self, flight: Flight, asked: Directives, data: bytes | None) -> None:
        kept = self._decoded(flight.key, data, flight.keep)
        if kept is not None and _is_fresh(kept, asked, time.time_ns() // 1000):
            flight.found(kept)
        else:
            self.counters.cache_misses += 1
            flight.leader.go_on()

    def _only_if_cached(self, exchange: Exchange, plan: Plan, key: bytes, asked: Directives, keep: Keep) -> bool:
        if keep.behind is None:
            raise failures.not_in_cache()

        def read(data: bytes | None) -> None:
            kept = self._decoded(key, data, keep)
            if not exchange.is_waiting:
                return  # its client has gone
            if kept is not None and _is_fresh(kept, asked, time.time_ns() // 1000):
                self.counters.cache_hits += 1
                exchange.plan = plan
                Listener(exchange, kept).play()
            else:
                exchange.refuse(failures.not_in_cache())

        keep.behind.read(key, read)
        return True

    def _decoded(self, key: bytes, data: bytes | None, keep: Keep) -> Recording | None:
        """What was read, which from now on is in memory as well. What an older version has written may not be
        readable any more."""
        if data is None:
            return None
        try:
            kept = _decode(data)
        except (msgspec.MsgspecError, ValueError):
            return None
        self._shelf.put(key, kept, kept.footprint, kept.ended_at + keep.for_us)
        self.counters.cache_bytes = self._shelf.size
        return kept


def _is_fresh(kept: Recording, asked: Directives, now: int) -> bool:
    return asked.max_age_us is None or now - kept.ended_at <= asked.max_age_us


def _key_of(exchange: Exchange, plan: Plan) -> bytes | None:
    """None for a call that is more than a question, or whose body cannot be read: the provider's to answer."""
    head, journey = exchange.head, plan.journey
    in_path = head.dialect.model_in(head.path) is not None
    try:
        body = compact(exchange.raw)
    except CallError:
        return None
    if makes_something(body):
        return None
    targets = [plan.target.name] if journey is None else [target.name for target in journey.way.targets]
    return cache_key(
        normalised(body, named_in_body=not in_path),
        SHAPE,
        plan.tags.get("tenantSlug"),
        plan.tags.get("environment"),
        head.dialect.name,
        head.endpoint,
        head.query,
        targets,
        plan.stream,
        b"" if plan.stream else head.accept_encoding,
        significant(head.logged),
    )
