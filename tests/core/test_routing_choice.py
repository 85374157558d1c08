"""Which member a call goes to first: by weight, share, latency, cost, order, region, length, what it is bound to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.routing import Ask, Course, Route, explain
from gateway.core.routing.odds import drawn, odds
from tests.core.routing_parts import NOW, SECOND, Dice, answer, opened, route

CALLS = 20_000


def counted(made: Route, ask: Callable[[int], Ask] = lambda _: Ask(), calls: int = CALLS) -> dict[str, float]:
    """The part of the calls that each member gets."""
    dice = random.Random(7).random
    first = Counter(made.members[Course(made, ask(n), dice).first(NOW).member].model for n in range(calls))
    return {model: number / calls for model, number in first.items()}


def chances(made: Route, ask: Ask | None = None) -> dict[str, float]:
    return {found.model: round(found.chance, 6) for found in explain(made, ask or Ask(), NOW) if found.chance}


@pytest.mark.parametrize(
    ("members", "parts"),
    [
        ([{}], {"a": 1}),
        ([{}, {}], {"a": 0.5, "b": 0.5}),
        ([{"weight": 9}, {"weight": 1}], {"a": 0.9, "b": 0.1}),
        ([{"weight": 1}, {"weight": 0}], {"a": 1}),
        ([{"weight": 0}, {"weight": 0}], {"a": 0.5, "b": 0.5}),
        ([{"share": 0.05}, {"weight": 3}, {"weight": 1}], {"a": 0.05, "b": 0.7125, "c": 0.2375}),
        ([{"share": 0.2}, {"share": 0.3}], {"a": 0.4, "b": 0.6}),
        ([{"share": 0.2}, {"weight": 0}], {"a": 1}),
        ([{}, {"tier": 1}], {"a": 1}),
    ],
)
def test_weights_and_shares(members: list[dict[str, Any]], parts: dict[str, float]) -> None:
    made = route(*members)
    assert chances(made) == {model: round(part, 6) for model, part in parts.items()}
    found = counted(made)
    assert found == {model: pytest.approx(part, abs=0.015) for model, part in parts.items()}


def test_with_one_away_the_others_divide_its_calls_and_a_canary_keeps_its_share() -> None:
    made = route({"share": 0.05}, {"weight": 3}, {"weight": 1})
    opened(made.members[1].state)
    assert chances(made) == {"a": 0.05, "c": 0.95}
    assert counted(made)["a"] == pytest.approx(0.05, abs=0.01)


def test_with_all_targets_away_the_first_fallback_that_lives() -> None:
    made = route({}, {}, {"tier": 1}, {"tier": 2})
    for index in (0, 1, 2):
        opened(made.members[index].state)
    assert chances(made) == {"d": 1}


def test_with_everything_away_the_one_that_is_soonest() -> None:
    made = route({}, {}, {"tier": 1})
    for index, at in ((0, NOW), (1, NOW - 2 * SECOND), (2, NOW - SECOND)):
        opened(made.members[index].state, at)
    choice = Course(made, Ask(), Dice(0.1)).first(NOW)
    assert (made.members[choice.member].model, choice.wait_us) == ("b", 0)
    assert choice.why == "all are left alone, this one the shortest (open)"
    assert chances(made) == {"b": 1}


def test_the_quicker_of_two_drawn_at_random() -> None:
    made = route({}, {}, {}, strategy="latency")
    for target, ms in zip(made.members, (100, 300, 200), strict=True):
        answer(target.state, NOW, ms * 1000)
    assert chances(made) == {"a": 0.666667, "c": 0.333333}
    for _ in range(4):
        made.members[0].state.began(NOW)  # 100 ms for each of five
    assert chances(made) == {"c": 0.666667, "b": 0.333333}


def test_what_was_never_measured_comes_first_and_what_is_equal_is_equal() -> None:
    made = route({}, {}, {}, strategy="latency")
    assert chances(made) == {"a": 0.333333, "b": 0.333333, "c": 0.333333}
    answer(made.members[0].state, NOW)
    assert chances(made) == {"b": 0.5, "c": 0.5}


def test_a_canary_of_a_route_by_latency_gets_its_share_however_slow() -> None:
    made = route({"share": 0.1}, {}, {}, strategy="latency")
    answer(made.members[0].state, NOW, 9 * SECOND)
    answer(made.members[1].state, NOW, SECOND)
    assert chances(made) == {"a": 0.1, "c": 0.9}


def test_the_cheapest_first_and_without_a_price_last() -> None:
    made = route({"price": 3}, {"price": 2}, {}, {"price": 2, "weight": 3}, strategy="cost")
    assert chances(made) == {"d": 0.75, "b": 0.25}
    opened(made.members[1].state)
    opened(made.members[3].state)
    assert chances(made) == {"a": 1}
    opened(made.members[0].state)
    assert chances(made) == {"c": 1}


def test_the_first_in_order() -> None:
    made = route({}, {}, strategy="ordered")
    assert chances(made) == {"a": 1}
    opened(made.members[0].state)
    assert chances(made) == {"b": 1}


def test_a_region_is_preferred_and_no_more() -> None:
    made = route({"region": "us"}, {"region": "eu"}, {}, region="us")
    assert chances(made) == {"a": 1}
    assert chances(made, Ask(region="eu")) == {"b": 1}
    assert set(chances(made, Ask(region="mars"))) == {"a", "b", "c"}
    opened(made.members[0].state)
    assert set(chances(made)) == {"b", "c"}


def test_a_long_call_goes_where_it_fits_if_it_does_anywhere() -> None:
    made = route({"context": 8_000}, {"context": 100_000})
    assert chances(made, Ask(tokens=9_000)) == {"b": 1}
    assert set(chances(made, Ask(tokens=8_000))) == {"a", "b"}
    assert set(chances(made, Ask(tokens=900_000))) == {"a", "b"}


# ---------------------------------------------------------------------------------------------------- bound calls


def homes(made: Route, sessions: range = range(4_000)) -> list[str]:
    dice = random.Random(1).random
    return [made.members[Course(made, Ask(session=f"s{n}"), dice).first(NOW).member].model for n in sessions]


def test_a_session_stays_where_it_is() -> None:
    made = route({}, {}, {}, sticky="session")
    assert homes(made) == homes(made)


def test_sessions_are_divided_by_weight_and_share() -> None:
    made = route({"share": 0.1}, {"weight": 2}, {"weight": 1}, sticky="session")
    found = Counter(homes(made))
    assert [found[model] / 4_000 for model in "abc"] == [pytest.approx(part, abs=0.025) for part in (0.1, 0.6, 0.3)]


def test_a_new_target_takes_its_part_and_moves_no_other() -> None:
    before = homes(route({}, {}, {}, sticky="session"))
    after = homes(route({}, {}, {}, {}, sticky="session"))
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"d"}
    assert len(moved) / len(before) == pytest.approx(0.25, abs=0.03)


def test_with_its_target_away_only_its_sessions_move_and_they_come_back() -> None:
    made = route({}, {}, {}, sticky="session")
    before = homes(made)
    opened(made.members[0].state)
    during = homes(made)
    assert all(old == "a" for old, new in zip(before, during, strict=True) if old != new)
    assert "a" not in during
    answer(made.members[0].state)
    assert homes(made) == before


def test_by_prompt_cache_key_else_session_else_by_the_strategy() -> None:
    made = route({}, {}, {}, sticky="cache_key")
    dice = random.Random(3).random

    def first(ask: Ask) -> int:
        return Course(made, ask, dice).first(NOW).member

    bound = first(Ask(cache_key="k"))
    assert {first(Ask(cache_key="k", session=f"s{n}")) for n in range(20)} == {bound}
    assert len({first(Ask(session="s1")) for _ in range(20)}) == 1
    assert len({first(Ask()) for _ in range(50)}) == 3


def test_a_bound_call_keeps_to_one_key_too() -> None:
    made = route({"keys": 5}, sticky="session")
    dice = Dice(0.5)
    keys = {n: {Course(made, Ask(session=n), dice).first(NOW).key for _ in range(5)} for n in "uvwxyz"}
    assert all(len(used) == 1 for used in keys.values())
    assert len(set().union(*keys.values())) > 1
    assert [Course(made, Ask(), dice).first(NOW).key for _ in range(3)] == [0, 1, 2]


# ---------------------------------------------------------------------------------------------------- properties

MEMBER = st.fixed_dictionaries(
    {},
    optional={
        "weight": st.sampled_from([0, 0.5, 1, 9]),
        "share": st.sampled_from([0.01, 0.3, 0.9]),
        "region": st.sampled_from(["us", "eu"]),
        "price": st.integers(0, 3),
        "context": st.sampled_from([10, 1000]),
        "tier": st.just(0),
    },
)
ROUTE = st.builds(
    lambda members, **policy: route(*members, **policy),
    st.lists(MEMBER, min_size=1, max_size=6),
    strategy=st.sampled_from(["weighted", "latency", "cost", "ordered"]),
    sticky=st.sampled_from(["none", "session", "cache_key"]),
    region=st.sampled_from([None, "us"]),
)
ASK = st.builds(
    Ask,
    session=st.sampled_from([None, "s"]),
    cache_key=st.sampled_from([None, "k"]),
    region=st.sampled_from([None, "eu"]),
    tokens=st.sampled_from([None, 100, 5000]),
)


@given(ROUTE, ASK, st.sets(st.integers(0, 5)))
def test_chances_are_parts_of_one_and_only_the_living_have_any(made: Route, ask: Ask, away: set[int]) -> None:
    living = [m.index for m in made.members if m.index not in away] or [m.index for m in made.members]
    found = odds(made, living, ask, NOW)
    assert sum(choice.chance for choice in found) == pytest.approx(1)
    assert all(choice.chance >= 0 for choice in found)
    assert {choice.member.index for choice in found} <= set(living)


@given(ROUTE, ASK, st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_the_fast_way_is_the_same_as_drawing_from_the_odds(made: Route, ask: Ask, numbers: list[float]) -> None:
    everyone = [m.index for m in made.members]
    for number in numbers:
        first = made.members[Course(made, ask, Dice(number)).first(NOW).member]
        choice = drawn(odds(made, everyone, ask, NOW), Dice(number))
        edge = min(abs(number - at) for at in (*made.cumulative, 0.0))
        assert first is choice.member or edge < 1e-9  # where rounding may fall either way


@given(ROUTE, ASK)
def test_an_explanation_names_everyone_once_the_likeliest_first(made: Route, ask: Ask) -> None:
    found = explain(made, ask, NOW)
    assert sorted(item.member for item in found) == [m.index for m in made.members]
    assert found[0].chance == max(item.chance for item in found)
    assert sum(item.chance for item in found) == pytest.approx(1)
    assert all(item.why for item in found)
