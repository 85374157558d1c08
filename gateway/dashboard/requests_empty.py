"""The list of requests without any: what was looked for, and which filter to drop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.dashboard import urls
from gateway.dashboard.filters import Filters
from gateway.dashboard.format import full
from gateway.dashboard.patience import in_time
from gateway.dashboard.requests_head import COUNTED_TO, counted
from gateway.dashboard.view import View
from gateway.store.base import SpanFilter


@dataclass(frozen=True)
class Drop:
    """A way out of an empty list: take one filter away."""

    label: str
    href: str
    calls: str


async def is_first_time(view: View) -> bool:
    """Nothing was ever recorded that this person may see."""
    return not (await view.state.store.spans(view.own(SpanFilter()), limit=1)).items


def nothing(view: View) -> str:
    conditions = [f"{c.label.lower()} {c.op} {c.value}" for c in view.filters.chips]
    conditions += [f"“{view.filters.q}” in the text"] if view.filters.q else []
    return f"{view.period.label}: no call" + (f" where {' and '.join(conditions)}" if conditions else "") + "."


def looked(to_us: int | None, order: str, zone: ZoneInfo) -> str:
    """What is rare is looked for only so far at a time; empty where all was looked at."""
    if to_us is None:
        return ""
    at = full(to_us, zone)
    if order in ("newest", "oldest"):
        return f"Looked {'back ' if order == 'newest' else ''}as far as {at}. The next page looks further."
    return f"Looked at calls since {at}, newest first. A shorter period is looked at as a whole."


def wider(view: View) -> str:
    """The same of a month; empty where it is of a month already."""
    if view.period.key == "30d":
        return ""
    kept = [pair for pair in (*view.filters.query(), *view.filters.extra) if pair[0] not in ("period", "from", "to")]
    return urls.requests((*kept, ("period", "30d")))


async def drops(view: View) -> list[Drop]:
    """The filters without which there would be calls; of what cannot be counted in time it is not said."""
    chips = [*view.filters.chips[:6], *([None] if view.filters.q else [])]
    ways = []
    for chip in chips:
        other = View(view.request, view.state, view.principal, view.now_us, view.period, view.filters)
        name = chip.name if chip else "q"
        other.filters = Filters(view.filters.query(without=(name,)), view.filters.extra)
        ways.append(in_time(view.state.store.count(other.which(), at_most=COUNTED_TO)))
    return [
        Drop(
            f"{chip.label} {chip.op} {chip.value}" if chip else f"“{view.filters.q}”",
            view.filters.url(without=(chip.name if chip else "q",)),
            counted(number),
        )
        for chip, number in zip(chips, await asyncio.gather(*ways), strict=True)
        if number
    ]
