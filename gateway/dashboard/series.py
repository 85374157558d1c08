"""Which colour a name has: it gets one by rank when it is first seen, and keeps it on every page and period."""

from __future__ import annotations

from collections.abc import Iterable

OTHER = "var(--chart-quiet)"
COLORS = tuple(f"var(--series-{n})" for n in (1, 3, 2, 7, 4, 6, 5))
"""By rank; neighbours in a stack differ for every kind of sight (tests/dashboard/test_contrast.py)."""


class Palette:
    """Of one process. Workers agree because each seeds it with the same ranking of all time from the store."""

    def __init__(self) -> None:
        self._colors: dict[str, str] = {}

    @property
    def is_empty(self) -> bool:
        return not self._colors

    def see(self, names: Iterable[str]) -> None:
        """Highest rank first. Once the colours are used up, further names stay "other"."""
        for name in names:
            if name not in self._colors and len(self._colors) < len(COLORS):
                self._colors[name] = COLORS[len(self._colors)]

    def color(self, name: str | None) -> str:
        return self._colors.get(name, OTHER) if name else OTHER
