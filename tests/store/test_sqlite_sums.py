"""What SQLite makes of a column of rows, and what is made of that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core import histogram
from gateway.store.sqlite.functions import Sqlite
from gateway.store.sqlite.sums import BUCKETS

VALUES = st.lists(st.none() | st.integers(0, 1 << 53), max_size=30)


@given(values=VALUES)
def test_buckets_of_rows_are_those_of_rollups(values: list[int | None]) -> None:
    db = Sqlite(":memory:")
    db.execute("CREATE TABLE calls (us INTEGER)")
    db.executemany("INSERT INTO calls VALUES (?)", [(value,) for value in values])
    [(text,)] = db.execute(f"SELECT {BUCKETS.format(value='us')} FROM calls").fetchall()
    db.close()
    known = [histogram.bucket_of(value) for value in values if value is not None]
    assert histogram.lanes_of(text) == histogram.decode(histogram.encode_buckets(known))
