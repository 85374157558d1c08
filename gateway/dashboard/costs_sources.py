"""Whose word the costs are: the provider's own, a price list's, or nobody's. Calls by where their price came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.control.costs import summed
from gateway.dashboard.charts import percent
from gateway.dashboard.format import Figure, count, money_sum, plain, share
from gateway.store.base import Group

SOURCES = (
    ("provider", "The provider’s own figure", "it came with the answer"),
    ("catalog", "Price list", "reported tokens at the catalogue’s price of that day"),
    ("override", "Your own price", "reported tokens at a price under prices.overrides"),
    ("estimate", "Estimated tokens", "the provider reported none; at a price of the list or your own"),
    ("cache", "Answered from the cache", "nothing was bought"),
    ("none", "No price known", "used, and not in any sum"),
    (None, "Nothing used", "refused, failed or cancelled before any use"),
)


@dataclass(frozen=True)
class SourceRow:
    label: str
    note: str
    calls: Figure
    part: str
    part_figure: Figure
    """Of the calls."""
    spend: Figure
    href: str = ""
    """Of the calls, where a filter finds them."""


def source_rows(groups: Sequence[Group], unpriced: str) -> list[SourceRow]:
    """In the order of SOURCES, those that occur. `unpriced` is where the calls without a price are listed."""
    found = {group.key: group.totals for group in groups}
    whole = summed(found.values()).requests
    return [
        SourceRow(
            label,
            note,
            count(totals.requests),
            percent(totals.requests, whole),
            share(totals.requests, whole),
            plain("unpriced", nil=True) if key == "none" else money_sum(totals.cost_nanousd),
            unpriced if key == "none" else "",
        )
        for key, label, note in SOURCES
        if (totals := found.get(key)) is not None and totals.requests
    ]
