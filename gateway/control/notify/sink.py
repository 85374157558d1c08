"""What every receiver of notices is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from gateway.core.alerts.notice import Notice


class Sink(Protocol):
    async def send(self, notice: Notice, link: str) -> None:
        """Once, within the time its settings give. `link`: the page of alerts, empty where nobody said where that is.
        Sent again, a notice says by its id that it is the same. Raises Undelivered."""
        ...


class Undelivered(Exception):  # noqa: N818 - what happened, in words for people
    """`str()` names what went wrong and holds no secret."""

    def __init__(self, message: str, *, is_final: bool = False, retry_after_s: float | None = None) -> None:
        """`is_final`: trying again will not help until somebody changes something."""
        super().__init__(message)
        self.is_final = is_final
        self.retry_after_s = retry_after_s


def iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def one_line(text: str, most: int) -> str:
    """Names of tenants and tags come from strangers: no line breaks, no control characters, not too long."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
