from __future__ import annotations

from gateway.core.routing import KeyRing
from gateway.core.routing.keyring import OUT_US
from tests.core.routing_parts import NOW, SECOND


def test_keys_take_turns() -> None:
    ring = KeyRing(3)
    assert [ring.pick(NOW) for _ in range(6)] == [0, 1, 2, 0, 1, 2]


def test_one_that_rests_is_passed_over_until_its_time() -> None:
    ring = KeyRing(3)
    assert ring.refused(1, NOW, NOW + 5 * SECOND)
    assert [ring.pick(NOW) for _ in range(4)] == [0, 2, 0, 2]
    assert sorted(ring.pick(NOW + 5 * SECOND) for _ in range(3)) == [0, 1, 2]


def test_one_that_is_out_comes_back_after_a_while() -> None:
    ring = KeyRing(2)
    assert ring.refused(0, NOW, None)
    assert {ring.pick(NOW + OUT_US - 1) for _ in range(4)} == {1}
    assert {ring.pick(NOW + OUT_US) for _ in range(4)} == {0, 1}


def test_a_shorter_rest_does_not_bring_it_back() -> None:
    ring = KeyRing(2)
    ring.refused(0, NOW, None)
    ring.refused(0, NOW, NOW + SECOND)
    assert ring.pick(NOW + 2 * SECOND) == 1


def test_with_all_resting_the_soonest_is_taken() -> None:
    ring = KeyRing(2)
    assert ring.refused(0, NOW, NOW + 9 * SECOND)
    assert not ring.refused(1, NOW, NOW + 3 * SECOND)
    assert (ring.pick(NOW), ring.ready(NOW)) == (1, 0)


def test_a_lone_key_is_never_cooled_away() -> None:
    ring = KeyRing(1)
    assert not ring.refused(0, NOW, None)
    assert (ring.pick(NOW), ring.ready(NOW)) == (0, 1)


def test_a_provider_without_a_key_has_a_ring_of_one() -> None:
    assert KeyRing(0).pick(NOW) == 0


def test_a_call_that_is_bound_starts_at_its_own_key_and_takes_no_turn() -> None:
    ring = KeyRing(3)
    assert [ring.pick(NOW, 7) for _ in range(3)] == [1, 1, 1]
    ring.refused(1, NOW, NOW + SECOND)
    assert ring.pick(NOW, 7) == 2
    assert ring.pick(NOW) == 0


def test_another_key_is_one_that_was_not_used() -> None:
    ring = KeyRing(3)
    ring.refused(2, NOW, None)
    assert ring.other(NOW, {0}) == 1
    assert ring.other(NOW, {0, 1}) is None


def test_a_reload_with_as_many_keys_keeps_what_is_known() -> None:
    ring = KeyRing(2)
    assert ring.resized(2) is ring
    assert len(ring.resized(3)) == 3


def test_it_shows_nothing() -> None:
    assert repr(KeyRing(3)) == "KeyRing(3)"
