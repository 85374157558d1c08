"""Histograms as pictures: the fine buckets of `gateway.core.histogram` put together to bars that an eye can compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.histogram import RATIO
from gateway.dashboard.charts import Tick, count_label, percent, y_axis
from gateway.dashboard.format import Figure, count, rate

OCTAVE = 1 / math.log2(RATIO)
"""Fine buckets from a value to its double."""
BAR = 4
"""Fine buckets in a bar of a histogram: it is 22 % wide."""
WIDTH, HEIGHT = 1000, 100


@dataclass(frozen=True)
class Bin:
    label: str
    count: Figure
    part: Figure


@dataclass(frozen=True)
class Histogram:
    """A picture and, for those who want the numbers, its bins as rows of a table."""

    id: str
    sentence: str
    path: str
    x: list[Tick]
    y: list[Tick]
    marks: list[tuple[str, str]]
    """(where, name) of values that are pointed out."""
    bins: list[Bin]


def octaves(counts: Sequence[int]) -> dict[int, int]:
    """Calls by the power of two from which their value counts: 5 is 32 to 64. Empty ones are left out."""
    steps: dict[int, int] = {}
    for bucket, number in enumerate(counts):
        if number:
            step = math.floor((bucket + 0.5) / OCTAVE)
            steps[step] = steps.get(step, 0) + number
    return steps


def histogram(
    name: str,
    sentence: str,
    counts: Sequence[int],
    label: Callable[[float], str],
    marks: Sequence[tuple[str, int | None]] = (),
) -> Histogram | None:
    """On a logarithmic axis, all bars of a width. None of nothing."""
    steps = {at // BAR: sum(counts[at : at + BAR]) for at in range(0, len(counts), BAR) if any(counts[at : at + BAR])}
    if not steps:
        return None
    first, last = min(steps), max(steps)
    number, whole = last - first + 1, sum(steps.values())
    top, y = y_axis(max(steps.values()), count_label)
    slot = WIDTH / number
    bars = "".join(
        f"M{(step - first + 0.08) * slot:.1f} {HEIGHT}h{slot * 0.84:.1f}v{-max(0.6, HEIGHT * calls / top):.1f}"
        f"h{-slot * 0.84:.1f}z"
        for step, calls in sorted(steps.items())
    )

    def start(step: int) -> float:
        return float(RATIO ** (step * BAR))

    def place(value: float) -> str:
        return percent(math.log(max(value, 1), RATIO) / BAR - first, number)

    return Histogram(
        id=name,
        sentence=sentence,
        path=bars,
        x=[Tick(place(value), label(value)) for value in _round_values(start(first), start(last + 1))],
        y=y,
        marks=[(place(value), title) for title, value in marks if value is not None],
        bins=[
            Bin(f"{label(_three(start(s)))} – {label(_three(start(s + 1)))}", count(n), rate(n, whole))
            for s, n in sorted(steps.items())
        ],
    )


def _round_values(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, … between the two, but for those so near an end that their label would be cut."""
    values = [factor * 10.0**power for power in range(16) for factor in (1, 2, 5)]
    inner = (low * (high / low) ** 0.03, low * (high / low) ** 0.96)
    chosen = [value for value in values if inner[0] <= value <= inner[1]]
    return chosen if len(chosen) <= 8 else [value for value in chosen if f"{value:g}"[0] == "1"]


def _three(value: float) -> float:
    return float(f"{value:.3g}")
