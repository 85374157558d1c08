"""What many requests used together, for results that are fetched later: the lines of a batch.

Each line was a request with a price of its own, which depends on its model, its tier and its size. So lines are summed
by what decides their price; each sum is a part of one bill.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from gateway.dialects.base import Answer, Billed
from pricing.usage import Usage

TIER = "batch"

SIZES = (100_000, 128_000, 200_000, 256_000, 272_000, 512_000)
"""Input tokens above which a request has another price at some provider that has batches."""

_FIELDS = Usage.__struct_fields__
_LARGEST = _FIELDS.index("largest_input_tokens")
_Heading = tuple[str, str, int]
"""(model, tier, how many of `SIZES` a request is above)."""


class Tally:
    """Sums, count by count: what no request reports is not reported."""

    def __init__(self) -> None:
        self._sums: dict[_Heading, list[Any]] = {}

    def add(self, model: str, usage: Usage, tier: str = TIER) -> None:
        """`model` is empty where it is not said."""
        size = usage.input_tokens or 0
        above = 0 if size <= SIZES[0] else sum(size > limit for limit in SIZES)
        counts = self._sums.get((model, tier, above))
        if counts is None:
            counts = self._sums[model, tier, above] = [None] * len(_FIELDS)
        largest = max(size, counts[_LARGEST] or 0)
        _add(counts, astuple(usage))
        counts[_LARGEST] = largest

    def answer(self, bill_id: str | None) -> Answer:
        """The first sum as the answer's own, the others beside it; an empty answer where nothing was used."""
        if not self._sums:
            return Answer()
        own, *others = (Billed(model, Usage(*counts), tier) for (model, tier, _), counts in self._sums.items())
        return Answer(
            model=own.model or None,
            usage=own.usage,
            usage_raw=msgspec.json.encode(self._by_model()),
            service_tier=own.service_tier,
            also=others,
            bill_id=bill_id,
        )

    def _by_model(self) -> dict[str, Usage]:
        """For people: all tiers and sizes of a model together."""
        sums: dict[str, list[Any]] = {}
        for (model, _, _), counts in self._sums.items():
            _add(sums.setdefault(model or "unknown", [None] * len(_FIELDS)), counts)
        return {model: replace(Usage(*counts), largest_input_tokens=None) for model, counts in sums.items()}


def _add(counts: list[Any], more: Sequence[Any]) -> None:
    for place, count in enumerate(more):
        if count is not None:
            counts[place] = count + (counts[place] or 0)
