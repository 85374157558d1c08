"""All SQL is in the store and its values are bound: what is put into a statement as text is reviewed, name by name."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.api.filters import AMOUNTS, NAMES
from gateway.store import open_store
from gateway.store.base import GROUPS, Batch, SpanWrite
from tests.api.fakes import get, make_app, make_state, traffic

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "gateway" / "store"
WORDS = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|ORDER BY|GROUP BY|VALUES|PRAGMA|CREATE|DROP|ALTER|LIMIT|UNION|"
    r"HAVING|AND|OR|IN|IS|NOT|MATCH|EXISTS|CASE|BETWEEN|VACUUM|ATTACH)\b"
)
"""As SQL is written here, in capitals; prose is not."""
STATEMENT = re.compile(r"\b(SELECT\b.+\bFROM|INSERT INTO|DELETE FROM|UPDATE \w+ SET|CREATE (TABLE|INDEX))\b", re.DOTALL)

REVIEWED = {
    "migrate.py": {"head()"},  # the revision, of this file's own list
    "migrations/versions/0002_documents.py": {"change", "change.lower()"},  # UPDATE, DELETE
    "tables.py": {"change", "change.lower()"},
    # columns, tables and joins, all of them constants of the modules; `where` is what `where.py` made, with marks
    "sqlite/documents.py": {"COLUMNS"},
    "sqlite/erase.py": {"', '.join(CUBE)"},
    "sqlite/keyset.py": {
        "TEXT", "WITH_DETAILS", "candidates", "details", "level", "order", "rows", "self.column", "self.way", "value",
        "walk.at", "walk.number", "walk.source", "walk.where", "which",
    },
    "sqlite/lists.py": {"SPAN_COLUMNS"},
    "sqlite/menus.py": {"LOOKED_AT"},
    "sqlite/places.py": {"SPAN_COLUMNS"},
    "sqlite/question.py": {"ODD", "len(ODD) + 1"},
    "sqlite/reprice.py": {"SPAN_COLUMNS"},
    "sqlite/rollups.py": {
        "', '.join(CUBE)", "', ?' * len(CUBE)", "', '.join(columns)", "', '.join(updates)",
        "', ?' * (len(columns) - 1)", "table",
    },
    "sqlite/sums.py": {
        "', '.join(columns)", "details", "grouped", "key", "nothing", "start", "stretch.level", "walk.source",
        "walk.where", "where",
    },
    "sqlite/totals.py": {"alike", "column", "latest", "walk.source", "walk.where"},
    "sqlite/walk.py": {"self.at"},
    "sqlite/where.py": {"' OR '.join(either.parts)", "_marks(listed)", "alias", "column", "marks", "where"},
    "sqlite/write.py": {
        "', '.join(PLAIN + DERIVED)", "', ?' * len(PLAIN + DERIVED)", "', '.join(DETAILS)", "', ?' * len(DETAILS)",
    },
}  # fmt: skip
"""By file, the expressions that stand in its SQL. Each names something of ours; what clients send is bound."""

HOSTILE = "'; DROP TABLE spans; --\"`) OR 1=1 /*"


def interpolated(source: str) -> Iterator[str]:
    """The expressions that are put into SQL, whichever way."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
            if WORDS.search(text):
                yield from (ast.unparse(part.value) for part in node.values if isinstance(part, ast.FormattedValue))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            yield from (f"operator: {ast.unparse(node)}" for side in (node.left, node.right) if is_sql(side))
        elif isinstance(node, ast.Call) and is_put_together(node.func):
            yield f"call: {ast.unparse(node)}"


def is_put_together(call: ast.expr) -> bool:
    """A method of a piece of SQL; `join` puts AND or OR between constants."""
    return isinstance(call, ast.Attribute) and call.attr != "join" and is_sql(call.value)


def is_sql(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and WORDS.search(node.value) is not None


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('f"SELECT a FROM t WHERE b = {b}"', ["b"]),
        ('"SELECT a FROM t WHERE b = %s" % b', ["operator: 'SELECT a FROM t WHERE b = %s' % b"]),
        ('"SELECT a FROM t WHERE b = " + b', ["operator: 'SELECT a FROM t WHERE b = ' + b"]),
        ('"SELECT {} FROM t".format(a)', ["call: 'SELECT {} FROM t'.format(a)"]),
        ('execute("SELECT a FROM t WHERE b = ?", (b,))', []),
        ('f"nothing of {b} and not in SQL"', []),
    ],
)
def test_it_would_be_found(source: str, found: list[str]) -> None:
    assert list(interpolated(source)) == found


def test_what_stands_in_sql_is_reviewed() -> None:
    there = {
        str(path.relative_to(STORE)): names
        for path in sorted(STORE.rglob("*.py"))
        if (names := set(interpolated(path.read_text("utf-8"))))
    }
    assert there == REVIEWED


def test_there_is_no_sql_elsewhere() -> None:
    elsewhere = [path for path in (ROOT / "gateway").rglob("*.py") if STORE not in path.parents]
    texts = (
        (path, node.value)
        for path in elsewhere
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    assert [f"{path.name}: {text[:80]}" for path, text in texts if STATEMENT.search(text)] == []


def test_words_of_clients_are_values_whatever_they_are(tmp_path: Path) -> None:
    """Every parameter, name of a tag, group, menu and path, over the real store."""
    texts = [name for name in NAMES if name not in (*AMOUNTS, "from", "to", "period", "status", "stream", "unpriced")]
    queries = [f"{name.replace('KEY', 'team')}={way}HOSTILE" for name in texts for way in ("", "!")]
    paths = [
        *(f"{path}?{query}" for query in [*queries, "tag.HOSTILE=HOSTILE", "tag.HOSTILE=!HOSTILE"]
          for path in ("/api/requests", "/api/stats", "/api/costs", "/api/requests?order=costliest&limit=3")),
        *(f"/api/costs?group_by={by}&user=HOSTILE" for by in GROUPS),
        "/api/costs?group_by=tag:HOSTILE", "/api/tags/HOSTILE", "/api/tags?prefix=HOSTILE", "/api/values/HOSTILE",
        "/api/values/model?prefix=HOSTILE", "/api/requests/HOSTILE", "/api/traces/HOSTILE", "/api/audit?kind=HOSTILE",
        "/api/audit?actor=HOSTILE&id=HOSTILE", "/api/requests?cursor=HOSTILE", "/api/requests?limit=HOSTILE",
        "/api/costs?time_zone=HOSTILE", "/api/requests?order=HOSTILE", "/api/statement?tenant=HOSTILE&month=HOSTILE",
    ]  # fmt: skip

    async def asked() -> tuple[list[int], int]:
        store = open_store("sqlite:///callgate.db", tmp_path)
        await store.connect()
        try:
            await store.write(Batch([SpanWrite(row) for row in traffic(20)]))
            app = make_app(make_state(store, tmp_path))
            escaped = HOSTILE.replace("%", "%25").replace("/", "%2F").replace("#", "%23").replace(" ", "%20")
            statuses = [(await get(app, as_path(path, escaped))).status_code for path in paths]
            return statuses, (await get(app, "/api/stats")).json()["requests"]
        finally:
            await store.close()

    statuses, left = asyncio.run(asked())
    assert {*statuses} <= {200, 400, 404}
    assert statuses.count(200) > 100
    assert left == 20


def as_path(path: str, hostile: str) -> str:
    """With one question mark: the queries above bring their own."""
    first, *rest = path.split("?")
    return "?".join([first, "&".join(rest)][: 1 + bool(rest)]).replace("HOSTILE", hostile)
