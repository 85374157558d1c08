"""The list of requests over a store that takes too long to add up what the filters find."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.testclient import TestClient

from gateway.dashboard import patience
from gateway.dashboard.requests_head import NOT_ADDED_UP
from gateway.store.base import Bucket, Page, SpanFilter, Stats
from tests.dashboard.fakes import FakeStore, application, traffic

NOW = time.time_ns() // 1000
HOUR = 3600 * 1_000_000


class Slow(FakeStore):
    """Knows its rows at once, and nothing about all of them."""

    async def count(self, which: SpanFilter, *, at_most: int = 10_000) -> int:
        return await asyncio.Event().wait()

    async def stats(self, which: SpanFilter) -> Stats:
        return await asyncio.Event().wait()  # type: ignore[return-value]  # never returns

    async def buckets(self, which: SpanFilter, **asked: object) -> list[Bucket]:
        return await asyncio.Event().wait()  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 0.01)


def test_the_list_is_there_without_totals_and_says_why() -> None:
    rows = traffic(60, now_us=NOW, length_us=HOUR)
    with TestClient(application(Slow(rows))) as client:
        page = client.get("/requests").text
    assert "<h2>Requests</h2>" in page
    assert "50 of many" in page
    assert NOT_ADDED_UP in page
    assert rows[0].request_id in page


def test_an_empty_list_names_no_filter_that_could_not_be_counted() -> None:
    with TestClient(application(Slow(traffic(60, now_us=NOW, length_us=HOUR)))) as client:
        page = client.get("/requests?model=none-such").text
    assert "no call where" in page
    assert "many" not in page


class LookedSome(FakeStore):
    """Had enough before it had looked at everything."""

    found = 0

    async def spans(self, which: SpanFilter, *, limit: int, cursor: str | None = None, order: str = "newest") -> Page:
        if not which.q:
            return await super().spans(which, limit=limit, cursor=cursor, order=order)
        return Page(self.rows[: self.found], next_cursor="on-from-here", looked_to=NOW - HOUR)


@pytest.mark.parametrize(("found", "heading"), [(0, "Nothing so far"), (3, "Looked back as far as")])
def test_a_list_that_looked_at_some_says_how_far_and_goes_on(found: int, heading: str) -> None:
    store = LookedSome(traffic(60, now_us=NOW, length_us=HOUR))
    store.found = found
    with TestClient(application(store)) as client:
        page = client.get("/requests?q=needle").text
    assert heading in page
    assert "Looked back as far as" in page
    assert "cursor=on-from-here" in page
    assert "no call where" not in page
