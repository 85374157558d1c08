"""A catalogue of real entries that does not change when litellm is upgraded, and a store that is a dict."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.core.span import Span
from gateway.store.base import Repricing, SpanFilter
from gateway.store.documents import AuditEntry
from pricing.catalog import Catalog
from pricing.edition import Edition, parse
from pricing.history import History

GOLDEN = Path(__file__).parent / "golden" / "entries.json"


@pytest.fixture(scope="session")
def golden() -> Catalog:
    """Entries as litellm published them in November 2026, cut down to what decides a price."""
    return Catalog(Edition(parse(GOLDEN.read_bytes()), History(), "2026-11-01", "a golden file"), {})


class FakeStore:
    """The doors of a store that repricing uses."""

    def __init__(self, spans: Sequence[Span], page: int = 2) -> None:
        self.spans = {span.request_id: span for span in spans}
        self.page = page
        self.open = False
        self.asked: list[SpanFilter] = []
        self.batches: list[int] = []
        self.entries: list[AuditEntry] = []

    async def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)

    async def connect(self) -> None:
        self.open = True

    async def close(self) -> None:
        self.open = False

    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        self.asked.append(which)
        spans = list(self.spans.values())
        for start in range(0, len(spans), self.page):
            yield spans[start : start + self.page]

    async def reprice(self, changes: Sequence[Repricing]) -> int:
        self.batches.append(len(changes))
        for change in changes:
            span = self.spans[change.request_id]
            span.cost_nanousd = change.cost_nanousd
            span.input_cost_nanousd = change.input_cost_nanousd
            span.output_cost_nanousd = change.output_cost_nanousd
            span.charge_nanousd = change.charge_nanousd
            span.cost_source = change.cost_source
            span.price_id = change.price_id
        return len(changes)


@pytest.fixture(scope="session")
def fake_store() -> type[FakeStore]:
    return FakeStore
