"""Records as rows of CSV (RFC 4180: CRLF, quotes doubled), column by column.

The csv module looks at every character by itself, which is half of an export; most columns need no look at all, and
of a column of text a few searches in C say whether any of it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

from gateway.api.columns import Column
from gateway.api.record import FIELDS, Record, encode

HEAD = ",".join(FIELDS) + "\r\n"
FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
"""A cell that begins with one is run by some spreadsheet (OWASP, CSV injection)."""

_breaks_a_row = re.compile('[",\r\n]').search
_first = itemgetter(slice(1))

Cells = Iterable[str]


def lines(columns: Sequence[Column]) -> str:
    """Columns in the order of FIELDS."""
    cells = [_cells(make, column) for make, column in zip(_MAKERS, columns, strict=True)]
    return "\r\n".join(map(",".join, zip(*cells, strict=True))) + "\r\n"


def _cells(make: Callable[[Column], Cells], column: Column) -> Cells:
    """What is null is an empty cell; most columns of most exports have nothing else."""
    return [""] * len(column) if column.count(None) == len(column) else make(column)


def _texts(column: Column) -> Cells:
    texts = [text or "" for text in column]
    if _breaks_a_row("".join(texts)) or not FORMULA_STARTS.isdisjoint(map(_first, texts)):
        return map(_text, texts)
    return texts


def _text(text: str) -> str:
    """Text that a spreadsheet would run gets an apostrophe before it."""
    text = "'" + text if text[:1] in FORMULA_STARTS else text
    # four searches in C are faster than one pattern
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _times(column: Column) -> Cells:
    return ["" if value is None else value for value in column]


def _numbers(column: Column) -> Cells:
    return ["" if value is None else repr(value) for value in column]


def _amounts(column: Column) -> Cells:
    """Digits as they stand in JSON."""
    return ["" if value is None else bytes(value).decode() for value in column]


def _json(column: Column) -> Cells:
    return ["" if value is None else _quoted(encode(value).decode()) for value in column]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _breaks_a_row(text) else text


def _maker(name: str, annotation: str) -> Callable[[Column], Cells]:
    """What makes cells of a field's values: all but text is JSON. Times and amounts, made here, need no look."""
    if name.endswith("_at"):
        return _times
    if name.endswith("_usd"):
        return _amounts
    return {"str": _texts, "int": _numbers, "float": _numbers}.get(annotation.split()[0], _json)


_MAKERS = [_maker(name, annotation) for name, annotation in Record.__annotations__.items()]
