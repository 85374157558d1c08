from __future__ import annotations

import time
import uuid

import pytest

from gateway.core import ids
from gateway.core.ids import uuid7, uuid7_time_us

NOON_NS = 1_790_000_000_123_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The clock's nanoseconds, to be set; ids begin anew."""
    now = [NOON_NS]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    monkeypatch.setattr(ids, "_last_ms", 0)
    monkeypatch.setattr(ids, "_counter", 0)
    monkeypatch.setattr(ids, "_moment", "")
    return now


def test_an_id_is_a_uuid_of_version_7_and_of_the_rfc_variant() -> None:
    for value in (uuid7() for _ in range(1000)):
        parsed = uuid.UUID(value)
        assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, value)


def test_ids_sort_as_they_were_made_and_none_comes_twice() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_more_ids_than_a_millisecond_has_room_for_still_sort(clock: list[int]) -> None:
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert uuid7_time_us(made[-1]) - uuid7_time_us(made[0]) <= 3000


def test_a_clock_that_jumps_back_does_not_reorder_them(clock: list[int]) -> None:
    made = []
    for jump_ms in (0, 1, -5000, 0, 3, -60_000, 70_000):
        clock[0] += jump_ms * 1_000_000
        made += [uuid7() for _ in range(50)]
    assert made == sorted(set(made))


def test_the_time_is_in_the_id(clock: list[int]) -> None:
    assert uuid7_time_us(uuid7()) == NOON_NS // 1_000_000 * 1000


@pytest.mark.parametrize("other", ["", "x", str(uuid.UUID(int=0, version=4)), "0" * 31])
def test_other_ids_have_no_time(other: str) -> None:
    with pytest.raises(ValueError, match="is not a UUIDv7"):
        uuid7_time_us(other)
