"""Keeping what is in memory as the store has it: one loop for keys, people, policies and whatever else is polled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.errors import StoreError

INTERVAL_S = 1.0
"""A change by any process is in force in every worker after this time at most."""


async def follow(
    refresh: Callable[[], Awaitable[object]], what: str, log: logging.Logger, interval_s: float = INTERVAL_S
) -> None:
    """Until cancelled. A store that is down leaves what is known, and is complained of once (`what` in the plural)."""
    failing = False
    while True:
        await asyncio.sleep(interval_s)
        try:
            await refresh()
        except StoreError as exc:
            if not failing:
                log.warning("%s cannot be read from the store, the known ones stay: %s", what, exc)
            failing = True
        else:
            failing = False
