from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.routing import Breaker, Outcome, TargetState, judge
from gateway.core.routing.state import FORGET_US, LONGEST_REST_US, PROBE_US
from tests.core.routing_parts import BROKEN, FINE, NOW, SECOND, answer, fail, opened

BREAKER = Breaker(failures=3, failure_share=0.5, window_us=30 * SECOND, open_us=5 * SECOND, open_max_us=12 * SECOND)


@pytest.fixture
def state() -> TargetState:
    return TargetState(BREAKER)


def test_failures_in_a_row_open_the_circuit(state: TargetState) -> None:
    for _ in range(2):
        fail(state)
    assert state.named(NOW) == "closed"
    fail(state)
    assert (state.named(NOW), state.ready_at_us) == ("open", NOW + 5 * SECOND)


def test_a_success_between_them_starts_anew(state: TargetState) -> None:
    for _ in range(2):
        fail(state)
    answer(state)
    for _ in range(2):
        fail(state)
    assert state.named(NOW) == "closed"


def test_failures_long_ago_do_not_count(state: TargetState) -> None:
    for minutes in range(10):
        fail(state, NOW + minutes * 60 * SECOND)
    assert state.named(NOW + 9 * 60 * SECOND) == "closed"


def test_a_share_of_failures_opens_it_though_none_are_in_a_row(state: TargetState) -> None:
    for _ in range(2):
        answer(state)
        fail(state)
    answer(state)
    assert state.named(NOW) == "closed"
    fail(state)  # 3 of 6
    assert state.named(NOW) == "open"


def test_few_failures_among_many_calls_do_not(state: TargetState) -> None:
    for _ in range(50):
        answer(state)
        answer(state)
        fail(state)
    assert state.named(NOW) == "closed"


def test_when_its_time_is_over_one_call_tries_it(state: TargetState) -> None:
    opened(state)
    later = NOW + 5 * SECOND
    assert (state.named(later), state.ready_at_us <= later) == ("half-open", True)
    state.began(later)
    assert (state.named(later), state.ready_at_us <= later) == ("probing", False)
    state.ended(later + SECOND, 900_000, FINE)
    assert (state.named(later), state.ready_at_us, state.opened_until_us) == ("closed", 0, 0)


def test_each_probe_that_fails_doubles_the_time_up_to_a_bound(state: TargetState) -> None:
    opened(state)
    times = []
    now = NOW
    for _ in range(3):
        now = state.ready_at_us
        fail(state, now)
        times.append((state.ready_at_us - now) // SECOND)
    assert times == [10, 12, 12]
    answer(state, state.ready_at_us)
    opened(state, now + 60 * SECOND)
    assert state.ready_at_us == now + 65 * SECOND  # once it worked, the time is short again


def test_a_probe_whose_client_went_away_lets_the_next_one_try(state: TargetState) -> None:
    opened(state)
    later = state.ready_at_us
    state.began(later)
    state.ended(later + 1, None, judge(Outcome(None, "cancelled")))
    assert state.named(later + 1) == "half-open"


def test_a_probe_that_never_ends_does_not_keep_others_out_for_ever(state: TargetState) -> None:
    opened(state)
    later = state.ready_at_us
    state.began(later)
    assert state.ready_at_us == later + PROBE_US


def test_failures_of_calls_from_before_it_opened_do_not_count_again(state: TargetState) -> None:
    opened(state)
    until = state.ready_at_us
    fail(state, NOW + SECOND)
    assert state.ready_at_us == until


def test_a_success_closes_it_whoever_had_it(state: TargetState) -> None:
    opened(state)
    answer(state, NOW + SECOND)
    assert state.named(NOW + SECOND) == "closed"


def test_it_rests_as_long_as_it_asks_to(state: TargetState) -> None:
    state.rest(NOW + 3 * SECOND, NOW)
    state.rest(NOW + SECOND, NOW)
    assert (state.named(NOW), state.ready_at_us) == ("resting", NOW + 3 * SECOND)
    answer(state)
    assert state.ready_at_us == NOW + 3 * SECOND
    state.rest(NOW + 100 * LONGEST_REST_US, NOW)
    assert state.ready_at_us == NOW + LONGEST_REST_US


def test_slow_answers_count_at_once_and_quick_ones_bit_by_bit(state: TargetState) -> None:
    answer(state, NOW, 100_000)
    answer(state, NOW, 900_000)
    assert state.ewma_us == 900_000
    answer(state, NOW + FORGET_US, 100_000)
    assert state.ewma_us == pytest.approx(100_000 + 800_000 / 2.718281828)


def test_load_is_the_time_for_those_that_would_wait_and_fades(state: TargetState) -> None:
    assert state.load(NOW) == 0
    answer(state, NOW, 100_000)
    state.began(NOW)
    assert state.load(NOW) == 200_000
    assert state.load(NOW + 10 * FORGET_US) < 10


@pytest.mark.parametrize("status", [401, 409, 429])
def test_a_quick_refusal_is_no_measurement(state: TargetState, status: int) -> None:
    state.began(NOW)
    state.ended(NOW, 1_000, judge(Outcome(status)))
    assert (state.ewma_us, state.named(NOW)) == (None, "closed")


EVENT = st.tuples(st.sampled_from(["began", "fine", "broken", "cancelled", "rest"]), st.integers(0, 20 * SECOND))


@given(st.lists(EVENT, max_size=60))
def test_whatever_happens_it_is_live_again_in_time_and_counts_right(events: list[tuple[str, int]]) -> None:
    state, now, under_way = TargetState(BREAKER), NOW, 0
    for event, later in events:
        now += later
        if event == "began":
            state.began(now)
            under_way += 1
        elif event == "rest":
            state.rest(now + later, now)
        elif under_way:
            under_way -= 1
            state.ended(now, later if event == "fine" else None, BROKEN if event == "broken" else FINE)
        assert state.in_flight == under_way
        assert state.ready_at_us <= now + max(BREAKER.open_max_us, PROBE_US, 20 * SECOND)
        assert state.load(now) >= 0
        assert (state.named(now) in ("open", "probing", "resting")) == (state.ready_at_us > now)
