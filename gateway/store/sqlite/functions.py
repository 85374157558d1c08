"""The SQL functions of our own: merging histograms, and free text in any script."""

from __future__ import annotations

import sqlite3
from math import log
from typing import Any

from gateway.core import histogram

HAS_LN = "SELECT 1 FROM pragma_function_list WHERE name = 'ln'"
"""Not every build of SQLite knows logarithms."""


class MergedHistogram:
    """`merged_histogram(blob)`: the sum of rollups' histograms."""

    def __init__(self) -> None:
        self.lanes = 0

    def step(self, blob: bytes | None) -> None:
        if blob is not None:
            self.lanes += histogram.decode(blob)

    def finalize(self) -> bytes | None:
        return histogram.encode(self.lanes)


def contains_text(needle: str, *texts: str | None) -> bool:
    """Whether a text contains the casefolded needle; LIKE ignores case in ASCII only."""
    return any(text is not None and needle in text.casefold() for text in texts)


def _ln(value: float | None) -> float | None:
    return None if value is None else log(value)


class Sqlite(sqlite3.Connection):
    """A connection that has them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.create_function("merge_histograms", 2, histogram.merge, deterministic=True)
        self.create_function("contains_text", -1, contains_text, deterministic=True)
        self.create_aggregate("merged_histogram", 1, MergedHistogram)  # type: ignore[arg-type]  # bytes or None
        if self.execute(HAS_LN).fetchone() is None:
            self.create_function("ln", 1, _ln, deterministic=True)
