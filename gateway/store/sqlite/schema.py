"""Creates the tables, or brings older ones up to date. Called by every process that opens the store, at its start."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

from gateway.errors import StoreError

HEAD = "0009"
"""The revision of schema.sql; a test holds it equal to alembic's."""

REVISION = "SELECT version_num FROM alembic_version"
ANY_TABLE = "SELECT name FROM sqlite_master LIMIT 1"


def prepare(path: Path) -> None:
    """Gateway and recorder start together: a lock file lets one create or migrate, and the other find it done.

    Raises StoreError where the file cannot be used, saying what to do.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_name(path.name + ".lock")):
        # Prompts are private: the file must never exist readable to others, not even before the first table.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
            revision = _revision(db, path)
            if revision is None:
                _create(db)
        if revision not in (None, HEAD):
            _migrate(path, str(revision))


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _revision(db: sqlite3.Connection, path: Path) -> str | None:
    """None for an empty database."""
    if db.execute(ANY_TABLE).fetchone() is None:
        return None
    try:
        row = db.execute(REVISION).fetchone()
    except sqlite3.OperationalError:
        row = None
    if row is None:
        raise StoreError(f"{path} is a database, but not Callgate's. Give store.url another name.")
    return str(row[0])


def _create(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only possible before the first table
    db.execute("PRAGMA journal_mode = WAL")
    script = files("gateway.store").joinpath("schema.sql").read_text("utf-8")
    db.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;")


def _migrate(path: Path, revision: str) -> None:
    done = subprocess.run(  # noqa: S603  # our own module, our own file name
        [sys.executable, "-m", "gateway.store.migrate", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StoreError(
            f"{path} has revision {revision}, this Callgate needs {HEAD}, and the migration failed: {last}. "
            "If the file was written by a newer Callgate, use that one; nothing was changed."
        )
