"""Tables for people: columns as wide as they need, figures to the right, a head."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

GAP = "  "


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), least: Sequence[int] = ()
) -> list[str]:
    """`right` names the columns of figures, `least` how wide columns are at least. No trailing spaces."""
    lines = [head, *rows]
    columns = range(len(head))
    widths = [max(width(line[at]) for line in lines) for at in columns]
    if least:
        widths = [max(pair) for pair in zip(widths, least, strict=True)]
    return [GAP.join(_cell(line[at], widths[at], head[at] in right) for at in columns).rstrip() for line in lines]


def facts(pairs: Iterable[tuple[str, str | None]], *, indent: str = "") -> list[str]:
    """`name  value` lines, aligned; without those that have no value."""
    known = [(name, value) for name, value in pairs if value is not None]
    longest = max((width(name) for name, _ in known), default=0)
    return [f"{indent}{_cell(name, longest, False)}{GAP}{value}" for name, value in known]


def one_line(text: str, most: int) -> str:
    """Without line breaks and control characters, which would move the terminal's cursor; cut with an ellipsis."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def width(text: str) -> int:
    """In cells of a terminal: wide characters take two, combining ones none."""
    return sum(_cells(c) for c in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cell(text: str, to: int, right: bool) -> str:
    space = " " * (to - width(text))
    return space + text if right else text + space
