"""The benchmark's store is one that the recorder could have written: rows, tags and rollups say the same."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import msgspec
import pytest

from bench.fill import fill
from gateway.core.span import Span
from gateway.store.base import SpanFilter
from gateway.store.sqlite import SqliteStore
from tests.store import naive

CALLS, COPIES, DAYS = 1200, 8, 3
UNTIL = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Span]]:
    path = tmp_path_factory.mktemp("fill") / "filled.db"
    fill(path, CALLS, COPIES, UNTIL, DAYS)

    async def rows() -> list[Span]:
        store = SqliteStore(path)
        await store.connect()
        spans = [span async for page in store.export(SpanFilter()) for span in page]
        await store.close()
        return spans

    return path, asyncio.run(rows())


def test_every_call_is_one_of_its_own(filled: tuple[Path, list[Span]]) -> None:
    _, spans = filled
    assert len(spans) == len({span.request_id for span in spans}) == len({span.trace_id for span in spans}) == CALLS
    for span in spans:
        assert span.started_at // 1000 == int(span.request_id.replace("-", "")[:12], 16)
        assert span.attempts[0].started_at == span.started_at
        assert (span.user, span.session) == (span.tags["userId"], span.tags.get("sessionId"))


@pytest.mark.parametrize("tenant", [(), ("acme", "globex")], ids=["all", "of two tenants"])
@pytest.mark.parametrize(
    "by", ["model", "tenant", "prompt_version", "config", "user", "tag:workflow", "tag:userId", "tag:sessionId"]
)
def test_rollups_are_the_sums_of_the_rows(filled: tuple[Path, list[Span]], by: str, tenant: tuple[str, ...]) -> None:
    path, spans = filled
    spans = [span for span in spans if not tenant or span.tenant in tenant]

    async def work() -> None:
        store = SqliteStore(path)
        await store.connect()
        groups = {group.key: group for group in await store.groups(SpanFilter(tenant=tenant), by)}
        await store.close()
        expected = naive.by_dimension(spans, by)
        assert {key: group.totals for key, group in groups.items()} == {
            key: naive.totals(of) for key, of in expected.items()
        }
        for key, of in expected.items():
            if key is not None:
                naive.assert_distribution(groups[key].latency, (span.latency_us for span in of))

    asyncio.run(work())


def test_filters_find_the_copies(filled: tuple[Path, list[Span]]) -> None:
    path, spans = filled
    some = spans[:: len(spans) // 7]

    async def work() -> None:
        store = SqliteStore(path)
        await store.connect()
        for span, name in itertools.product(some, ("model", "user", "session", "tenant", "config", "prompt")):
            value = getattr(span, name)
            if value is None:
                continue
            which = msgspec.structs.replace(SpanFilter(from_us=UNTIL - 40 * naive.DAY), **{name: (value,)})
            chosen = [each for each in spans if naive.matches(each, which)]
            page = await store.spans(which, limit=1000)
            assert [each.request_id for each in page.items] == [each.request_id for each in chosen][:1000]
            assert await store.count(which) == len(chosen)
        await store.close()

    asyncio.run(work())
