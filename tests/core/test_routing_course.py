"""What is tried after what. A course is written as the members it tries, one letter each; `.` is where it gives up."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.routing import Ask, Choice, Course, Outcome, Route, judge
from tests.core.routing_parts import NOW, SECOND, Dice, fail, names, opened, route

BUSY, BROKEN, LOST = Outcome(429), Outcome(503), Outcome(None, "reset")
REFUSED, WRONG, CONFLICT, SLOW = Outcome(401), Outcome(400), Outcome(409), Outcome(408)


def course(made: Route, *numbers: float) -> tuple[Course, int]:
    begun = Course(made, Ask(), Dice(*(numbers or (0.0,))))
    return begun, begun.first(NOW).member


@pytest.mark.parametrize(
    ("made", "outcomes", "way"),
    [
        # one member and no retries: a plain model
        (route({}), [BROKEN], "a."),
        (route({}), [BUSY], "a."),
        # one member with retries
        (route({}, retries=2), [BROKEN, LOST, SLOW], "aaa."),
        (route({}, retries=2), [CONFLICT, BUSY, BROKEN], "aaa."),
        (route({}, retries=2), [WRONG], "a."),
        (route({}, retries=2), [REFUSED], "a."),
        # another target before the same again
        (route({}, {}, {}, retries=2), [BROKEN, BROKEN, BROKEN], "abc."),
        (route({}, {}, retries=2), [BROKEN, BROKEN, BROKEN], "aba."),
        (route({}, {}, retries=3), [BUSY, LOST, REFUSED, BROKEN], "abba."),
        (route({}, {}, retries=2), [REFUSED, BROKEN, BROKEN], "abb."),
        (route({}, {}, retries=0), [BROKEN], "a."),
        # fallbacks in their order, after the targets; each adds an attempt
        (route({}, {"tier": 1}, {"tier": 2}, retries=0), [BROKEN] * 3, "abc."),
        (route({}, {}, {"tier": 1}, {"tier": 2}, retries=1), [BROKEN] * 4, "abcd."),
        (route({}, {}, {}, {}, {"tier": 1}, retries=1), [BROKEN] * 3, "abe."),
        (route({}, {"tier": 1}, retries=2), [BROKEN] * 4, "abab."),
    ],
)
def test_what_comes_after_what(made: Route, outcomes: list[Outcome], way: str) -> None:
    begun, first = course(made)
    assert first == 0
    assert names(begun, first, *outcomes) == way


def keys_of(made: Route, *outcomes: Outcome) -> list[tuple[int, int]]:
    """(member, key) of each attempt."""
    begun, _ = course(made)
    choices: list[Choice | None] = [begun.first(NOW), *(begun.next(outcome, NOW) for outcome in outcomes)]
    return [(choice.member, choice.key) for choice in choices if choice is not None]


@pytest.mark.parametrize("outcome", [BUSY, REFUSED, Outcome(402), Outcome(403)])
def test_a_refused_key_is_changed_even_where_nothing_is_retried(outcome: Outcome) -> None:
    made = route({"keys": 3})
    made.members[0].keys.pick(NOW)
    (_, first), (_, second), (_, third) = keys_of(made, outcome, outcome, outcome)
    assert {first, second, third} == {0, 1, 2}


def test_changing_the_key_is_bounded() -> None:
    assert len(keys_of(route({"keys": 9}), *[BUSY] * 9)) == 3
    assert len(keys_of(route({"keys": 9}, retries=1), *[BUSY] * 9)) == 4


def test_a_server_s_error_keeps_the_key_in_its_place() -> None:
    made = route({"keys": 3}, {}, retries=2)
    assert [member for member, _ in keys_of(made, BROKEN)] == [0, 1]
    assert made.members[0].keys.ready(NOW) == 3


def test_a_key_that_was_refused_is_out_for_other_calls_and_one_that_is_busy_rests() -> None:
    made = route({"keys": 3})
    begun, _ = course(made)
    begun.next(Outcome(429, retry_after_us=7 * SECOND), NOW)
    begun.next(REFUSED, NOW)
    ring = made.members[0].keys
    assert [ring.ready(NOW), ring.ready(NOW + 7 * SECOND), ring.ready(NOW + 3600 * SECOND)] == [1, 2, 3]
    assert made.members[0].state.named(NOW) == "closed"


def test_with_its_last_key_refused_the_target_rests() -> None:
    made = route({}, {}, retries=1)
    begun, _ = course(made)
    begun.next(Outcome(429, retry_after_us=7 * SECOND), NOW)
    assert made.members[0].state.ready_at_us == NOW + 7 * SECOND
    assert {course(made, n / 10)[1] for n in range(10)} == {1}


def wait_of(made: Route, outcome: Outcome) -> float | None:
    choice = course(made, 0.0, 0.5)[0].next(outcome, NOW)
    return None if choice is None else choice.wait_us / SECOND


@pytest.mark.parametrize("status", [429, 503])
def test_what_the_target_asks_for_is_obeyed_up_to_the_bound(status: int) -> None:
    alone = route({}, retries=1, retry_after_max_us=10 * SECOND)
    assert wait_of(alone, Outcome(status, retry_after_us=4 * SECOND)) == 4
    alone = route({}, retries=1, retry_after_max_us=10 * SECOND)
    assert wait_of(alone, Outcome(status, retry_after_us=11 * SECOND)) is None
    two = route({}, {}, retries=1)
    assert wait_of(two, Outcome(status, retry_after_us=4 * SECOND)) == 0  # nobody waits while another is there


def test_the_wait_before_the_same_target_doubles_half_of_it_by_chance() -> None:
    made = route({}, retries=5, backoff_us=200_000, backoff_max_us=1_000_000)
    for number, expected in ((0.0, [100, 200, 400, 500, 500]), (0.999999, [199, 399, 799, 999, 999])):
        begun, _ = course(made, number)
        waits = [begun.next(LOST, NOW) for _ in range(5)]
        assert [choice.wait_us // 1000 for choice in waits if choice] == expected


def test_a_live_one_once_more_before_one_that_is_away_and_that_before_a_third_try() -> None:
    made = route({}, {}, retries=5)
    opened(made.members[1].state)
    begun, first = course(made)
    assert names(begun, first, *[LOST] * 5) == "aabaaa"


def test_an_untried_one_that_rests_shortly_is_waited_for() -> None:
    made = route({}, {}, retries=2)
    made.members[1].state.rest(NOW + 50_000, NOW)
    begun, first = course(made)
    choice = begun.next(Outcome(429, retry_after_us=4 * SECOND), NOW)
    assert choice is not None
    assert (first, choice.member, choice.wait_us) == (0, 1, 50_000)


def test_a_lone_target_is_never_cut_off() -> None:
    made = route({}, retries=1)
    for _ in range(20):
        begun, first = course(made)
        assert first == 0
        fail(made.members[0].state)
        assert begun.next(BROKEN, NOW) is not None


def test_what_cannot_be_sent_again_is_judged_all_the_same() -> None:
    made = route({"keys": 2}, retries=2)
    begun, _ = course(made)
    assert begun.judged(REFUSED, NOW) == judge(REFUSED)
    assert made.members[0].keys.ready(NOW) == 1
    assert begun.attempts == 1


# ---------------------------------------------------------------------------------------------------- properties

OUTCOME = st.one_of(
    st.builds(
        Outcome,
        st.sampled_from([200, 400, 401, 403, 408, 409, 429, 500, 503]),
        retry_after_us=st.sampled_from([None, 0, SECOND, 3600 * SECOND]),
    ),
    st.builds(Outcome, st.none(), st.sampled_from(["connect", "reset", "timeout", "malformed", "cancelled"])),
)
TIERS = st.lists(st.integers(0, 3), max_size=6).map(lambda tiers: sorted([0, *tiers]))


@st.composite
def routes(draw: st.DrawFn) -> Route:
    members = [{"tier": tier, "keys": draw(st.integers(1, 3)), "weight": draw(st.sampled_from([0, 1, 5]))}
               for tier in draw(TIERS)]  # fmt: skip
    made = route(
        *members,
        retries=draw(st.integers(0, 4)),
        strategy=draw(st.sampled_from(["weighted", "latency", "cost", "ordered"])),
        sticky=draw(st.sampled_from(["none", "session"])),
    )
    for member in made.members:
        if draw(st.booleans()):
            opened(member.state)
    return made


@given(routes(), st.lists(OUTCOME, max_size=20), st.integers(0, 1000))
def test_any_course(made: Route, outcomes: list[Outcome], seed: int) -> None:
    """Bounded; stops where nothing can be won; nobody twice while a live one is untried, and nobody dead while a live
    one is there; what the target asked for is waited for."""
    now = NOW
    begun = Course(made, Ask(session="s"), random.Random(seed).random)
    choice: Choice | None = begun.first(now)
    tried: list[int] = []
    policy = made.policy
    for outcome in [*outcomes, *[BROKEN] * 20]:
        assert choice is not None
        member = made.members[choice.member]
        untried = [m for m in made.members if m.index not in tried and m.state.ready_at_us <= now]
        if not tried and untried:
            assert member.state.ready_at_us <= now
        if choice.member in tried and choice.why != "another key":
            targets = sum(made.members[index].tier == 0 for index in tried)
            assert not [m for m in untried if m.tier or targets <= policy.retries]
        if choice.wait_us == 0 and choice.member not in tried and untried:
            assert member in untried
        assert 0 <= choice.key < len(member.keys)
        tried.append(choice.member)
        member.state.began(now)
        member.state.ended(now, None, judge(outcome))
        choice = begun.next(outcome, now)
        if choice is None:
            break
        assert judge(outcome).retry
        assert choice.wait_us <= max(policy.backoff_max_us, policy.retry_after_max_us)
        now += choice.wait_us
        assert made.members[choice.member].state.rested_until_us <= now or choice.wait_us == 0
    assert begun.attempts == len(tried)
    assert len(tried) <= 1 + policy.retries + made.fallbacks + policy.rotations
