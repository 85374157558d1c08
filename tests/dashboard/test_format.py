from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard import format as f

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
MOMENT = 1_795_206_664_977_000  # Fri 20 Nov 2026, 20:31:04.977 UTC


@pytest.mark.parametrize(
    ("nanousd", "shown"),
    [
        (None, "unpriced"),
        (0, "$0.00"),
        (1, "$0.000000001"),
        (12, "$0.000000012"),
        (2850, "$0.00000285"),
        (18_639_600, "$0.0186"),
        (2_700_000, "$0.00270"),
        (99_960_000, "$0.100"),
        (184_000_000, "$0.184"),
        (999_400_000, "$0.999"),
        (999_700_000, "$1.00"),
        (1_200_000_000, "$1.20"),
        (9_259_118_000_000, "$9,259.12"),
        (-2_700_000, "−$0.00270"),
    ],
)
def test_money_of_a_call(nanousd: int | None, shown: str) -> None:
    assert str(f.money(nanousd)) == shown


@given(st.integers(min_value=1, max_value=10**15))
def test_money_is_never_rounded_to_zero_nor_written_with_an_exponent(nanousd: int) -> None:
    shown = str(f.money(nanousd))
    assert any(digit in shown for digit in "123456789")
    assert "e" not in shown.lower()
    value = float(shown.replace("$", "").replace(",", ""))
    assert value == pytest.approx(nanousd / 1e9, rel=0.006)


def test_the_zeros_before_the_first_digit_are_apart() -> None:
    assert f.money(18_639_600).parts == (("lead", "$0.0"), ("main", "186"))
    assert f.money(184_000_000).parts == (("main", "$0.184"),)


@pytest.mark.parametrize(
    ("nanousd", "shown"),
    [
        (None, "–"),
        (0, "$0.00"),
        (2850, "$0.00000285"),
        (10_000_000, "$0.01"),
        (420_000_000, "$0.42"),
        (536_900_000_001, "$536.90"),
        (-4_180_000_000, "−$4.18"),
    ],
)
def test_money_of_many(nanousd: int | None, shown: str) -> None:
    assert str(f.money_sum(nanousd)) == shown


@pytest.mark.parametrize(
    ("nanousd", "shown"), [(18_639_600, "$0.0186396"), (0, "$0.00"), (1_500_000_000, "$1.50"), (1, "$0.000000001")]
)
def test_every_digit_of_money(nanousd: int, shown: str) -> None:
    assert f.money_exact(nanousd) == shown


def test_decimal_points_of_a_column_align() -> None:
    column = f.money_column([18_639_600, 2850, 0, None])
    assert [figure.missing for figure in column] == [4, 0, 6, 0]
    assert {len(str(figure).partition(".")[2]) + figure.missing for figure in column[:3]} == {8}


@pytest.mark.parametrize(
    ("us", "shown"),
    [
        (None, "–"),
        (0, "0µs"),
        (41, "41µs"),
        (999, "999µs"),
        (999.6, "1.00ms"),
        (3_100, "3.10ms"),
        (412_000, "412ms"),
        (999_600, "1.00s"),
        (9_120_000, "9.12s"),
        (9_996_000, "10.0s"),
        (99_900_000, "99.9s"),
        (120_000_000, "2m 00s"),
        (3_900_000_000, "1h 05m"),
        (532_800_000_000, "6d 04h"),
    ],
)
def test_durations(us: float | None, shown: str) -> None:
    assert str(f.duration(us)) == shown


@pytest.mark.parametrize(
    ("number", "full", "short"),
    [
        (None, "–", "–"),
        (0, "0", "0"),
        (999, "999", "999"),
        (9_876, "9,876", "9.88k"),
        (78_300, "78,300", "78.3k"),
        (999_999, "999,999", "1.00M"),
        (345_000_000, "345M", "345M"),
        (2_970_000_000, "2.97B", "2.97B"),
    ],
)
def test_counts(number: int | None, full: str, short: str) -> None:
    assert (str(f.count(number)), str(f.short(number))) == (full, short)


@pytest.mark.parametrize(
    ("part", "whole", "rate", "share"),
    [
        (0, 0, "–", "–"),
        (None, 10, "–", "–"),
        (10, 10, "100%", "100%"),
        (0, 10, "0%", "0%"),
        (999_999, 1_000_000, "99.99%", "100%"),
        (1, 1_000_000, "0.01%", "<0.1%"),
        (9964, 10_000, "99.64%", "100%"),
        (46, 100, "46.00%", "46%"),
        (35, 1000, "3.50%", "3.5%"),
    ],
)
def test_shares(part: int | None, whole: int, rate: str, share: str) -> None:
    assert (str(f.rate(part, whole)), str(f.share(part, whole))) == (rate, share)


@pytest.mark.parametrize(("number", "shown"), [(None, "–"), (12, "12 B"), (14_200, "14.2 kB"), (5_000_000, "5.00 MB")])
def test_sizes(number: int | None, shown: str) -> None:
    assert str(f.size(number)) == shown


@pytest.mark.parametrize(
    ("now", "before", "better", "delta"),
    [
        (108.4, 100, "", f.Delta("8.4%", "up")),
        (111.2, 100, "down", f.Delta("11.2%", "up", "error")),
        (96.2, 100, "down", f.Delta("3.8%", "down", "success")),
        (101.1, 100, "down", f.Delta("1.1%", "up")),
        (100, 100, "up", f.Delta("0.0%", "same")),
        (5000, 100, "", f.Delta("4,900%", "up")),
        (5, 0, "up", None),
        (None, 5, "up", None),
    ],
)
def test_changes(now: float | None, before: float, better: str, delta: f.Delta | None) -> None:
    assert f.change(now, before, better=better) == delta


def test_changes_of_shares_are_in_points() -> None:
    assert f.change_points(0.9964, 0.9995) == f.Delta("0.31 pt", "down", "error")
    assert f.change_points(0.9996, 0.9995) == f.Delta("0.01 pt", "up")
    assert f.change_points(None, 0.5) is None


def test_times() -> None:
    assert f.full(MOMENT, UTC) == "Fri 20 Nov 2026, 20:31:04.977 UTC"
    assert f.full(MOMENT, BERLIN) == "Fri 20 Nov 2026, 21:31:04.977 CET"
    assert f.clock(MOMENT, UTC) == "20:31:04"
    assert f.day(MOMENT, UTC) == "Fri 20 Nov"


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (30 * f.MINUTE, "Fri 20 Nov, 14:30 – 15:00"),
        (15 * f.SECOND, "Fri 20 Nov, 14:30:00 – 14:30:15"),
        (12 * f.HOUR, "Fri 20 Nov, 14:30 – 02:30"),
        (f.DAY, "Fri 20 Nov – Sat 21 Nov"),
    ],
)
def test_spans_of_time(length: int, shown: str) -> None:
    start = 1_795_185_000_000_000
    assert f.span_of_time(start, start + length, UTC) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (3600, None)])
def test_relative_time_ends_at_an_hour(seconds: int, shown: str | None) -> None:
    assert f.ago(MOMENT - seconds * f.SECOND, MOMENT) == shown


def test_names() -> None:
    assert f.short_id("01a02c4e-61f1-7c3b-9d52-8e1f40b7c9a6") == "01a02c4e…c9a6"
    assert f.short_id("short") == "short"
    assert [f.listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert [f.plural(number, "call") for number in (0, 1, 1200)] == ["0 calls", "1 call", "1,200 calls"]
