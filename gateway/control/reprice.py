"""Recomputing costs from stored usage, with the price that was valid when the call was made.

Usage is what the provider said and stays; the cost is what it comes to. When a price was missing or wrong, the costs
of the past can be made right: `preview` says what would change, `write` changes it. Both stream: a month of calls is
never in memory. A cost that is known is never replaced by an unknown one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from gateway.core.span import Span
from gateway.store.base import Repricing, SpanFilter, Store
from pricing import Catalog, Cost, Price, billed, charge

BATCH = 1000
"""Rows a transaction, so that the recorder never waits long."""


@dataclass
class Difference:
    """Of the calls of one model whose cost changes. Nano-dollars."""

    calls: int = 0
    old_nanousd: int = 0
    new_nanousd: int = 0
    newly_priced: int = 0
    """Of the calls, those that had no cost."""

    @property
    def difference_nanousd(self) -> int:
        return self.new_nanousd - self.old_nanousd

    def add(self, old: int | None, new: int) -> None:
        self.calls += 1
        self.newly_priced += old is None
        self.old_nanousd += old or 0
        self.new_nanousd += new


@dataclass
class Preview:
    """What repricing would change. `models` is by `provider/model` and holds only models with a change."""

    seen: int = 0
    """Calls with usage in the period."""
    unpriced: int = 0
    """Of these, calls that have no cost and get none: no price is known."""
    kept: int = 0
    """Of these, calls that keep their cost because no price is known now."""
    models: dict[str, Difference] = field(default_factory=dict)
    total: Difference = field(default_factory=Difference)


async def preview(store: Store, catalog: Catalog, markup: Mapping[str, float], which: SpanFilter) -> Preview:
    """What `write` with the same arguments would do. Changes nothing."""
    found = Preview()
    async for span in _billable(store, which):
        found.seen += 1
        new = repriced(span, catalog, markup)
        if new is not None and new.cost_nanousd is not None:
            name = f"{span.provider}/{span.model}"
            found.models.setdefault(name, Difference()).add(span.cost_nanousd, new.cost_nanousd)
            found.total.add(span.cost_nanousd, new.cost_nanousd)
        elif span.cost_nanousd is None:
            found.unpriced += 1
        elif not _priced_now(span, catalog):
            found.kept += 1
    return found


async def write(store: Store, catalog: Catalog, markup: Mapping[str, float], which: SpanFilter) -> int:
    """Writes the new costs, rollups included; how many calls changed.

    Every transaction is whole. Interrupted, it can be run again: what is right already does not change.
    """
    changed = 0
    batch: list[Repricing] = []
    async for span in _billable(store, which):
        new = repriced(span, catalog, markup)
        if new is not None:
            batch.append(new)
        if len(batch) >= BATCH:
            changed += await store.reprice(batch)
            batch = []
    if batch:
        changed += await store.reprice(batch)
    return changed


def repriced(span: Span, catalog: Catalog, markup: Mapping[str, float]) -> Repricing | None:
    """The cost the call should have; None where it has that already, or where no price is known.

    What a provider billed by its own word is evidence and stays, and so does what the gateway answered from its cache.
    """
    if span.usage is None or span.provider is None or span.model is None:
        return None
    if span.cost_source == "provider" or span.cache == "hit":
        return None
    found = _bill(span, catalog)
    if found is None:
        return None
    price, cost = found
    total = cost.total_nanousd + spent_before(span)
    if (total, cost.input_nanousd, cost.output_nanousd) == (
        span.cost_nanousd,
        span.input_cost_nanousd,
        span.output_cost_nanousd,
    ):
        return None
    return Repricing(
        request_id=span.request_id,
        cost_nanousd=total,
        input_cost_nanousd=cost.input_nanousd,
        output_cost_nanousd=cost.output_nanousd,
        charge_nanousd=charge(total, markup_of(span.tenant, markup)),
        cost_source=price.source,
        price_id=price.price_id,
    )


def spent_before(span: Span) -> int:
    """Nano-dollars of the attempts that failed before the one that answered: part of the call's cost as they were."""
    return sum(attempt.cost_nanousd or 0 for attempt in span.attempts[:-1])


def markup_of(tenant: str | None, markup: Mapping[str, float]) -> float:
    """`prices.markup_percent` of a tenant: its own, else that of `*`."""
    everyone = markup.get("*", 0.0)
    return everyone if tenant is None else markup.get(tenant, everyone)


async def _billable(store: Store, which: SpanFilter) -> AsyncIterator[Span]:
    async for page in store.export(which):
        for span in page:
            if span.usage is not None:
                yield span


def _priced_now(span: Span, catalog: Catalog) -> bool:
    return _bill(span, catalog) is not None


def _bill(span: Span, catalog: Catalog) -> tuple[Price, Cost] | None:
    model = span.priced_as or span.model
    if span.usage is None or span.provider is None or model is None:
        return None
    return billed(catalog, span.provider, model, span.usage, span.service_tier, span.also, span.started_at)
