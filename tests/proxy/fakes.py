"""What the data plane's tests put in the place of sockets, journals and clients."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec

from gateway.core.key import Key
from gateway.core.proxies import Proxies
from gateway.core.span import CallClosed, CallOpened
from gateway.proxy.connect import Connector
from gateway.proxy.headers import Headers
from gateway.proxy.pools import Pools
from gateway.proxy.table import Table
from gateway.proxy.upstream import UpstreamConnection
from gateway.settings import Settings
from pricing import Catalog
from pricing.edition import Edition, parse
from pricing.history import History
from pricing.override import read_overrides

APP_TOKEN = b"cg-test-app-0123456789"
MANY = SimpleNamespace(in_flight=1000)
"""Calls in flight, by the word of an outbox: enough for it to wait for the end of a turn."""

APP = Key(key_id="key-1", name="app", tenant="acme")


class Transport(asyncio.Transport):
    """Keeps what is written. `lost` is what the loop would do some time after a close or an abort."""

    def __init__(self, protocol: asyncio.Protocol | None = None) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = b""
        self.aborted = False
        self.reading = True
        self.ended = False
        self._closing = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert not self.ended, "written after the end"
        if not self._closing:
            self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = self.aborted = True

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Caller:
    """Writes down what it is told, as (what, …) in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.connection: UpstreamConnection | None = None
        self.changed = asyncio.Event()

    def _tell(self, *what: Any) -> None:
        self.told.append(what)
        self.changed.set()

    def connected(self, connection: UpstreamConnection) -> None:
        self.connection = connection
        self._tell("connected")

    def connect_failed(self, error: Exception) -> None:
        self._tell("failed", error)

    def answer_started(self, status: int, headers: Headers, complete: bool) -> None:
        self._tell("started", status, list(headers), complete)

    def answer_data(self, data: bytes, complete: bool) -> None:
        self._tell("data", data, complete)

    def answer_lost(self, reason: str, malformed: bool) -> None:
        self._tell("lost", reason, malformed)

    def pause_sending(self) -> None:
        self._tell("pause")

    def resume_sending(self) -> None:
        self._tell("resume")

    @property
    def body(self) -> bytes:
        return b"".join(event[1] for event in self.told if event[0] == "data")

    @property
    def ended(self) -> bool:
        return bool(self.told) and (self.told[-1][0] == "lost" or self.told[-1][-1] is True)


class Journal:
    """A journal in memory."""

    def __init__(self) -> None:
        self.opened: list[CallOpened] = []
        self.closed: list[CallClosed] = []

    def look_after(self) -> None: ...

    def open(self, call: CallOpened) -> None:
        self.opened.append(call)

    def close(self, call: CallClosed, request: Any, response: Any) -> None:
        self.closed.append(call)

    def opened_and_closed(self, opened: CallOpened, closed: CallClosed, request: Any, response: Any) -> None:
        self.opened.append(opened)
        self.closed.append(closed)


class Keys:
    """One key that may do what an app may."""

    suspended: frozenset[str] = frozenset()

    def authenticate(self, token: bytes) -> Key | None:
        return APP if token == APP_TOKEN else None

    def lookup(self, token: bytes) -> Key | None:
        return self.authenticate(token)


def catalog(**overrides: object) -> Catalog:
    """Prices of one's own and no others, by `provider__model`."""
    own = {name.replace("__", "/"): terms for name, terms in overrides.items()}
    return Catalog(Edition(parse(b"{}"), History(), "2026-11-01", "none"), read_overrides(own))  # type: ignore[arg-type]


def table(priced: Catalog | None = None, proxies: Proxies | None = None, /, **sections: object) -> Table:
    settings = msgspec.convert(sections, Settings)

    def no_demo() -> Any:
        raise AssertionError("no test here calls the demo")

    return Table(settings, proxies or Proxies(), catalog() if priced is None else priced, Pools(Connector(), no_demo))
