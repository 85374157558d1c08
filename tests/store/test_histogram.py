from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import histogram

durations = st.lists(st.integers(0, 10**11), max_size=300)


def lanes_of(values: list[int]) -> int:
    return histogram.decode(histogram.encode_buckets(map(histogram.bucket_of, values)))


@given(durations, durations)
def test_merging_is_the_histogram_of_both(one: list[int], other: list[int]) -> None:
    merged = histogram.merge(*(histogram.encode_buckets(map(histogram.bucket_of, values)) for values in (one, other)))
    assert histogram.decode(merged) == lanes_of(one + other) == lanes_of(one) + lanes_of(other)


@given(st.lists(st.integers(1, 4 * 3600 * 10**6), min_size=1, max_size=300))
def test_percentiles_are_within_three_percent(values: list[int]) -> None:
    values.sort()
    for share, found in zip((0.5, 0.95, 0.99), histogram.percentiles(lanes_of(values), (0.5, 0.95, 0.99)), strict=True):
        want = values[max(1, ceil(share * len(values))) - 1]
        assert found is not None
        assert abs(found - want) <= 0.03 * want + 1


@pytest.mark.parametrize("count", [1, 255, 256, 65_535, 65_536, 4_000_000_000])
def test_every_width_of_a_lane_comes_back(count: int) -> None:
    lanes = (count << 32 * 200) + (1 << 32 * 5)
    blob = histogram.encode(lanes)
    assert histogram.decode(blob) == lanes
    merged = histogram.merge(blob, histogram.encode(1 << 32 * 511))
    assert histogram.decode(merged) == lanes + (1 << 32 * 511)


def test_nothing_is_nothing() -> None:
    assert histogram.encode_buckets([]) is None
    assert histogram.encode(0) is None
    assert histogram.decode(None) == 0
    assert histogram.merge(None, None) is None
    assert histogram.percentiles(0, (0.5, 0.99)) == [None, None]


def test_the_range_covers_a_microsecond_to_hours() -> None:
    assert histogram.bucket_of(-1) == histogram.bucket_of(0) == histogram.bucket_of(1) == 0
    assert histogram.bucket_of(2 * 3600 * 10**6) < histogram.BUCKETS - 1
    assert histogram.bucket_of(10**18) == histogram.BUCKETS - 1
