"""Connections to one SQLite file: a writer, a few readers, and what can go wrong with them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from gateway.errors import StoreError
from gateway.store.sqlite import schema
from gateway.store.sqlite.functions import Sqlite

BUSY_S = 5.0
"""How long to wait for another process's write before it is a StoreError."""
READ_S = 30.0
"""A query may take this long. Pages take milliseconds; this stops a free-text search over a year."""
READERS = 4
TICK_STEPS = 20_000
"""Of the database's own machine: from a third of a millisecond to three, by how many rows are looked up in them."""

type_of_row = tuple[Any, ...]

WRITER_PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -32768;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = ON;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
"""
# secure_delete: what retention or an erasure deletes is overwritten, not only unlinked.
# synchronous NORMAL in WAL: a power cut can take the last transactions, never the database. The journal still has
# them: the recorder's position is in the same transaction.
GIVE_WAY_STEPS = 2000
"""About 20 rows: the writer asks so often whether anybody else wants its processor. The recorder runs at the lowest
priority, but a kernel that preempts lazily leaves even that running for milliseconds unless it makes a system call."""

READER_PRAGMAS = """
PRAGMA query_only = ON;
PRAGMA cache_size = -8192;
PRAGMA mmap_size = 134217728;
PRAGMA temp_store = MEMORY;
"""

ADVICE = {
    "SQLITE_BUSY": "another process is writing for too long",
    "SQLITE_LOCKED": "another process is writing for too long",
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_READONLY": "it cannot be written: check its owner and permissions",
    "SQLITE_CANTOPEN": "it cannot be opened: check that the folder exists and is yours",
    "SQLITE_CORRUPT": "it is damaged: stop Callgate, move it away and restore a backup",
    "SQLITE_NOTADB": "it is not a SQLite database: give store.url another name",
    "SQLITE_INTERRUPT": f"the query took longer than {READ_S:.0f} s: narrow the period or the filter",
    "SQLITE_IOERR": "the disk failed",
}


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Database errors as StoreError that says what to do. Errors of a row (`ROW_ERRORS`) pass."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError):
        raise
    except (sqlite3.DatabaseError, OSError) as exc:
        name = getattr(exc, "sqlite_errorname", "")
        advice = next((words for code, words in ADVICE.items() if name.startswith(code)), str(exc))
        raise StoreError(f"{path.name}: {advice} ({name or type(exc).__name__})") from exc


async def _connect(uri: str) -> aiosqlite.Connection:
    connecting = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S, factory=Sqlite)
    # A process that fails must end, and be started again, rather than wait for ever for a thread nobody will stop.
    # aiosqlite has no public way to say so.
    connecting._thread.daemon = True
    try:
        return await connecting
    except BaseException:
        await asyncio.to_thread(connecting._thread.join)  # it was told to stop, and tells the loop when it has
        raise


def give_way() -> bool:
    """A progress handler: nothing is to be cancelled."""
    os.sched_yield()
    return False


class TooMuchError(Exception):
    """A query took more than its `most_ticks`. The reader can be asked on."""


async def first_value(db: aiosqlite.Connection, sql: str) -> int:
    """0 where there is none yet."""
    rows = list(await db.execute_fetchall(sql))
    return int(rows[0][0]) if rows else 0


class Reader:
    """A read-only connection, and until when its query may run."""

    def __init__(self, db: aiosqlite.Connection, identity: tuple[int, int]) -> None:
        self.db = db
        self.identity = identity
        self.deadline = 0.0
        self.ticks = 0
        """Of TICK_STEPS each, since it was opened: work that does not depend on how busy the machine is."""
        self.most_ticks: int | None = None
        """A query that goes on beyond is ended with TooMuchError."""

    def overdue(self) -> bool:
        self.ticks += 1
        return self._is_too_much() or time.monotonic() > self.deadline

    def _is_too_much(self) -> bool:
        return self.most_ticks is not None and self.ticks > self.most_ticks

    async def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[type_of_row]:
        try:
            return list(await self.db.execute_fetchall(sql, parameters))  # type: ignore[arg-type]  # rows are tuples
        except sqlite3.OperationalError:
            if self._is_too_much():
                raise TooMuchError from None
            raise

    async def first(self, sql: str, parameters: Sequence[Any] = ()) -> type_of_row | None:
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None


class Database:
    """The file at `path`. Watches that it is still the file it opened: somebody may delete it while it is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: aiosqlite.Connection | None = None
        self._writer_identity = (0, 0)
        self._write_lock = asyncio.Lock()
        self._idle: list[Reader] = []
        self._reader_slots = asyncio.Semaphore(READERS)
        self.generation = 0
        """Counts the files opened: what was remembered of an earlier one does not hold."""

    async def open(self) -> None:
        with in_words(self.path):
            await asyncio.to_thread(schema.prepare, self.path)
        self.generation += 1

    async def close(self) -> None:
        async with self._write_lock:
            await self._close_writer()
        while self._idle:
            await self._idle.pop().db.close()

    # ------------------------------------------------------------------------------------------ writing

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[aiosqlite.Connection]:
        """A transaction that holds the write lock from its start. Raises StoreError, and then nothing was changed."""
        async with self._write_lock:
            with in_words(self.path):
                db = await self._open_writer()
                await db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    await db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        await db.execute("ROLLBACK")
                    raise
                self._still_there(self._writer_identity)

    async def _open_writer(self) -> aiosqlite.Connection:
        if self._writer is not None and self._identity() == self._writer_identity:
            return self._writer
        if self._writer is not None:
            await self._close_writer()
        if self._identity() is None:
            await self.open()
        db = await _connect(self.path.absolute().as_uri())
        self._writer, self._writer_identity = db, self._identity() or (0, 0)
        await db.executescript(WRITER_PRAGMAS)
        await db.set_progress_handler(give_way, GIVE_WAY_STEPS)
        return db

    async def _close_writer(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await writer.close()

    async def checkpoint(self) -> None:
        """What was written goes from the log beside the file into the file, as far as nobody reads an older state."""
        async with self._write_lock:
            with in_words(self.path):
                db = await self._open_writer()
                await db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    # ------------------------------------------------------------------------------------------ reading

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        """A snapshot: everything read within sees the same state, whatever is written meanwhile."""
        async with self._reader_slots:
            with in_words(self.path):
                reader = await self._take_reader()
                reader.deadline = time.monotonic() + READ_S
                reader.most_ticks = None
                try:
                    await reader.db.execute("BEGIN")
                    yield reader
                    await reader.db.execute("COMMIT")
                except BaseException:
                    reader.deadline = 0.0  # nobody waits for what still runs, and closing would wait for it
                    await reader.db.close()
                    raise
                self._idle.append(reader)

    async def _take_reader(self) -> Reader:
        identity = self._identity()
        while self._idle:
            reader = self._idle.pop()
            if reader.identity == identity:
                return reader
            await reader.db.close()
        if identity is None:
            await self.open()
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        db = await _connect(uri)
        reader = Reader(db, self._identity() or (0, 0))
        try:
            await db.executescript(READER_PRAGMAS)
            await db.set_progress_handler(reader.overdue, TICK_STEPS)
        except BaseException:  # what is no database is found out here, and the connection has a thread
            await db.close()
            raise
        return reader

    # ------------------------------------------------------------------------------------------ the file

    def _identity(self) -> tuple[int, int] | None:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return None
        return stat.st_dev, stat.st_ino

    def _still_there(self, identity: tuple[int, int]) -> None:
        if self._identity() != identity:
            raise StoreError(f"{self.path.name} was deleted or replaced while it was in use; it is made again")
