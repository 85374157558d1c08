"""The database itself refuses to change the audit log, whoever asks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.sqlite import schema


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_the_audit_log_is_append_only(change: str, tmp_path: Path) -> None:
    schema.prepare(tmp_path / "audited.db")
    with closing(sqlite3.connect(tmp_path / "audited.db")) as db:
        db.execute("INSERT INTO audit (at, actor, action, kind, id) VALUES (1, 'ann', 'created', 'tenant', 'acme')")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(change)
        assert db.execute("SELECT actor FROM audit").fetchall() == [("ann",)]
