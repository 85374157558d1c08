"""Users, tags and cost sources by tenant and environment: which question is answered from where, and that stores of
before are brought up to date without a wrong answer meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.core.span import Span
from gateway.store.base import Batch, Repricing, SpanFilter, SpanWrite
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite.question import Question, asked_of_columns, scope_of
from gateway.store.sqlite.series import TOLD
from gateway.store.sqlite.tally import Shape
from tests.store import contract, naive
from tests.store.naive import DAY, T0, make_span

BEFORE_IT = """
DELETE FROM rollups_hourly WHERE series IN (SELECT id FROM series WHERE scope GLOB 'placed:*');
DELETE FROM rollups_daily WHERE series IN (SELECT id FROM series WHERE scope GLOB 'placed:*');
DELETE FROM series WHERE scope GLOB 'placed:*';
DELETE FROM facts WHERE name GLOB 'odd_tag:*';
INSERT INTO facts SELECT 'unplaced_to', max(id) FROM spans;
"""
"""What 0009 finds and leaves."""

ASKED = [
    SpanFilter(),
    SpanFilter(tenant=("acme",)),
    SpanFilter(environment=("staging",), user=("ann",)),
    SpanFilter(tags=(("team", ("a", "b")),), tenant=("globex",)),
    SpanFilter(tags=(("feature", ("chat",)),), status=("error",)),
    SpanFilter(unpriced=True),
    SpanFilter(exclude=(("tag:feature", ("search",)), ("tag:userId", ("ann",)))),
]


def tidy_span(number: int, **fields: Any) -> Span:
    """As the gateway makes them: what has a tag of its own is in the tags."""
    span = make_span(number, **fields)
    span.tags.pop("feature")
    span.tags |= {tag: value for tag, column in TOLD.items() if (value := getattr(span, column)) is not None}
    return span


def using(path: Path, work: Callable[[SqliteStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = SqliteStore(path)
        await store.connect()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def write(path: Path, spans: list[Span]) -> None:
    using(path, lambda store: store.write(Batch(spans=[SpanWrite(span) for span in spans])))


def scope(path: Path, which: SpanFilter, by: str | None) -> str | None:
    async def work(store: SqliteStore) -> str | None:
        async with store._database.reading() as reader:
            return await scope_of(reader, await asked_of_columns(reader, Question(which, Shape(), by)))

    found: str | None = using(path, work)
    return found


async def check(store: SqliteStore, spans: list[Span]) -> None:
    for which in ASKED:
        chosen = [span for span in spans if naive.matches(span, which)]
        await contract.check_totals(store, which, chosen)
        await contract.check_groups(store, which, chosen)
        whole = msgspec.structs.replace(which, from_us=T0, to_us=T0 + 3 * DAY)
        outline = await store.outline(whole, width_us=DAY)
        assert outline.totals.requests == sum(totals.requests for _, totals in outline.parts) == len(chosen)


@pytest.fixture(scope="module")
def tidy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tidy") / "tidy.db"
    write(path, [tidy_span(number) for number in range(150)])
    return path


@pytest.mark.parametrize(
    ("which", "by", "expected"),
    [
        (SpanFilter(), "user", "user"),
        (SpanFilter(tenant=("acme",)), "user", "placed:user"),
        (SpanFilter(tenant=("acme",), user=("ann",)), None, "placed:user"),
        (SpanFilter(tenant=("acme",)), "tag:userId", "placed:user"),
        (SpanFilter(environment=("staging",)), "tag:team", "placed:tag:team"),
        (SpanFilter(tags=(("team", ("a",)),)), "tenant", "placed:tag:team"),
        (SpanFilter(exclude=(("tenant", ("acme",)),)), "cost_source", "placed:cost_source"),
        (SpanFilter(), "cost_source", "placed:cost_source"),
        (SpanFilter(unpriced=True, tenant=("acme",)), None, "placed:cost_source"),
        (SpanFilter(unpriced=True, model=("fast",)), None, None),
        (SpanFilter(tags=(("feature", ("chat",)),), status=("429",)), None, "call"),
        (SpanFilter(tags=(("feature", ("chat",)), ("environment", ("staging",)))), "model", "call"),
        (SpanFilter(tags=(("tenantSlug", ("acme",)),)), None, "tenant"),
        (SpanFilter(tags=(("team", ("a",)),)), "model", None),
        (SpanFilter(tags=(("team", ("a",)),), user=("ann",)), None, None),
        (SpanFilter(model=("fast",)), "user", None),
        (SpanFilter(tenant=("acme",), q="x"), "user", None),
    ],
)
def test_a_question_finds_its_sums(tidy: Path, which: SpanFilter, by: str | None, expected: str | None) -> None:
    assert scope(tidy, which, by) == expected


def test_columns_answer_for_tags(tidy: Path) -> None:
    using(tidy, lambda store: check(store, [tidy_span(number) for number in range(150)]))


def test_a_tag_that_says_otherwise_is_asked_itself(tmp_path: Path) -> None:
    path, spans = tmp_path / "odd.db", [tidy_span(number) for number in range(60)]
    write(path, spans)
    which = SpanFilter(tags=(("feature", ("chat",)),), tenant=("acme",))
    assert scope(path, which, None) == "call"
    odd = tidy_span(60, feature="search", tenant="acme")
    odd.tags["feature"] = "chat"
    write(path, [odd])
    assert scope(path, which, None) is None
    using(path, lambda store: check(store, [*spans, odd]))


def test_a_store_of_before_is_right_all_the_way(tmp_path: Path) -> None:
    path, spans = tmp_path / "old.db", [tidy_span(number) for number in range(90)]
    spans[3].tags["userId"] = "somebody-else"
    write(path, spans)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(BEFORE_IT)
    newer = [tidy_span(number) for number in range(90, 110)]
    write(path, newer)
    everything = spans + newer

    async def work(store: SqliteStore) -> None:
        await check(store, everything)
        assert await store.place(40) == 40
        await check(store, everything)
        for span in (spans[5], spans[80], newer[0]):  # one to come, one that is counted, one that always was
            span.cost_nanousd, span.cost_source, span.price_id = 77, "override", "p"
            span.input_cost_nanousd = span.output_cost_nanousd = span.charge_nanousd = 1
            await store.reprice([Repricing(span.request_id, 77, 1, 1, 1, "override", "p")])
        while await store.place(40):
            pass
        await check(store, everything)

    using(path, work)
    assert scope(path, SpanFilter(tenant=("acme",)), "user") == "placed:user"
    assert scope(path, SpanFilter(tenant=("acme",)), "tag:userId") is None
