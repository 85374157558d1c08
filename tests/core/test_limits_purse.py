"""Budgets: what is reserved, spent and given back adds up, and never beyond what is said to be possible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.limits.period import DAY, MICRO, NEVER, bounds, spelled
from gateway.core.limits.purse import WORDS, Purse, fits, merge, orphan
from gateway.core.limits.region import Region

AREA = 16
TODAY = 20_000 * DAY


def may_stay(purse: Purse, amount: int, limit: int) -> bool:
    """Whether it may stay."""
    return fits(purse.reserve(TODAY, amount, 0), amount, limit, limit // 100)


def purses(areas: int) -> tuple[memoryview, list[Purse]]:
    memory = memoryview(bytearray(AREA * 8 * areas))
    bases = tuple(AREA * number for number in range(areas))
    return memory.cast("q"), [Purse(Region(memory, bases, own), 0) for own in bases]


@given(
    calls=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 400), st.floats(0, 1), st.booleans()), max_size=60),
    limit=st.integers(1, 2000),
)
def test_a_budget_is_overshot_by_less_than_one_reservation(calls, limit):
    """Calls cost at most what they reserved; any number of them is under way at a time."""
    _, workers = purses(3)
    spent, under_way, largest = 0, [], 0
    for worker, amount, share, ends in calls:
        purse = workers[worker]
        if may_stay(purse, amount, limit):
            largest = max(largest, amount)
            under_way.append((purse, amount, int(amount * share)))
        else:
            purse.settle(TODAY, amount, 0, 0)
        if ends and under_way:
            ending, reserved, cost = under_way.pop(0)
            ending.settle(TODAY, reserved, 0, cost)
            spent += cost
    money = workers[0].money(TODAY)
    assert money.spent == spent
    assert money.reserved == sum(amount for _, amount, _ in under_way) >= 0
    assert money.calls == len(under_way)
    assert money.spent + money.reserved <= limit + largest


def test_less_than_a_hundredth_is_left_unused():
    _, (purse,) = purses(1)
    spent = 0
    while may_stay(purse, 400, 10_000):
        purse.settle(TODAY, 400, 0, 30)
        spent += 30
    assert 9_900 < spent <= 10_000


def test_what_the_log_had_before_counts():
    _, (purse,) = purses(1)
    purse.know(TODAY, 990)
    assert [may_stay(purse, 10, 1000) for _ in range(2)] == [True, False]
    assert purse.money(TODAY).spent == 990
    assert purse.money(TODAY + DAY).spent == 0


def test_a_new_period_begins_empty_and_calls_of_the_old_one_do_not_count_in_it():
    _, (one, other) = purses(2)
    one.reserve(TODAY, 100, 7)
    other.reserve(TODAY, 50, 0)
    one.reserve(TODAY + DAY, 30, 3)
    one.settle(TODAY, 100, 7, 90)
    money = other.money(TODAY + DAY)
    assert (money.spent, money.reserved, money.at_risk, money.calls) == (0, 30, 3, 1)


def test_what_calls_of_a_killed_worker_had_reserved_counts_until_the_log_knows_better():
    words, (dead, alive) = purses(2)
    dead.reserve(TODAY, 995, 9)
    orphan(words, 0, TODAY + 5)
    assert dead.orphans(TODAY) == TODAY + 5
    money = alive.money(TODAY)
    assert (money.reserved, money.at_risk, money.calls, money.orphaned) == (0, 0, 0, 995)
    assert not may_stay(alive, 500, 1000)
    alive.settle(TODAY, 500, 0, 0)
    dead.resolve_orphans(TODAY, 20)
    assert dead.orphans(TODAY) is None
    assert may_stay(alive, 500, 1000)
    assert alive.money(TODAY).spent == 20


def test_areas_made_into_one_hold_the_same():
    words, (one, other, old) = purses(3)
    one.reserve(TODAY, 100, 0)
    one.settle(TODAY, 100, 0, 80)
    other.reserve(TODAY, 70, 5)
    old.reserve(TODAY - DAY, 999, 0)
    new = memoryview(bytearray(WORDS * 8))
    merge(words, [0, AREA, 2 * AREA], new.cast("q"), 0)
    money = Purse(Region(new, (0,), 0), 0).money(TODAY)
    assert (money.spent, money.reserved) == (80, 70)


@pytest.mark.parametrize(
    ("period", "at", "begins", "ends"),
    [
        ("day", "2026-11-21T12:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("week", "2026-11-21T12:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("week", "2026-11-16T00:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("month", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("month", "2028-02-29T08:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
    ],
)
def test_periods_are_of_the_calendar_in_utc(period, at, begins, ends):
    from datetime import datetime

    begin, end = bounds(period, int(datetime.fromisoformat(at).timestamp()) * MICRO)
    assert (spelled(begin), spelled(end)) == (begins, ends)


def test_a_total_never_begins_anew():
    assert bounds("total", TODAY) == (0, NEVER)
    assert spelled(NEVER) is None
