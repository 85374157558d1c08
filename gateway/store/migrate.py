"""`python -m gateway.store.migrate FILE`: brings a SQLite database to the newest revision.

A process of its own, because alembic and SQLAlchemy take the memory and the time that the gateway saves.
`python -m gateway.store.migrate --schema` prints what `schema.sql` must hold: run it after adding a migration.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event

DUMP = """
SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY CASE type WHEN 'table' THEN 0 ELSE 1 END, name
"""


def configuration(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def head() -> str:
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    assert revision is not None, "there is at least one migration"
    return revision


def upgrade(path: str) -> None:
    """All revisions in one transaction: an interrupted migration leaves the database as it was."""
    engine = create_engine(f"sqlite:///{path}")
    # pysqlite would begin too late, after the DDL: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html
    event.listen(engine, "connect", lambda dbapi, _: setattr(dbapi, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "head")
    engine.dispose()


def schema() -> str:
    """The DDL that a fresh database is made from, stamped with the newest revision."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "head")
        statements = [row[0].strip() + ";" for row in connection.exec_driver_sql(DUMP)]
    engine.dispose()
    lines = [line.rstrip().replace("\t", "    ") for line in "\n\n".join(statements).splitlines()]
    head_line = "-- Made by `python -m gateway.store.migrate --schema`; change tables.py and add a migration instead."
    stamp = f"INSERT INTO alembic_version VALUES ('{head()}');"  # noqa: S608  # our own revision
    return "\n".join([head_line, "", *lines, "", stamp, ""])


if __name__ == "__main__":
    if sys.argv[1] == "--schema":
        sys.stdout.write(schema())
    else:
        upgrade(sys.argv[1])
