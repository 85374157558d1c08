from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.demo import demo
from gateway.core.span import Payload, Span
from gateway.demo.cast import MODELS, TENANTS
from gateway.demo.month import DAY, HOUR, INCIDENT_PROVIDER, Month, month
from gateway.store import open_store
from gateway.store.base import SpanFilter
from pricing import Catalog

UNTIL = 1_763_683_200_000_000  # 2025-11-21, a Friday
PLAN = Month(6000, UNTIL)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def calls(catalog: Catalog) -> list[tuple[Span, Payload]]:
    return list(month(PLAN, catalog))


def test_as_many_calls_as_asked_for_within_the_period_each_with_its_own_id(calls: list[tuple[Span, Payload]]) -> None:
    assert len(calls) == len({span.request_id for span, _ in calls}) == 6000
    assert all(PLAN.from_us <= span.started_at < UNTIL for span, _ in calls)


def test_the_same_seed_makes_the_same_month(calls: list[tuple[Span, Payload]], catalog: Catalog) -> None:
    assert list(month(PLAN, catalog)) == calls
    assert list(month(Month(6000, UNTIL, seed=2), catalog)) != calls


def test_costs_are_those_of_the_catalogue(calls: list[tuple[Span, Payload]], catalog: Catalog) -> None:
    for span, _ in calls:
        if span.usage is None:
            assert span.cost_nanousd is None
            continue
        price = catalog.find(str(span.provider), str(span.model), span.started_at)
        assert span.cost_nanousd == (price and price.cost(span.usage).total_nanousd)  # type: ignore[union-attr]


def test_only_the_models_of_their_own_machine_have_no_price(calls: list[tuple[Span, Payload]]) -> None:
    unpriced = {span.provider for span, _ in calls if span.usage and span.cost_nanousd is None}
    assert unpriced == {"workshop"}


def test_everybody_appears(calls: list[tuple[Span, Payload]]) -> None:
    assert {span.tenant for span, _ in calls} == {tenant.name for tenant in TENANTS}
    assert {span.model for span, _ in calls if span.usage} == {model.answers for model in MODELS.values()}
    assert {span.kind for span, _ in calls} == {"llm", "embedding"}
    assert any(span.tool_calls for span, _ in calls)
    assert any(span.usage and span.usage.cached_input_tokens for span, _ in calls)


def test_weekends_are_quieter(calls: list[tuple[Span, Payload]]) -> None:
    by_day = Counter((span.started_at // DAY + 3) % 7 for span, _ in calls)
    assert by_day[6] < by_day[1] / 2


def test_the_overloaded_provider_fails_for_two_hours_and_others_stand_in(catalog: Catalog) -> None:
    plan = Month(40_000, UNTIL, days=2)
    inside = [span for span, _ in month(plan, catalog) if plan.in_incident(span.started_at)]
    assert max(span.started_at for span in inside) - min(span.started_at for span in inside) <= 2 * HOUR
    hit = [span for span in inside if any(attempt.status_code == 529 for attempt in span.attempts)]
    assert {attempt.provider for span in hit for attempt in span.attempts[:2]} == {INCIDENT_PROVIDER}
    assert {span.status_code for span in hit} == {200, 529}
    assert all(span.provider == "openai" for span in hit if span.status_code == 200)


def test_an_answer_that_streams_is_timed(calls: list[tuple[Span, Payload]]) -> None:
    for span, payload in calls:
        if span.status_code == 200 and span.stream:
            assert span.ttft_us is not None
            assert span.latency_us is not None
            assert 0 < span.ttft_us <= span.latency_us
            assert payload.response_body is not None
            assert payload.response_body.endswith(b"data: [DONE]\n\n")


def test_the_command_fills_a_store(tmp_path: Path) -> None:
    done = CliRunner().invoke(demo, ["--calls", "300", "--days", "2", "--data", str(tmp_path)])
    assert (done.exit_code, "300 calls over 2 days" in done.output) == (0, True), done.output

    async def count() -> int:
        store = open_store("sqlite:///callgate.db", tmp_path)
        await store.connect()
        try:
            return await store.count(SpanFilter())
        finally:
            await store.close()

    assert asyncio.run(count()) == 300
