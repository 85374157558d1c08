"""What a month will have cost, from days that are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.control.forecast import days_needed, forecast

ZONE = ZoneInfo("Europe/Berlin")


def us(day: datetime) -> int:
    return round(day.timestamp()) * 1_000_000


def days(first: datetime, amounts: list[int]) -> list[tuple[int, int]]:
    return [(us(first + timedelta(days=n)), amount) for n, amount in enumerate(amounts)]


def test_even_days_go_on_as_they_were() -> None:
    now = us(datetime(2026, 11, 11, 0, 0, tzinfo=ZONE))  # ten days are over, today has only begun
    found = forecast(days(datetime(2026, 11, 1, tzinfo=ZONE), [100] * 10 + [0]), now, ZONE)
    assert (found.month, found.spent_nanousd, found.burn_nanousd_per_day) == ("2026-11", 1000, 100)
    assert (found.expected_nanousd, found.low_nanousd, found.high_nanousd) == (3000, 3000, 3000)


def test_weekends_are_expected_to_be_weekends() -> None:
    first = datetime(2026, 11, 2, tzinfo=ZONE)  # a Monday
    amounts = [100, 100, 100, 100, 100, 10, 10] * 2
    now = us(datetime(2026, 11, 16, 0, 0, tzinfo=ZONE))
    found = forecast([*days(first, amounts), (now, 0)], now, ZONE)
    rest = 11 * 100 + 4 * 10  # 16 to 30 November
    assert found.expected_nanousd == sum(amounts) + rest


def test_days_that_vary_make_a_range() -> None:
    now = us(datetime(2026, 11, 11, 12, 0, tzinfo=ZONE))
    found = forecast(days(datetime(2026, 11, 1, tzinfo=ZONE), [50, 150] * 5 + [70]), now, ZONE)
    assert found.low_nanousd is not None
    assert found.expected_nanousd is not None
    assert found.high_nanousd is not None
    assert found.spent_nanousd <= found.low_nanousd < found.expected_nanousd < found.high_nanousd


@pytest.mark.parametrize("amounts", [[], [0, 0, 0, 5], [0] * 9 + [100, 100, 5]])
def test_too_few_days_say_nothing(amounts: list[int]) -> None:
    start = datetime(2026, 11, 20, tzinfo=ZONE) - timedelta(days=max(0, len(amounts) - 1))
    found = forecast(days(start, amounts), us(datetime(2026, 11, 20, 9, 0, tzinfo=ZONE)), ZONE)
    assert (found.expected_nanousd, found.low_nanousd, found.high_nanousd) == (None, None, None)


def test_the_days_before_this_month_count_for_what_is_usual() -> None:
    now = us(datetime(2026, 12, 1, 6, 0, tzinfo=ZONE))
    from_us, to_us = days_needed(now, ZONE)
    assert datetime.fromtimestamp(from_us / 1e6, UTC).astimezone(ZONE) == datetime(2026, 11, 3, tzinfo=ZONE)
    assert datetime.fromtimestamp(to_us / 1e6, UTC).astimezone(ZONE) == datetime(2026, 12, 2, tzinfo=ZONE)
    found = forecast(
        [*days(datetime(2026, 11, 3, tzinfo=ZONE), [100] * 28), (us(datetime(2026, 12, 1, tzinfo=ZONE)), 40)], now, ZONE
    )
    assert (found.spent_nanousd, found.expected_nanousd) == (40, 3100)
