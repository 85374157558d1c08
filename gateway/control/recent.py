"""How far back questions may go that only rows can answer, so that a page is quick whatever its period holds.

Sums by tag or user of *some* calls (one tenant's, one environment's) are in no rollup. Then the newest calls of the
period are read, as many as is quick, and who asks says how far back they go.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.store.base import Bucket, SpanFilter, SpanReader

QUICKLY_READ = 12_000
"""Calls; about 100 ms with their tags."""


async def newest_part(
    store: SpanReader, which: SpanFilter, *, width_us: int, time_zone: str = "UTC", most: int = QUICKLY_READ
) -> SpanFilter:
    """`which`, which has both ends, from as late as it takes for about `most` calls; as it is where it has no more."""
    buckets = await store.buckets(which, width_us=width_us, time_zone=time_zone)
    from_us = start_of(buckets, which.to_us or 0, most)
    return which if from_us is None else msgspec.structs.replace(which, from_us=from_us)


def start_of(buckets: Sequence[Bucket], to_us: int, most: int) -> int | None:
    """Within the bucket that holds one call too many, calls are taken to be spread evenly. None: all fit."""
    end, left = to_us, most
    for bucket in reversed(buckets):
        calls = bucket.totals.requests
        if calls > left:
            return end - (end - bucket.from_us) * left // calls
        left -= calls
        end = bucket.from_us
    return None
