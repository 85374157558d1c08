"""The table of repeated bodies: a loop is found among many that come once, whichever worker saw its calls."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.limits.region import Region
from gateway.core.limits.repeats import MOST, PLACES, WORDS, Repeats

MINUTE = 1_700_000_040
"""A second at which a minute begins."""


def tables(workers: int) -> list[Repeats]:
    memory = memoryview(bytearray(WORDS * 8 * workers))
    bases = tuple(WORDS * number for number in range(workers))
    return [Repeats(Region(memory, bases, own), 0) for own in bases]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9)), max_size=60))
def test_within_a_minute_every_call_counts_whoever_saw_it(calls):
    workers, seen = tables(4), Counter[int]()
    for second, (worker, key) in enumerate(calls):
        seen[key] += 1
        assert workers[worker].add(key, MINUTE + second) == seen[key]


def test_of_the_minute_before_counts_what_is_within_sixty_seconds():
    one, other = tables(2)
    for _ in range(30):
        one.add(5, MINUTE + 10)
        other.add(5, MINUTE + 10)
    assert one.add(5, MINUTE + 60) == 61
    assert one.add(5, MINUTE + 90) == 2 + 30
    assert one.add(5, MINUTE + 119) == 3 + 1
    assert one.add(5, MINUTE + 180) == 4 - 3  # two minutes later nothing of it


def test_a_body_that_comes_again_and_again_keeps_its_place_against_the_many_that_come_once():
    (table,) = tables(1)
    random.seed(7)
    highest = 0
    for number in range(60_000):
        table.add(random.getrandbits(63), MINUTE + number // 1000)
        if number % 600 == 0:
            highest = max(highest, table.add(1234, MINUTE + number // 1000))
    assert 90 <= highest <= 100


def test_two_bodies_of_one_place_take_it_from_each_other():
    (table,) = tables(1)
    one, other = 7, 7 + PLACES
    assert [table.add(one, MINUTE) for _ in range(3)] == [1, 2, 3]
    assert [table.add(other, MINUTE) for _ in range(4)] == [1, 1, 1, 2]


def test_a_count_ends_where_its_room_does():
    (table,) = tables(1)
    assert max(table.add(-3, MINUTE) for _ in range(MOST + 5)) == MOST
