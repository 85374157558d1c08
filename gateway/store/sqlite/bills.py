"""A bill that several calls report is booked with the first of them that is stored, in the batch's own transaction."""

from __future__ import annotations

from collections.abc import Iterable

import aiosqlite
import msgspec

from gateway.store.base import SpanWrite

KNOWN_BILLS = "SELECT bill_id FROM billed WHERE bill_id IN (SELECT value FROM json_each(?))"
ADD_BILL = "INSERT OR IGNORE INTO billed (bill_id, request_id, billed_at) VALUES (?, ?, ?)"
DELETE_OLD_BILLS = """
DELETE FROM billed WHERE bill_id IN (SELECT bill_id FROM billed WHERE billed_at < ? ORDER BY billed_at LIMIT ?)
"""


async def reported_before(db: aiosqlite.Connection, writes: Iterable[SpanWrite]) -> set[str]:
    """The request_ids of those whose bill is in the store, or comes before them among these; never of those that made
    their bill themselves."""
    bills = [write for write in writes if write.bill_id is not None]
    if all(write.bill_is_own for write in bills):
        return set()
    asked = msgspec.json.encode([write.bill_id for write in bills]).decode()
    seen = {bill_id for (bill_id,) in await db.execute_fetchall(KNOWN_BILLS, (asked,))}
    repeats = set()
    for write in bills:
        if write.bill_id in seen and not write.bill_is_own:
            repeats.add(write.span.request_id)
        seen.add(write.bill_id)
    return repeats


async def enter_bills(db: aiosqlite.Connection, writes: Iterable[SpanWrite]) -> None:
    rows = [
        (write.bill_id, write.span.request_id, write.span.started_at) for write in writes if write.bill_id is not None
    ]
    if rows:
        await db.executemany(ADD_BILL, rows)
