"""The sliding window: never more than the limit within any sixty seconds, and never much less than could be had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.limits.region import Region
from gateway.core.limits.window import RING, SPAN_S, Window, merge, words_of

START = 1_700_000_000
AREA = 256


def windows(areas: int) -> list[Window]:
    """One counter as each of the workers has it: the same memory, each with an area of its own."""
    memory = memoryview(bytearray(AREA * 8 * areas))
    bases = tuple(AREA * number for number in range(areas))
    return [Window(Region(memory, bases, own), 0) for own in bases]


@given(
    calls=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2), st.integers(1, 500)), max_size=80),
    limit=st.integers(1, 20),
)
def test_no_sixty_seconds_have_more_than_the_limit(calls, limit):
    workers = windows(3)
    second, admitted = START, []
    for later, worker, tokens in calls:
        second += later
        workers[worker].add(second, tokens)
        if workers[worker].used(second).requests > limit:
            workers[worker].release(second, tokens)
        else:
            admitted.append(second)
    for begin in admitted:
        assert sum(begin <= at < begin + SPAN_S for at in admitted) <= limit


@given(
    calls=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(1, 500)), min_size=1, max_size=60),
    settled=st.data(),
)
def test_it_counts_what_a_list_of_all_calls_counts(calls, settled):
    """Also what is settled and given back, by whichever worker, late or soon."""
    workers = windows(4)
    second = START
    kept: list[tuple[int, int]] = []
    in_flight = 0
    for later, worker, tokens in calls:
        second += later
        workers[worker].add(second, tokens)
        fate = settled.draw(st.sampled_from(["settled", "released", "under way"]))
        if fate == "settled":
            used = settled.draw(st.integers(0, 900))
            took = settled.draw(st.integers(0, 90))
            workers[worker].settle(second, used - tokens, 0, second + took)
            kept.append((second, used))
        elif fate == "released":
            workers[worker].release(second, tokens)
        else:
            kept.append((second, tokens))
            in_flight += 1
    used = workers[0].used(second)
    within = [(at, tokens) for at, tokens in kept if at >= second - SPAN_S]
    assert (used.requests, used.tokens, used.in_flight) == (len(within), sum(t for _, t in within), in_flight)


@pytest.mark.parametrize(("after_s", "counts"), [(0, 1), (59, 1), (60, 1), (61, 0), (1000, 0)])
def test_a_call_counts_for_sixty_to_sixty_one_seconds(after_s, counts):
    (window,) = windows(1)
    window.add(START, 10)
    assert window.used(START + after_s).requests == counts


def test_the_second_at_which_there_is_room_again():
    (window,) = windows(1)
    for second in (START, START, START + 20):
        window.add(second, 100)
    assert window.retry_at(START + 30, 2, None) == START + 61
    assert window.retry_at(START + 30, 0, None) == START + 81
    assert window.retry_at(START + 30, None, 150) == START + 61


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2), st.integers(1, 90)), min_size=1, max_size=40),
    st.one_of(st.none(), st.integers(0, 20)),
    st.one_of(st.none(), st.integers(0, 900)),
)
def test_that_second_is_the_first_of_all_at_which_it_fits(calls, requests, tokens):
    workers = windows(3)
    second = START
    for later, worker, used in calls:
        second += later
        workers[worker].add(second, used)

    def fits(at: int) -> bool:
        used = workers[1].used(at)
        return (requests is None or used.requests <= requests) and (tokens is None or used.tokens <= tokens)

    first = next(at for at in range(second + 1, second + 99) if fits(at))
    assert workers[0].retry_at(second, requests, tokens) == first


def test_tokens_settled_after_the_window_has_passed_change_nothing():
    (window,) = windows(1)
    window.add(START, 1000)
    window.add(START + 100, 5)
    window.settle(START, 7_000, 0, START + 100)
    used = window.used(START + 100)
    assert (used.requests, used.tokens, used.in_flight) == (1, 5, 1)


def test_money_counts_where_it_became_known():
    (window,) = windows(1)
    window.add(START, 10)
    window.settle(START, 0, 2_500, START + 50)
    assert [window.used(START + at).microusd for at in (50, 100, 110, 111)] == [2500, 2500, 2500, 0]


@given(
    st.lists(st.tuples(st.integers(0, 25), st.integers(0, 2), st.integers(1, 90)), min_size=1, max_size=40),
    st.integers(0, RING),
)
def test_areas_made_into_one_count_the_same(calls, later):
    memory = memoryview(bytearray(AREA * 8 * 3))
    bases = (0, AREA, 2 * AREA)
    workers = [Window(Region(memory, bases, own), 0) for own in bases]
    second = START
    for after, worker, tokens in calls:
        second += after
        workers[worker].add(second, tokens)
        workers[worker].settle(second, 0, tokens, second)
    new = memoryview(bytearray(words_of(3) * 8))
    merge(memory.cast("q"), list(bases), new.cast("q"), 0, 3)
    alone = Window(Region(new, (0,), 0), 0)
    before, after_it = workers[0].used(second + later), alone.used(second + later)
    assert (before.requests, before.tokens, before.microusd) == (
        after_it.requests,
        after_it.tokens,
        after_it.microusd,
    )
