"""How long a page waits for what stands around its subject.

Of some filters rollups know nothing, and millions of rows would be read to count and add up what they find. The page
comes without such a figure, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

PATIENCE_S = 0.15

Known = TypeVar("Known")


async def in_time(answer: Awaitable[Known]) -> Known | None:
    """None where it takes longer than a page waits; the question to the store then ends."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await answer
    except TimeoutError:
        return None
