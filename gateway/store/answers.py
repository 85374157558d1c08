"""Answers that the response cache keeps in the store, for all workers and across restarts. They may be lost at any
time: whoever asks is answered all the same, by the provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class KeptAnswer(msgspec.Struct, frozen=True):
    key: bytes
    """Says nothing of the request: a hash."""
    body: bytes
    until_us: int
    """From when on it is not to be found."""


class Answers(Protocol):
    async def answer(self, key: bytes, now_us: int) -> KeptAnswer | None: ...

    async def put_answers(self, answers: Sequence[KeptAnswer], *, max_bytes: int, now_us: int) -> None:
        """Writes them over what was there. Those whose time is over go, and as many of the oldest as are too many for
        `max_bytes`."""
        ...

    async def clear_answers(self) -> int:
        """All of them; how many there were."""
        ...
