from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.span import ERROR_TYPES
from gateway.dialects import Answer
from gateway.proxy.bills import Bills
from gateway.proxy.costing import Cost, cost_of, dollars, error_type_of, estimated_tokens
from pricing import Billed, Catalog, Usage
from pricing.edition import Edition, parse
from pricing.history import History
from tests.proxy.fakes import catalog, table

PROVIDERS = {"one": {"dialect": "openai", "base_url": "http://h/v1"}}
PRICES = catalog(
    one__m={"input_per_mtok": 1.0, "output_per_mtok": 2.0},
    **{"one__m-2026": {"input_per_mtok": 10.0, "output_per_mtok": 20.0}},
)
USAGE = Usage(input_tokens=100, output_tokens=10)


def cost(answer: Answer, model: str = "m", tenant: str | None = None, **prices: object) -> Cost:
    of = table(PRICES, providers=PROVIDERS, default_provider="one", prices=prices)
    return cost_of(answer, of.resolve(model).targets[0], of, tenant, 1_790_000_000_000_000)


def test_the_model_that_answered_is_what_is_priced() -> None:
    asked, answered = cost(Answer(usage=USAGE)), cost(Answer(usage=USAGE, model="m-2026"))
    assert (asked.total, asked.input, asked.output) == (120_000, 100_000, 20_000)
    assert (answered.total, answered.source) == (1_200_000, "override")
    assert answered.price_id != asked.price_id


@pytest.mark.parametrize(
    "answer", [Answer(), Answer(model="m"), Answer(usage=USAGE, model="unknown"), Answer(usage=Usage(), model="m")]
)
def test_what_is_not_known_costs_null_and_not_nothing(answer: Answer) -> None:
    found = cost(answer)
    assert (found.total, found.input, found.output, found.charge) == (None, None, None, None)
    assert (found.source, found.price_id) == ("none", None)


def test_a_tenant_is_charged_with_its_markup() -> None:
    markups = {"markup_percent": {"acme": 10}}
    assert cost(Answer(usage=USAGE), tenant="acme", **markups).charge == 132_000
    assert cost(Answer(usage=USAGE), tenant="other", **markups).charge == 120_000
    assert cost(Answer(usage=USAGE), tenant="acme", **markups).total == 120_000


LISTED = Catalog(
    Edition(
        parse(b'{"one/m":{"litellm_provider":"one","input_cost_per_token":1e-6,"output_cost_per_token":2e-6}}'),
        History(),
        "2026-11-01",
        "a test",
    ),
    {},
)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, (120_000, 100_000, 20_000, "catalog")),
        (90_000, (90_000, None, None, "provider")),
        (120_000, (120_000, 100_000, 20_000, "provider")),
        (0, (0, None, None, "provider")),
    ],
)
def test_what_the_provider_says_it_charges_comes_before_the_catalogue(
    said: int | None, found: tuple[object, ...]
) -> None:
    of = table(LISTED, providers=PROVIDERS, default_provider="one")
    booked = cost_of(Answer(usage=USAGE, cost_nanousd=said), of.resolve("m").targets[0], of, None, 1)
    assert (booked.total, booked.input, booked.output, booked.source) == found
    assert (booked.price_id is None) == (said is not None)
    assert booked.charge == booked.attempt == booked.total


def test_a_price_of_ones_own_comes_before_everything() -> None:
    assert cost(Answer(usage=USAGE, cost_nanousd=5)).source == "override"
    assert cost(Answer(usage=USAGE, model="unknown", cost_nanousd=5)).total == 5


def test_a_charge_is_believed_without_counts() -> None:
    assert cost(Answer(model="unknown", cost_nanousd=7)).total == 7


def test_others_that_worked_for_the_call_are_paid_at_their_own_price() -> None:
    helper = Billed("m-2026", Usage(input_tokens=10))
    both = cost(Answer(usage=USAGE, also=[helper]))
    assert (both.total, both.input, both.output) == (220_000, 200_000, 20_000)
    assert cost(Answer(usage=USAGE, also=[helper, Billed("unknown", Usage(input_tokens=1))])).total is None


def test_what_is_free_costs_nothing_counted_or_not() -> None:
    free = catalog(one__m={"input_per_mtok": 0.0, "output_per_mtok": 0.0})
    of = table(free, providers=PROVIDERS, default_provider="one")
    target = of.resolve("m").targets[0]
    assert cost_of(Answer(model="m"), target, of, None, 1).total == 0
    assert cost_of(Answer(), target, of, None, 1).total is None
    assert cost_of(Answer(model="m", error="no"), target, of, None, 1).total is None


def test_a_bill_is_settled_once() -> None:
    bills = Bills()
    first, again, other = (Answer(usage=USAGE, usage_raw=b"{}", bill_id="r-1", cost_nanousd=3) for _ in range(3))
    queued = Answer(bill_id="r-1")
    for provider, answer in (("one", queued), ("one", first), ("one", again), ("two", other)):
        bills.settle_once(provider, answer)
    assert [(answer.usage, answer.bill_id) for answer in (queued, first, again, other)] == [
        (None, None),
        (USAGE, "one:r-1"),
        (None, None),
        (USAGE, "two:r-1"),
    ]
    assert (again.usage_raw, again.cost_nanousd) == (b"{}", None)
    made = Answer(usage=USAGE, bill_id="r-1", bill_is_own=True)
    bills.settle_once("one", made)
    assert made.usage == USAGE
    assert cost(again).total is None


def test_not_every_bill_is_remembered() -> None:
    bills = Bills()
    for number in range(20_000):
        bills.settle_once("one", Answer(usage=USAGE, bill_id=str(number)))
    newest, oldest = (Answer(usage=USAGE, bill_id=name) for name in ("19999", "0"))
    bills.settle_once("one", newest)
    bills.settle_once("one", oldest)
    assert (newest.usage, oldest.usage) == (None, USAGE)


@pytest.mark.parametrize(
    ("nanousd", "written"),
    [
        (0, b"0.0"),
        (1, b"0.000000001"),
        (2850, b"0.00000285"),
        (1_000_000_000, b"1.0"),
        (1_234_567_890, b"1.23456789"),
        (10**18 + 1, b"1000000000.000000001"),
    ],
)
def test_dollars(nanousd: int, written: bytes) -> None:
    assert dollars(nanousd) == written


@given(st.integers(0, 10**20))
def test_dollars_are_exact(nanousd: int) -> None:
    assert Decimal(dollars(nanousd).decode()) == Decimal(nanousd).scaleb(-9)


@pytest.mark.parametrize(
    ("status", "message", "error_type"),
    [
        (200, None, None),
        (200, "maximum context", None),
        (304, None, None),
        (400, None, "invalid_request"),
        (400, "This model's Maximum Context length is 8192 tokens", "context_length"),
        (400, "prompt is too long: 210000 tokens", "context_length"),
        (400, "triggering Azure's content management policy", "content_filter"),
        (500, "maximum context", "upstream_error"),
        (401, None, "authentication"),
        (402, None, "authentication"),
        (403, None, "authentication"),
        (404, None, "invalid_request"),
        (408, None, "timeout"),
        (418, None, "invalid_request"),
        (429, None, "rate_limit"),
        (500, None, "upstream_error"),
        (503, None, "upstream_error"),
        (504, None, "timeout"),
        (529, None, "upstream_error"),
    ],
)
def test_the_category_of_a_failure(status: int, message: str | None, error_type: str | None) -> None:
    assert error_type_of(status, message) == error_type
    assert error_type is None or error_type in ERROR_TYPES


@pytest.mark.parametrize(("size", "tokens"), [(0, 1), (1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_an_estimate_is_a_token_for_four_bytes(size: int, tokens: int) -> None:
    assert estimated_tokens(size) == tokens


def test_what_failed_attempts_cost_is_charged_as_the_call_is() -> None:
    found = cost(Answer(usage=USAGE), tenant="acme", markup_percent={"acme": 10})
    found.add(30_000, 10)
    assert (found.total, found.charge, found.attempt) == (150_000, 165_000, 120_000)
    unpriced = cost(Answer())
    unpriced.add(7, 0)
    assert (unpriced.total, unpriced.charge, unpriced.attempt) == (7, 7, None)
