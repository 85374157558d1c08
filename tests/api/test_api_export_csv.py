"""Rows of CSV as another program reads them."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.export import FORMULA_STARTS, _row

CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2)


def said(cell: str) -> str:
    return "'" + cell if cell[:1] in FORMULA_STARTS else cell


@given(CELLS)
def test_what_is_written_is_read(cells: list[str]) -> None:
    assert list(csv.reader(io.StringIO(_row(cells), newline=""))) == [[said(cell) for cell in cells]]


def test_cells_are_written_by_their_kind() -> None:
    assert _row([None, 1, 2.5, True, ["a"], 'say "1,2"', "=1+1", "-", " x"]) == (
        ',1,2.5,true,"[""a""]","say ""1,2""",\'=1+1,\'-, x\r\n'
    )
