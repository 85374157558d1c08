"""What is summed up for a set of calls, wherever the parts come from."""

from __future__ import annotations

from typing import Any

from gateway.core import histogram
from gateway.store.base import Distribution, Totals
from gateway.store.sqlite.series import COUNTERS

NO_CALLS = Distribution(0)


class Spread:
    """Durations or lengths: sum, extremes and histogram."""

    __slots__ = ("high", "lanes", "low", "sum")

    def __init__(self) -> None:
        self.sum = 0
        self.low: int | None = None
        self.high: int | None = None
        self.lanes = 0

    def add(self, total: int | None, low: int | None, high: int | None, lanes: int) -> None:
        self.sum += total or 0
        self.lanes += lanes
        if low is not None:
            self.low = low if self.low is None else min(self.low, low)
        if high is not None:
            self.high = high if self.high is None else max(self.high, high)

    def merge(self, other: Spread) -> None:
        self.add(other.sum, other.low, other.high, other.lanes)

    def subtract(self, other: Spread) -> None:
        """What is left without a part. Which of the extremes belonged to the part is not known any more."""
        self.sum -= other.sum
        self.lanes -= other.lanes
        self.low = self.high = None

    def distribution(self) -> Distribution:
        if not self.lanes:
            return NO_CALLS
        count = sum(histogram.counts(self.lanes))
        p50, p95, p99 = (self._within(value) for value in histogram.percentiles(self.lanes, (0.5, 0.95, 0.99)))
        return Distribution(count, self.sum / count, self.low, self.high, p50, p95, p99)

    def _within(self, value: int | None) -> int | None:
        if value is None or self.low is None or self.high is None:
            return value
        return min(max(value, self.low), self.high)


class Shape:
    """Which columns are summed up: the fewer, the faster."""

    def __init__(self, counters: tuple[str, ...] = tuple(COUNTERS), spreads: tuple[str, ...] = ()) -> None:
        self.counters = counters
        self.spreads = spreads


class Tally:
    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.counters = dict.fromkeys(shape.counters, 0)
        self.spreads = {name: Spread() for name in shape.spreads}

    def add(self, cell: tuple[Any, ...]) -> None:
        """A row of a query: the counters, then sum, min, max and histogram of each spread; of rows, their buckets as
        text."""
        for name, value in zip(self._shape.counters, cell, strict=False):
            if value:
                self.counters[name] += value
        at = len(self._shape.counters)
        for spread in self.spreads.values():
            total, low, high, blob = cell[at : at + 4]
            lanes = histogram.lanes_of(blob) if isinstance(blob, str) else histogram.decode(blob)
            spread.add(total, low, high, lanes)
            at += 4

    def merge(self, other: Tally) -> None:
        for name, value in other.counters.items():
            self.counters[name] += value
        for name, spread in other.spreads.items():
            self.spreads[name].merge(spread)

    def subtract(self, other: Tally) -> None:
        for name, value in other.counters.items():
            self.counters[name] -= value
        for name, spread in other.spreads.items():
            self.spreads[name].subtract(spread)

    def totals(self) -> Totals:
        return Totals(**self.counters)

    def distribution(self, name: str) -> Distribution:
        spread = self.spreads.get(name)
        return spread.distribution() if spread else NO_CALLS
