"""The time limits of a call. No timer each: the gateway's sweep compares."""

from __future__ import annotations

import time

from gateway.errors import CallError
from gateway.settings import Timeout


class Limits:
    """One limit runs at a time (`connect`, `first byte`, `idle`, or `body` for the client's), the total beside it."""

    __slots__ = ("_at", "_name", "_seconds", "_total_at", "_total_s")

    def __init__(self) -> None:
        self._name = ""
        self._seconds = 0.0
        self._at = self._total_at = float("inf")
        self._total_s = 0.0

    def begin(self, timeout: Timeout) -> None:
        """The call is dispatched: its total time runs from now, and so does the wait for a connection."""
        now = time.monotonic()
        self._total_s = timeout.total_s
        self._total_at = now + timeout.total_s
        self._name, self._seconds = "connect", timeout.connect_s
        self._at = now + timeout.connect_s

    def set(self, name: str, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def suspend(self) -> None:
        """Nobody is waited for but the client: only the total runs."""
        self._at = float("inf")

    def passed(self, now: float, provider: str | None) -> CallError | None:
        """The error of the limit that has passed, if one has."""
        if now < self._at and now < self._total_at:
            return None
        name, seconds = ("total", self._total_s) if now >= self._total_at else (self._name, self._seconds)
        if name == "body":
            return CallError(
                408,
                "request_timeout",
                f"The request body stopped coming: nothing for {seconds:g} s (server.body_timeout_s).",
                error_type="timeout",
            )
        return CallError(
            504,
            "upstream_timeout",
            f"{provider} did not answer in time: the {name} limit of {seconds:g} s has passed.",
            error_type="timeout",
        )
