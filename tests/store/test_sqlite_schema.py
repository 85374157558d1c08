"""The three descriptions of the tables are one; databases old, new, foreign and made by two at once."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from gateway.errors import StoreError
from gateway.store import migrate, open_store
from gateway.store.base import Batch
from gateway.store.sqlite import schema
from gateway.store.tables import SpanRow
from tests.store.naive import make_write

OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"


def objects(path: Path) -> dict[tuple[str, str], str]:
    """Every table and index with its words, whatever the spaces between them."""
    with closing(sqlite3.connect(path)) as db:
        return {(kind, name): " ".join(sql.split()) for kind, name, sql in db.execute(OBJECTS)}


def test_schema_sql_is_what_alembic_makes() -> None:
    assert (Path(migrate.__file__).with_name("schema.sql")).read_text("utf-8") == migrate.schema()


def test_the_revision_in_the_code_is_alembics_head() -> None:
    assert migrate.head() == schema.HEAD


def test_fresh_migrated_and_declared_are_the_same_tables(tmp_path: Path) -> None:
    fresh, migrated, declared = (tmp_path / name for name in ("fresh.db", "migrated.db", "declared.db"))
    schema.prepare(fresh)
    migrate.upgrade(str(migrated))
    engine = create_engine(f"sqlite:///{declared}")
    SQLModel.metadata.create_all(engine, [t for t in SQLModel.metadata.sorted_tables if SpanRow.metadata is t.metadata])
    engine.dispose()
    assert objects(fresh) == objects(migrated) == objects(declared)


def test_a_database_of_an_older_revision_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one revision only, so the oldest is none: an empty alembic table is what `downgrade base` leaves."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    schema._migrate(path, "base")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(schema.REVISION).fetchone() == (schema.HEAD,)
        assert db.execute("SELECT count(*) FROM spans").fetchone() == (0,)


def test_spans_of_before_find_their_series(tmp_path: Path) -> None:
    """As it was before 0003: shorter labels, and spans that named no series."""
    migration = importlib.import_module("gateway.store.migrations.versions.0003_series_of_spans")
    later = importlib.import_module("gateway.store.migrations.versions.0005_feature_of_series")
    spans = [make_write(n, prompt_version=None, feature=None, tenant='a"b\n\x01é') for n in range(80)]

    async def fill() -> None:
        store = open_store("sqlite:///old.db", tmp_path)
        await store.connect()
        await store.write(Batch(spans=spans))
        await store.close()

    asyncio.run(fill())
    labels = "SELECT id, labels FROM series ORDER BY id"
    linked = "SELECT id, series FROM spans ORDER BY id"
    with closing(sqlite3.connect(tmp_path / "old.db")) as db:
        before, labelled = db.execute(linked).fetchall(), db.execute(labels).fetchall()
        db.execute("UPDATE series SET labels = replace(labels, ',null,null,null]]', ']]') WHERE scope = 'call'")
        db.execute("UPDATE spans SET series = 0")
        db.execute(migration.LONGER_LABELS)
        db.execute(migration.SERIES_OF_SPANS)
        db.execute(later.LONGER_LABELS)
        assert db.execute(linked).fetchall() == before
        assert db.execute(labels).fetchall() == labelled


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    schema.prepare(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        db.commit()
    with pytest.raises(StoreError, match=r"revision 9999.*newer Callgate"):
        schema.prepare(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(schema.REVISION).fetchone() == ("9999",)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE cats (name)")
    with pytest.raises(StoreError, match="not Callgate's"):
        asyncio.run(open_store("sqlite:///other.db", tmp_path).connect())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("x" * 5000)
    with pytest.raises(StoreError, match="not a SQLite database"):
        asyncio.run(open_store("sqlite:///text.db", tmp_path).connect())


def test_the_file_is_private(tmp_path: Path) -> None:
    schema.prepare(tmp_path / "new" / "private.db")
    assert (tmp_path / "new" / "private.db").stat().st_mode & 0o077 == 0


def test_processes_that_start_together_find_one_database(tmp_path: Path) -> None:
    code = "import sys, pathlib; from gateway.store.sqlite import schema; schema.prepare(pathlib.Path(sys.argv[1]))"
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "shared.db")], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, b"")


def test_opening_a_store_imports_nothing_heavy(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from gateway.store import open_store
from gateway.store.base import Batch, SpanFilter

async def main():
    store = open_store("sqlite:///light.db", Path(sys.argv[1]))
    await store.connect()
    await store.write(Batch())
    await store.stats(SpanFilter())
    await store.close()

asyncio.run(main())
print(sorted({"sqlalchemy", "sqlmodel", "alembic", "pydantic", "httpx", "pyarrow", "litellm"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("url", ["postgresql+asyncpg://x/y", "clickhouse://x", "callgate.db", ""])
def test_other_stores_are_refused_naming_what_there_is(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="sqlite://"):
        open_store(url, tmp_path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_store_needs_a_file(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="names no file"):
        open_store(url, tmp_path)
