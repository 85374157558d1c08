from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.dashboard.format import DAY, HOUR, MINUTE, SECOND
from gateway.dashboard.period import PRESETS, iso, parse, zone_of

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
NOW = 1_795_206_664_977_000  # Fri 20 Nov 2026, 20:31:04.977 UTC


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_end_now_and_start_on_the_edge_of_a_bucket(preset) -> None:  # type: ignore[no-untyped-def]
    period = parse({"period": preset.key}, now_us=NOW, zone=UTC)
    assert period.to_us == NOW
    assert period.from_us % period.width_us == 0
    assert 12 <= period.length_us / period.width_us <= 91
    assert abs(period.length_us - preset.length_us) <= max(period.width_us, DAY)


@pytest.mark.parametrize(
    ("query", "key", "width"),
    [
        ({}, "24h", HOUR),
        ({"period": "1h"}, "1h", MINUTE),
        ({"period": "nonsense"}, "24h", HOUR),
        ({"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T12:00:00Z"}, "custom", 5 * MINUTE),
        ({"from": "2026-10-01", "to": "2026-11-01"}, "custom", DAY),
        ({"from": "2026-11-20T12:00:00Z", "to": "2026-11-20T10:00:00Z"}, "24h", HOUR),
        ({"from": "yesterday"}, "24h", HOUR),
        ({"from": "2026-11-20T20:00:00"}, "custom", MINUTE),
    ],
)
def test_what_the_url_says(query: dict[str, str], key: str, width: int) -> None:
    period = parse(query, now_us=NOW, zone=UTC)
    assert (period.key, period.width_us) == (key, width)


def test_days_are_calendar_days_of_the_zone() -> None:
    period = parse({"period": "30d"}, now_us=NOW, zone=BERLIN)
    assert iso(period.from_us) == "2026-10-21T22:00:00Z"  # midnight in summer time; the clock changed in between


def test_a_time_without_offset_is_in_the_zone() -> None:
    period = parse({"from": "2026-11-20T10:00", "to": "2026-11-20T12:00"}, now_us=NOW, zone=BERLIN)
    assert iso(period.from_us) == "2026-11-20T09:00:00Z"


def test_before_and_after() -> None:
    period = parse({"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T12:00:00Z"}, now_us=NOW, zone=UTC)
    assert period.before == (period.from_us - 2 * HOUR, period.from_us)
    assert period.shifted(-1) == {"from": "2026-11-20T08:00:00Z", "to": "2026-11-20T10:00:00Z"}
    assert parse(period.query, now_us=NOW + SECOND, zone=UTC) == period


@pytest.mark.parametrize("name", [None, "", "No/Such", "../etc/passwd", "/etc/passwd", "Europe/Berlin\0"])
def test_an_unknown_zone_is_utc(name: str | None) -> None:
    assert zone_of(name).key == "UTC"
