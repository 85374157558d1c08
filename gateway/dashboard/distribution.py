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


def coarse(counts: Sequence[int], per_octave: int = 1) -> dict[int, int]:
    """Calls by the step that their value lies in; step `s` begins at `2 ** (s / per_octave)`. Empty steps are left
    out."""
    steps: dict[int, int] = {}
    for bucket, number in enumerate(counts):
        if number:
            step = math.floor((bucket + 0.5) / OCTAVE * per_octave)
            steps[step] = steps.get(step, 0) + number
    return steps


def histogram(
    name: str,
    sentence: str,
    counts: Sequence[int],
    label: Callable[[float], str],
    marks: Sequence[tuple[str, int | None]] = (),
    *,
    per_octave: int = 2,
) -> Histogram | None:
    """On a logarithmic axis, all bars of a width. None of nothing."""
    steps = coarse(counts, per_octave)
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
        return float(2 ** (step / per_octave))

    def place(value: float) -> str:
        return percent(math.log2(max(value, 1)) * per_octave - first, number)

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
    """1, 3, 10, 30, … between the two, but for those so near an end that their label would be cut."""
    values = [factor * 10.0**power for power in range(16) for factor in (1, 3)]
    inner = (low * (high / low) ** 0.03, low * (high / low) ** 0.96)
    chosen = [value for value in values if inner[0] <= value <= inner[1]]
    return chosen if len(chosen) <= 8 else [value for value in chosen if f"{value:g}"[0] == "1"]


def _three(value: float) -> float:
    return float(f"{value:.3g}")
