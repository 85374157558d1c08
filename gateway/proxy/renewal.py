"""An access token that somebody has to be asked for, kept fresh: fetched in a thread, renewed before it expires.

A call waits only where there is none. A token that is not used is not renewed; the next call fetches another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from gateway.proxy.signing import CredentialsError, Waiting

RENEW_BEFORE_S = 300.0
"""How long before its end a token is replaced; sooner where it lives for less than twice as long."""
AGAIN_S = 15.0
"""How long after a renewal that failed the next one is tried, while the token still holds."""
SPARE_S = 10.0
"""A token that ends so soon may be refused when it arrives."""

log = logging.getLogger("callgate.proxy")


class Token(NamedTuple):
    value: str
    lives_s: float


class RenewedToken:
    """See `signing.Signer`. `fetch` runs in a thread and raises CredentialsError; `name` is for the log."""

    carries_on = True

    def __init__(self, name: str, fetch: Callable[[], Token]) -> None:
        self._name = name
        self._fetch = fetch
        self._line = b""
        self._ends_at = 0.0
        self._is_used = False
        """Since it was fetched."""
        self._waiting: list[Waiting] = []
        self._fetching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"RenewedToken({self._name})"

    @property
    def ready(self) -> bool:
        return bool(self._line) and time.monotonic() < self._ends_at - SPARE_S

    def __call__(self, method: bytes, target: bytes, body: bytes) -> bytes:
        self._is_used = True
        return self._line

    def wait(self, caller: Waiting) -> None:
        self._waiting.append(caller)
        self._renew()

    def forget(self, caller: object) -> None:
        self._waiting = [waiting for waiting in self._waiting if waiting is not caller]

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._fetching is not None:
            self._fetching.cancel()

    def _renew(self) -> None:
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetched())

    async def _fetched(self) -> None:
        try:
            token = await asyncio.to_thread(self._fetch)
        except CredentialsError as exc:
            self._fetching = None
            self._failed(exc)
            return
        self._fetching = None
        self._line = b"authorization: Bearer %b\r\n" % token.value.encode("ascii")
        self._ends_at = time.monotonic() + token.lives_s
        self._is_used = False
        self._renew_in(max(token.lives_s - RENEW_BEFORE_S, token.lives_s / 2))
        for caller in self._taken():
            caller.signed()

    def _failed(self, error: CredentialsError) -> None:
        log.warning("%s: %s", self._name, error)
        if self.ready:
            self._is_used = True
            self._renew_in(AGAIN_S)
        for caller in self._taken():
            caller.connect_failed(error)

    def _taken(self) -> list[Waiting]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _renew_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._is_used:
            self._renew()
