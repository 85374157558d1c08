"""The SQLite store: one file, WAL, one writer and a few readers, each a thread of aiosqlite.

connection   opening, transactions, errors in words, a file that vanished
schema       a fresh database from schema.sql; an old one through alembic in a process of its own
rows         Span and Payload ↔ rows
series       which sets of calls a span counts in, and what it adds to them
write        the batch transaction          expire, reprice, keys   the other writes
where        a SpanFilter as SQL            lists    pages, one span, counts, export
tally        counters and histograms, merged     totals   stats, buckets, groups, failures     menus
"""

from __future__ import annotations

from pathlib import Path

from gateway.core.sealing import Sealer
from gateway.errors import StoreError
from gateway.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "open_url"]


def open_url(url: str, data: Path, sealer: Sealer | None = None) -> SqliteStore:
    """`sqlite:///name` relative to `data`; `sqlite:////path` is absolute."""
    name = url.removeprefix("sqlite:///")
    if name == url or not name or name == ":memory:":
        raise StoreError(f"store.url {url!r} names no file: write sqlite:///callgate.db (the recorder must see it too)")
    return SqliteStore(data / name, sealer)
