"""What every store must do; `documents_contract` is the other half. A store's own test module imports all of both and
gives the session's fixture `store_at`: a function from an empty folder to a store, the same for the same folder."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.key import Key
from gateway.core.span import Payload, Span
from gateway.errors import StoreError
from gateway.store.base import (
    Batch,
    CarriedOpen,
    JournalPosition,
    Rejected,
    Repricing,
    SpanFilter,
    SpanWrite,
    Store,
    TagValue,
)
from pricing import Usage
from tests.store import naive
from tests.store.naive import DAY, FULL_SPAN, HOUR, T0, make_span, make_write

MakeStore = Callable[[], Store]
Filled = tuple[MakeStore, list[Span]]

FILTERS = [
    SpanFilter(),
    SpanFilter(tenant=("acme",)),
    SpanFilter(tenant=("acme",), model=("gpt-4o-mini",)),
    SpanFilter(model=("claude-sonnet-4-5", "fast")),
    SpanFilter(provider=("openai",), stream=True, kind=("llm",)),
    SpanFilter(status=("ok",)),
    SpanFilter(status=("error",)),
    SpanFilter(status=("4xx", "interrupted")),
    SpanFilter(status=("429",), environment=("staging",)),
    SpanFilter(key=("key-1",)),
    SpanFilter(user=("ann",)),
    SpanFilter(user=("ann", "bob"), session=("s1",)),
    SpanFilter(user=("bob",), tenant=("acme", "globex")),
    SpanFilter(environment=("staging",)),
    SpanFilter(feature=("chat",), stream=False),
    SpanFilter(trace=("trace-1",)),
    SpanFilter(min_latency_us=200_000, max_latency_us=900_000),
    SpanFilter(min_cost_nanousd=2_000_000, max_cost_nanousd=8_000_000),
    SpanFilter(min_input_tokens=100, max_input_tokens=900),
    SpanFilter(min_output_tokens=20, max_output_tokens=200, stream=True),
    SpanFilter(unpriced=True),
    SpanFilter(q="ABO"),
    SpanFilter(q="請求書"),
    SpanFilter(tags=(("feature", ("chat",)),)),
    SpanFilter(tags=(("feature", ("chat", "摘要")), ("team", ("a",)))),
    SpanFilter(tags=(("team", ("a", "b")),), tenant=("globex",)),
    SpanFilter(tags=(("team", ("nobody",)),)),
    SpanFilter(prompt=("triage",), prompt_version=("triage@2", "greeting@1")),
    SpanFilter(tags=(("team", ("a", "c")),), exclude=(("environment", ("staging",)), ("tenant", ("acme",)))),
    SpanFilter(exclude=(("model", ("fast",)),)),
    SpanFilter(exclude=(("tenant", ("acme",)), ("prompt_version", ("triage@1", "triage@2")))),
    SpanFilter(exclude=(("status", ("ok", "429")), ("key", ("key-1",)))),
    SpanFilter(exclude=(("user", ("ann",)), ("trace", ("trace-7",))), provider=("openai",)),
    SpanFilter(exclude=(("tag:team", ("a", "nobody")), ("session", ("s2",)))),
]
PERIODS = [
    (None, None),
    (T0 + HOUR, T0 + 30 * HOUR),
    (T0 + 17 * 60_000_000 + 1, T0 + 50 * HOUR + 123_456),
    (T0 + 5 * 60_000_000, T0 + 25 * 60_000_000),
]
RUNS = itertools.count(1)
DIMENSIONS = [
    "model",
    "provider",
    "tenant",
    "environment",
    "provider_model",
    "feature",
    "prompt",
    "prompt_version",
    "key",
    "user",
    "tag:feature",
    "tag:team",
    "cost_source",
]


@pytest.fixture
def make_store(store_at: Callable[[Path], Store], tmp_path: Path) -> MakeStore:
    return lambda: store_at(tmp_path)


@pytest.fixture(scope="module")
def filled(store_at: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """One store for all tests that only read."""
    folder = tmp_path_factory.mktemp("filled")
    return lambda: store_at(folder), using(lambda: store_at(folder), fill)


def using(make_store: MakeStore, work: Callable[[Store], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = make_store()
        await store.connect()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def within(which: SpanFilter, from_us: int | None, to_us: int | None) -> SpanFilter:
    return msgspec.structs.replace(which, from_us=from_us, to_us=to_us)


async def fill(store: Store, count: int = 400) -> list[Span]:
    writes = [make_write(number) for number in range(count)]
    for start in range(0, count, 130):
        written = await store.write(Batch(spans=writes[start : start + 130]))
        assert (written.new, written.rejected) == (min(130, count - start), [])
    return [write.span for write in writes]


# ------------------------------------------------------------------------------------------------ writing


def test_a_span_comes_back_as_it_was_written(make_store: MakeStore) -> None:
    payload = Payload(
        request_body=b"{}",
        response_body="data: é\n\n".encode(),
        response_text="é",
        request_bytes=2,
        response_bytes=10,
        request_headers=[("a", "b")],
        timing=[(1, 2)],
        redactions={"email": 2},
    )

    async def work(store: Store) -> None:
        await store.write(Batch(spans=[SpanWrite(FULL_SPAN, payload), make_write(1)]))
        detail = await store.span(FULL_SPAN.request_id)
        assert detail is not None
        assert (detail.span, detail.payload, detail.redactions) == (FULL_SPAN, payload, {"email": 2})
        assert await store.span("nobody") is None

    using(make_store, work)


def test_writing_again_changes_nothing(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        spans = await fill(store)
        before = await store.stats(SpanFilter()), await store.tag_keys(), await store.field_values("model")
        again = await store.write(Batch(spans=[SpanWrite(span) for span in spans]))
        assert (again.new, again.rejected) == (0, [])
        assert (await store.stats(SpanFilter()), await store.tag_keys(), await store.field_values("model")) == before

    using(make_store, work)


@pytest.mark.parametrize(
    "fields",
    [
        {"cost_nanousd": 1 << 70},
        {"started_at": -5},
        {"error_message": "half a \ud83d"},
        {"tags": {"k\udc00": "v"}},
        {"tenant": "\udfff"},
        {"request_id": "\udfff"},
    ],
)
def test_a_row_that_cannot_be_written_is_alone_in_its_fate(make_store: MakeStore, fields: dict[str, Any]) -> None:
    async def work(store: Store) -> None:
        batch = Batch(spans=[make_write(n) for n in range(7)], positions=[JournalPosition("w0", 1, 2)])
        for name, value in fields.items():
            setattr(batch.spans[3].span, name, value)
        written = await store.write(batch)
        assert written.new == 6
        assert [rejected.span for rejected in written.rejected] == [batch.spans[3]]
        assert written.rejected[0].error
        assert (await store.stats(SpanFilter())).totals.requests == 6
        assert await store.positions() == {"w0": JournalPosition("w0", 1, 2)}

    using(make_store, work)


@pytest.mark.parametrize(("from_us", "to_us"), [(T0 + 30 * HOUR + 5, T0 + 3 * HOUR + 1), (T0 + 7, T0 + 7), (T0, 0)])
def test_a_period_that_ends_before_it_starts_is_empty(filled: Filled, from_us: int, to_us: int) -> None:
    make_store, _ = filled

    async def work(store: Store) -> None:
        which = within(SpanFilter(), from_us, to_us)
        assert (await store.stats(which)).totals == naive.totals([])
        assert await store.groups(which, "model") == []
        assert await store.count(which) == 0

    using(make_store, work)


def test_a_rejected_row_is_set_aside_before_the_journal_lets_go(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        batch = Batch(spans=[make_write(n) for n in range(3)], positions=[JournalPosition("w0", 1, 2)])
        batch.spans[1].span.tenant = "\udfff"

        async def full_disk(_: list[Rejected]) -> None:
            raise OSError(28, "No space left on device")

        with pytest.raises(StoreError):
            await store.write(batch, full_disk)
        assert (await store.stats(SpanFilter())).totals.requests == 0
        assert await store.positions() == {}

        aside: list[Rejected] = []

        async def keep(rejected: list[Rejected]) -> None:
            aside.extend(rejected)

        assert (await store.write(batch, keep)).new == 2
        assert [each.span for each in aside] == [batch.spans[1]]
        assert await store.positions() == {"w0": JournalPosition("w0", 1, 2)}

    using(make_store, work)


def test_positions_and_carried_opens_move_with_the_batch(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        opens = [CarriedOpen("w0", "a", b"\x00frame"), CarriedOpen("w0", "b", b""), CarriedOpen("w1", "c", b"x")]
        await store.write(Batch(positions=[JournalPosition("w0", 1, 10), JournalPosition("w1", 1, 0)], carry=opens))
        await store.write(Batch(positions=[JournalPosition("w0", 2, 5)], carry_done=["a"]))
        assert await store.positions() == {"w0": JournalPosition("w0", 2, 5), "w1": JournalPosition("w1", 1, 0)}
        assert await store.carried("w0") == [opens[1]]
        assert await store.carried("w1") == [opens[2]]

    using(make_store, work)


def test_what_was_written_survives_closing(make_store: MakeStore) -> None:
    using(make_store, lambda store: store.write(Batch(spans=[make_write(1)])))
    assert using(make_store, lambda store: store.count(SpanFilter())) == 1


# ------------------------------------------------------------------------------------------------ lists


@pytest.mark.parametrize("order", ["newest", "oldest", "slowest", "costliest"])
def test_pages_meet_without_gap_or_overlap_in_both_directions(filled: Filled, order: str) -> None:
    figure, reverse = {
        "newest": ("started_at", True),
        "oldest": ("started_at", False),
        "slowest": ("latency_us", True),
        "costliest": ("cost_nanousd", True),
    }[order]
    make_store, written = filled

    async def work(store: Store) -> None:
        spans = written
        figures = [getattr(span, figure) for span in spans if getattr(span, figure) is not None]
        pages = [await store.spans(SpanFilter(), limit=37, order=order)]
        assert pages[0].prev_cursor is None
        while pages[-1].next_cursor:
            pages.append(await store.spans(SpanFilter(), limit=37, cursor=pages[-1].next_cursor, order=order))
        listed = [span for page in pages for span in page.items]
        assert [getattr(span, figure) for span in listed] == sorted(figures, reverse=reverse)
        assert len({span.request_id for span in listed}) == len(listed)

        page = pages[-1]
        backwards = [page.items]
        while page.prev_cursor:
            page = await store.spans(SpanFilter(), limit=37, cursor=page.prev_cursor, order=order)
            backwards.insert(0, page.items)
        assert [span for items in backwards for span in items] == listed

    using(make_store, work)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("which", FILTERS, ids=repr)
def test_lists_counts_and_exports_hold_what_the_filter_says(
    filled: Filled, which: SpanFilter, period: tuple[int | None, int | None]
) -> None:
    which = within(which, *period)
    make_store, written = filled

    async def work(store: Store) -> None:
        spans = written
        expected = sorted((s for s in spans if naive.matches(s, which)), key=lambda s: s.started_at, reverse=True)
        assert (await store.spans(which, limit=1000)).items == expected
        assert await store.count(which) == len(expected)
        assert await store.count(which, at_most=3) == min(len(expected), 4)
        assert [span async for page in store.export(which, page=50) for span in page] == expected
        rows = [row async for page in store.export_rows(which, page=50) for row in page]
        assert rows == [naive.as_stored(span) for span in expected]
        if len(expected) >= 3:
            ids = [span.request_id for span in expected]
            assert await store.neighbours(ids[1], which) == (ids[0], ids[2])
            assert await store.neighbours(ids[0], which) == (None, ids[1])

    using(make_store, work)


@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "", "🙂"])
def test_a_foreign_cursor_is_a_value_error(make_store: MakeStore, cursor: str) -> None:
    async def work(store: Store) -> None:
        await fill(store, 3)
        if cursor:
            with pytest.raises(ValueError, match="cursor"):
                await store.spans(SpanFilter(), limit=1, cursor=cursor)
        newest = (await store.spans(SpanFilter(), limit=1)).next_cursor
        with pytest.raises(ValueError, match="order"):
            await store.spans(SpanFilter(), limit=1, cursor=newest, order="slowest")

    using(make_store, work)


def test_the_tail_follows_the_order_of_writing(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        await store.write(Batch(spans=[make_write(1)]))
        start = await store.tail(None)
        assert start.items == []
        await store.write(Batch(spans=[make_write(3, started_at=T0 + 9), make_write(2, started_at=T0)]))
        tail = await store.tail(start.mark)
        assert [span.started_at for _, span in tail.items] == [T0 + 9, T0]
        assert (await store.tail(tail.mark)).items == []

    using(make_store, work)


# ------------------------------------------------------------------------------------------------ totals


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("which", FILTERS, ids=repr)
def test_totals_equal_those_of_the_rows(
    filled: Filled, which: SpanFilter, period: tuple[int | None, int | None]
) -> None:
    which = within(which, *period)
    make_store, written = filled

    async def work(store: Store) -> None:
        spans = [span for span in written if naive.matches(span, which)]
        await check_totals(store, which, spans)
        await check_groups(store, which, spans)
        failures = await store.failures(which, limit=1000)
        found = {(f.error_type, f.status_code, f.provider, f.model): f.count for f in failures}
        assert found == naive.failures(spans)

    using(make_store, work)


async def check_totals(store: Store, which: SpanFilter, spans: list[Span]) -> None:
    stats = await store.stats(which)
    assert stats.totals == naive.totals(spans)
    naive.assert_distribution(stats.latency, [span.latency_us for span in spans])
    naive.assert_distribution(stats.ttft, [span.ttft_us for span in spans])
    naive.assert_distribution(stats.overhead, [span.overhead_us for span in spans])
    naive.assert_distribution(stats.output, outputs(spans))
    assert sum(await store.overhead_counts(which)) == sum(span.overhead_us is not None for span in spans)
    for by in ("model", "provider_model"):
        await check_profiles(store, which, spans, by)


def outputs(spans: Iterable[Span]) -> list[int]:
    """Lengths of the answers that have any."""
    return [span.usage.output_tokens for span in spans if span.usage and span.usage.output_tokens]


async def check_profiles(store: Store, which: SpanFilter, spans: list[Span], by: str) -> None:
    expected = naive.by_dimension(spans, by)
    profiles = await store.profiles(which, by)
    assert {profile.key for profile in profiles} == set(expected)
    costs = [profile.whole.totals.cost_nanousd for profile in profiles]
    assert costs == sorted(costs, reverse=True)
    for profile in profiles:
        mine = expected[profile.key]
        assert profile.whole.totals == naive.totals(mine)
        naive.assert_distribution(profile.whole.latency, [span.latency_us for span in mine])
        naive.assert_distribution(profile.whole.ttft, [span.ttft_us for span in mine])
        naive.assert_distribution(profile.whole.output, outputs(mine))
        assert sum(profile.outputs) == len(outputs(mine))


async def check_groups(store: Store, which: SpanFilter, spans: list[Span]) -> None:
    for by in DIMENSIONS:
        groups = await store.groups(which, by)
        expected = naive.by_dimension(spans, by)
        assert {group.key: group.totals for group in groups} == {key: naive.totals(of) for key, of in expected.items()}
        for group in groups:
            if group.key is not None and by != "cost_source":
                naive.assert_distribution(group.latency, [span.latency_us for span in expected[group.key]])
        costs = [group.totals.cost_nanousd for group in groups]
        assert costs == sorted(costs, reverse=True)


ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("which", [FILTERS[0], FILTERS[2], FILTERS[10], FILTERS[23]], ids=repr)
def test_days_are_those_of_the_zone(filled: Filled, which: SpanFilter, zone: str) -> None:
    which = within(which, T0 + 1234, T0 + int(2.5 * DAY))
    make_store, written = filled

    async def work(store: Store) -> None:
        spans = [span for span in written if naive.matches(span, which)]
        buckets = await store.buckets(which, width_us=DAY, split="model", time_zone=zone)
        for bucket in buckets:
            start = datetime.fromtimestamp(bucket.from_us / 1e6, ZoneInfo(zone))
            assert (start.hour, start.minute, start.second) == (0, 0, 0)
            end = int((start + timedelta(days=1)).timestamp() * 1e6)
            inside = [span for span in spans if bucket.from_us <= span.started_at < end]
            check_bucket(bucket, inside)
        assert sum(bucket.totals.requests for bucket in buckets) == len(spans)
        groups = await store.groups(which, "day", time_zone=zone)
        assert [group.totals for group in groups] == [b.totals for b in buckets if b.totals.requests]
        assert [int(datetime.fromisoformat(str(group.key)).timestamp() * 1e6) for group in groups] == [
            bucket.from_us for bucket in buckets if bucket.totals.requests
        ]

    using(make_store, work)


def check_bucket(bucket: Any, inside: list[Span]) -> None:
    assert bucket.totals == naive.totals(inside)
    naive.assert_distribution(bucket.latency, [span.latency_us for span in inside])
    naive.assert_distribution(bucket.ttft, [span.ttft_us for span in inside])
    assert sum(bucket.errors_by_type.values()) == bucket.totals.errors
    assert sum(bucket.cost_by.values()) == bucket.totals.cost_nanousd
    costs = {key or "": sum(s.cost_nanousd or 0 for s in of) for key, of in naive.by_dimension(inside, "model").items()}
    assert bucket.cost_by == {key: cost for key, cost in costs.items() if cost}


@pytest.mark.parametrize("width", [HOUR, 6 * HOUR, 15 * 60_000_000, 60_000_000 * 90])
def test_parts_of_a_day_start_at_their_multiples(filled: Filled, width: int) -> None:
    which = SpanFilter(from_us=T0 + 999, to_us=T0 + 31 * HOUR + 5)
    make_store, written = filled

    async def work(store: Store) -> None:
        spans = [span for span in written if naive.matches(span, which)]
        buckets = await store.buckets(which, width_us=width, split="model")
        assert [bucket.from_us for bucket in buckets] == list(range(T0 // width * width, T0 + 31 * HOUR + 5, width))
        for bucket in buckets:
            check_bucket(bucket, [s for s in spans if bucket.from_us <= s.started_at < bucket.from_us + width])
        curves = await store.curves(which, "model", ["gpt-4o-mini", "nobody"], width_us=width)
        starts = [bucket.from_us for bucket in buckets]
        assert [[bucket.from_us for bucket in curve] for curve in curves.values()] == [starts, starts]
        for bucket in curves["gpt-4o-mini"]:
            inside = [s for s in spans if bucket.from_us <= s.started_at < bucket.from_us + width]
            mine = [span for span in inside if span.model == "gpt-4o-mini"]
            assert bucket.totals == naive.totals(mine)
            naive.assert_distribution(bucket.latency, [span.latency_us for span in mine])
            naive.assert_distribution(bucket.ttft, [span.ttft_us for span in mine])
        assert not any(bucket.totals.requests for bucket in curves["nobody"])
        outline = await store.outline(which, width_us=width)
        assert [start for start, _ in outline.parts] == starts
        for name in ("requests", "errors", "cancelled", "cost_nanousd"):
            amounts = [getattr(bucket.totals, name) for bucket in buckets]
            assert [getattr(part, name) for _, part in outline.parts] == amounts
            assert getattr(outline.totals, name) == sum(amounts)
        naive.assert_distribution(outline.latency, [span.latency_us for span in spans])
        few = await store.groups(which, "user", among=["ann", None, "nobody"], latency=False)
        users = [group for group in await store.groups(which, "user") if group.key != "bob"]
        assert [(group.key, group.totals) for group in few] == [(group.key, group.totals) for group in users]
        assert not any(group.latency.count for group in few)
        groups = await store.groups(which, "tenant", spark_width_us=width)
        for group in groups:
            mine = [span for span in spans if span.tenant == group.key]
            assert group.series == [
                sum(bucket.from_us <= span.started_at < bucket.from_us + width for span in mine) for bucket in buckets
            ]

    using(make_store, work)


@pytest.mark.parametrize(
    ("width", "zone", "says"),
    [(0, "UTC", "µs"), (DAY + HOUR, "UTC", "whole days"), (1, "UTC", "wider"), (DAY, "Mars/Base", "Mars/Base")],
)
def test_buckets_that_make_no_sense_are_value_errors(make_store: MakeStore, width: int, zone: str, says: str) -> None:
    which = SpanFilter(from_us=T0, to_us=T0 + DAY)
    with pytest.raises(ValueError, match=says):
        using(make_store, lambda store: store.buckets(which, width_us=width, time_zone=zone))


def test_the_latest_message_of_a_failure_is_kept(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        fields = {"status_code": 503, "error_type": "upstream_error", "provider": "openai", "model": "m"}
        for number, message in enumerate(["first", "last"]):
            span = make_span(number, started_at=T0 + number * HOUR, error_message=message, **fields)
            await store.write(Batch(spans=[SpanWrite(span)]))
        [failure] = await store.failures(SpanFilter(from_us=T0, to_us=T0 + DAY), spark_width_us=HOUR)
        assert (failure.count, failure.message, failure.last_at) == (2, "last", T0 + HOUR)
        assert failure.series[:3] == [1, 1, 0]

    using(make_store, work)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 60), min_size=1, max_size=6), data=st.data())
def test_however_it_was_written_the_sums_are_right(
    make_store: MakeStore, seed: int, cuts: list[int], data: st.DataObject
) -> None:
    """Random spans, batch boundaries, repetitions, prices that change, and a random period."""
    rng = random.Random(seed)
    run = next(RUNS)  # the examples share a store: each has its own ids, environment and tenant
    spans = {span.request_id: span for span in (make_span((run << 20) + n, rng) for n in range(sum(cuts)))}
    ids = list(spans)
    from_us = data.draw(st.one_of(st.none(), st.integers(T0 - HOUR, T0 + 3 * DAY)))
    to_us = data.draw(st.one_of(st.none(), st.integers(T0 - HOUR, T0 + 3 * DAY)))
    which = within(rng.choice(FILTERS), from_us, to_us)
    tenant, environment = f"tenant-{run}", f"env-{run}"
    for span in spans.values():
        span.tenant = tenant if span.tenant == "acme" else span.tenant
        span.environment = environment
    which = msgspec.structs.replace(which, environment=(environment,), tenant=(tenant,) if which.tenant else ())

    async def work(store: Store) -> None:
        at = 0
        for cut in cuts:
            again = rng.sample(ids[:at], min(at, rng.randrange(4)))
            batch = [spans[i] for i in [*ids[at : at + cut], *again]]
            rng.shuffle(batch)
            assert (await store.write(Batch(spans=[SpanWrite(span) for span in batch]))).new == cut
            at += cut
        changes = [repriced(spans[i], rng) for i in rng.sample(ids, len(ids) // 3)]
        assert await store.reprice(changes) == len(changes)
        assert await store.reprice(changes) == 0
        chosen = [span for span in spans.values() if naive.matches(span, which)]
        await check_totals(store, which, chosen)
        await check_groups(store, which, chosen)

    using(make_store, work)


def repriced(span: Span, rng: random.Random) -> Repricing:
    """A new price, which is also written into the span."""
    cost = rng.choice([None, rng.randrange(100, 10_000)])
    parts = (None, None, None) if cost is None else (cost // 2, cost - cost // 2, cost * 2)
    change = Repricing(span.request_id, cost, *parts, cost_source="catalog", price_id=f"new-{rng.randrange(1 << 40)}")
    for name, value in msgspec.structs.asdict(change).items():
        setattr(span, name, value)
    return change


# ------------------------------------------------------------------------------------------------ menus, keys


def test_menus_know_every_value_and_how_often(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        spans = await fill(store)
        for field in ("model", "provider", "provider_model", "tenant", "environment", "key", "kind"):
            expected = naive.by_dimension(spans, field)
            found = await store.field_values(field)
            assert {each.value: each.calls for each in found} == {k: len(v) for k, v in expected.items() if k}
        assert await store.field_values("model", prefix="claude") == [
            TagValue("claude-sonnet-4-5", len(naive.by_dimension(spans, "model")["claude-sonnet-4-5"]))
        ]
        keys = {each.key: (each.values, each.calls) for each in await store.tag_keys()}
        assert keys == {"feature": (3, 400), "team": (3, sum("team" in span.tags for span in spans))}
        assert [each.value for each in await store.tag_values("feature", prefix="摘")] == ["摘要"]
        assert await store.tag_values("unknown") == []
        with pytest.raises(ValueError, match="menu"):
            await store.field_values("latency")

    using(make_store, work)


def test_keys_are_kept_and_their_changes_seen(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        assert await store.keys() == {}
        before = await store.keys_version()
        key = Key(key_id="k", name="app", role="admin", models=("openai/*",), tags={"feature": "x"}, hint="abcd")
        await store.put_key("00ff", key)
        assert await store.keys() == {"00ff": key}
        assert await store.keys_version() != (between := before)
        revoked = msgspec.structs.replace(key, revoked_at=5)
        between = await store.keys_version()
        await store.put_key("00ff", revoked)
        assert await store.keys() == {"00ff": revoked}
        assert await store.keys_version() != between

    using(make_store, work)


# ------------------------------------------------------------------------------------------------ retention


def test_a_bill_is_booked_with_its_first_report(make_store: MakeStore) -> None:
    """Reported twice in one batch, again in a later one, and replayed after a crash."""

    def reported(number: int, bill_id: str | None = "openai:resp_1", *, own: bool = False) -> SpanWrite:
        span = make_span(number, tenant="bills", usage=Usage(input_tokens=10, output_tokens=2), usage_raw=b"{}")
        span.usage_source, span.cost_source, span.cost_nanousd = "reported", "catalog", 500
        return SpanWrite(span, None, bill_id, own)

    async def work(store: Store) -> None:
        first, again, later = reported(1), reported(2), reported(3)
        assert (await store.write(Batch(spans=[first, again]))).new == 2
        assert (
            await store.write(Batch(spans=[first, later, reported(4, None), reported(5, "openai:resp_2")]))
        ).new == 3
        assert (await store.write(Batch(spans=[again, first]))).new == 0
        booked = {}
        for write in (first, again, later):
            detail = await store.span(write.span.request_id)
            assert detail is not None
            booked[write.span.request_id] = (detail.span.cost_nanousd, detail.span.usage_source, detail.span.usage_raw)
        assert list(booked.values()) == [(500, "reported", b"{}"), (None, "none", b"{}"), (None, "none", b"{}")]
        totals = (await store.stats(SpanFilter(tenant=("bills",)))).totals
        assert (totals.requests, totals.cost_nanousd, totals.input_tokens, totals.unpriced) == (5, 1500, 30, 0)
        made, fetched = reported(6, "openai:resp_1", own=True), reported(7, "openai:resp_3")
        await store.write(Batch(spans=[made, reported(8, "openai:resp_3", own=True), fetched]))
        totals = (await store.stats(SpanFilter(tenant=("bills",)))).totals
        assert (totals.requests, totals.cost_nanousd) == (8, 2500), "what made a bill is booked in any case"

    using(make_store, work)


def test_retention_takes_rows_and_leaves_totals(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        spans = await fill(store)
        before = await store.stats(SpanFilter())
        limit_us = T0 + DAY
        gone = 0
        while step := await store.expire(spans_before_us=limit_us, payloads_before_us=None, limit=50):
            assert step <= 100
            gone += step
        left = [span for span in spans if span.started_at >= limit_us]
        assert gone == len(spans) - len(left)
        assert await store.count(SpanFilter()) == len(left)
        assert await store.stats(SpanFilter()) == before
        assert await store.count(SpanFilter(tags=(("feature", ("chat",)),))) == sum(
            span.tags["feature"] == "chat" for span in left
        )
        old = next(span for span in spans if span.started_at < limit_us)
        assert await store.span(old.request_id) is None

    using(make_store, work)


def test_bodies_can_go_before_their_rows(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        spans = await fill(store, 60)
        limit_us = T0 + DAY
        while await store.expire(spans_before_us=None, payloads_before_us=limit_us, limit=7):
            pass
        for span in spans:
            detail = await store.span(span.request_id)
            assert detail is not None
            assert (detail.payload is None) == (span.started_at < limit_us)

    using(make_store, work)


def test_health_says_what_it_is(make_store: MakeStore) -> None:
    async def work(store: Store) -> None:
        await fill(store, 10)
        health = await store.health()
        assert health.ok
        assert health.detail
        assert health.spans == 10
        assert health.size_bytes

    using(make_store, work)
