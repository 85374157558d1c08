"""Costs of the past, made right: with the price of their time, shown before they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.control.reprice import BATCH, Preview, markup_of, preview, repriced, write
from gateway.core.span import Span
from gateway.store.base import SpanFilter
from pricing import Catalog, Usage

EVERYTHING = SpanFilter()
MARKUP = {"acme": 20.0, "*": 10.0}


def call(number: int, model: str | None = "gpt-4o-mini", **more: object) -> Span:
    """1000 tokens in and out of gpt-4o-mini: 750,000 nano-dollars."""
    fields: dict[str, object] = {
        "request_id": f"call-{number}",
        "kind": "llm",
        "started_at": 1_795_000_000_000_000 + number,
        "provider": "openai",
        "model": model,
        "usage": Usage(input_tokens=1_000, output_tokens=1_000),
        "usage_source": "reported",
    }
    return Span(**{**fields, **more})  # type: ignore[arg-type]  # every field is one of Span


def right(number: int) -> Span:
    return call(
        number,
        cost_nanousd=750_000,
        input_cost_nanousd=150_000,
        output_cost_nanousd=600_000,
        cost_source="catalog",
        price_id="of another day",
    )


Run = Callable[[Sequence[Span]], tuple[Preview, int, Any]]


@pytest.fixture
def run(fake_store: Any, golden: Catalog) -> Run:
    """Previews and writes; what was found, how many changed, and the store."""

    def preview_and_write(spans: Sequence[Span]) -> tuple[Preview, int, Any]:
        return _run(fake_store(spans), golden)

    return preview_and_write


def _run(store: Any, catalog: Catalog) -> tuple[Preview, int, Any]:
    found = asyncio.run(preview(store, catalog, MARKUP, EVERYTHING))
    assert store.batches == [], "a preview writes nothing"
    return found, asyncio.run(write(store, catalog, MARKUP, EVERYTHING)), store


def test_a_call_without_a_cost_gets_one(run: Run) -> None:
    found, changed, store = run([call(1, tenant="acme", service_tier="batch")])
    assert (found.total.calls, found.total.newly_priced, found.total.old_nanousd, found.total.new_nanousd) == (
        1, 1, 0, 375_000,
    )  # fmt: skip
    assert changed == 1
    span = store.spans["call-1"]
    assert (span.cost_nanousd, span.input_cost_nanousd, span.output_cost_nanousd) == (375_000, 75_000, 300_000)
    assert (span.charge_nanousd, span.cost_source, span.price_id) == (450_000, "catalog", "gpt-4o-mini@2026-11-01")


def test_a_wrong_cost_is_put_right(run: Run) -> None:
    found, changed, store = run([call(1, cost_nanousd=1_000_000), right(2)])
    assert (found.seen, found.total.calls, found.total.difference_nanousd) == (2, 1, -250_000)
    assert changed == 1
    assert store.spans["call-1"].charge_nanousd == 825_000


UNTOUCHED = {
    "right already, whatever its price is called": right(1),
    "no usage": call(1, usage=None),
    "billed by the provider's own word": call(1, cost_nanousd=1, cost_source="provider"),
    "answered from the gateway's cache": call(1, cost_nanousd=0, cache="hit"),
    "of a model without a price": call(1, "gpt-99"),
    "of a model without a price, with a cost": call(1, "gpt-99", cost_nanousd=5),
    "of no model": call(1, None),
    "of no provider": call(1, provider=None),
}


@pytest.mark.parametrize("case", UNTOUCHED)
def test_untouched(case: str, run: Run) -> None:
    before = UNTOUCHED[case].cost_nanousd
    found, changed, store = run([UNTOUCHED[case]])
    assert (found.total.calls, changed, store.batches) == (0, 0, [])
    assert store.spans["call-1"].cost_nanousd == before


def test_a_known_cost_is_never_replaced_by_an_unknown_one_and_that_is_said(run: Run) -> None:
    found, _, _ = run([call(1, "gpt-99", cost_nanousd=5), call(2, "gpt-99"), right(3)])
    assert (found.seen, found.kept, found.unpriced) == (3, 1, 1)


def test_by_model_and_in_sum(run: Run) -> None:
    found, _, _ = run([call(1), call(2), call(3, "gpt-4o", cost_nanousd=2_500_000), right(4)])
    assert {name: (one.calls, one.newly_priced, one.difference_nanousd) for name, one in found.models.items()} == {
        "openai/gpt-4o-mini": (2, 2, 1_500_000),
        "openai/gpt-4o": (1, 0, 10_000_000),
    }
    assert (found.total.calls, found.total.difference_nanousd) == (3, 11_500_000)


def test_a_second_run_changes_nothing(run: Run, golden: Catalog) -> None:
    _, _, store = run([call(1), call(2)])
    assert asyncio.run(write(store, golden, MARKUP, EVERYTHING)) == 0


def test_many_calls_are_written_in_small_transactions(run: Run) -> None:
    _, changed, store = run([call(number) for number in range(2 * BATCH + 1)])
    assert changed == 2 * BATCH + 1
    assert store.batches == [BATCH, BATCH, 1]


def test_the_store_is_asked_for_no_more_than_was_asked(fake_store: Any, golden: Catalog) -> None:
    store = fake_store([])
    which = SpanFilter(from_us=1, to_us=2, model=("gpt-4o",))
    asyncio.run(preview(store, golden, {}, which))
    asyncio.run(write(store, golden, {}, which))
    assert store.asked == [which, which]


def test_the_hour_of_the_call_decides(golden: Catalog) -> None:
    peak, cheap = 1_795_140_000_000_000, 1_795_176_000_000_000
    costs = [
        repriced(call(1, "deepseek-flash", provider="deepseek", started_at=at), golden, {}) for at in (peak, cheap)
    ]
    assert [cost.cost_nanousd for cost in costs if cost] == [1_500_000, 750_000]


@pytest.mark.parametrize(
    ("tenant", "markup", "percent"),
    [("acme", MARKUP, 20.0), ("other", MARKUP, 10.0), (None, MARKUP, 10.0), ("acme", {}, 0.0), ("*", {"acme": 1.0}, 0)],
)
def test_markup_by_tenant(tenant: str | None, markup: dict[str, float], percent: float) -> None:
    assert markup_of(tenant, markup) == percent
