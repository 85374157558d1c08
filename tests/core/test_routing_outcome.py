from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.routing import Outcome, Verdict, judge, retry_after_us

NOW = 1_445_412_480_000_000
"""Wed, 21 Oct 2015 07:28:00 GMT."""

RETRY = Verdict(retry=True)
ROTATE = Verdict(retry=True, rotate_key=True)
DROP = Verdict(retry=True, rotate_key=True, drop_key=True)
BROKEN = Verdict(retry=True, harms_target=True)
FINE = Verdict()


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        *((Outcome(status), FINE) for status in (200, 201, 302, 400, 404, 405, 413, 415, 422)),
        *((Outcome(status), DROP) for status in (401, 402, 403)),
        *((Outcome(status), BROKEN) for status in (408, 500, 501, 502, 503, 504, 520, 529)),
        *((Outcome(None, reason), BROKEN) for reason in ("connect", "reset", "timeout", "malformed")),
        (Outcome(409), RETRY),
        (Outcome(429), ROTATE),
        (Outcome(None, "cancelled"), FINE),
    ],
)
def test_what_an_outcome_means(outcome: Outcome, verdict: Verdict) -> None:
    assert judge(outcome) == verdict


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"7"}, 7),
        ({b"retry-after": b" 0 "}, 0),
        ({b"retry-after": b"1.5"}, 1.5),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:28:30 GMT"}, 30),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:27:00 GMT"}, 0),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"-1"}, None),
        ({b"retry-after": b"99999999999"}, None),
        ({b"retry-after-ms": b"250", b"retry-after": b"1"}, 0.25),
        ({b"x-ms-retry-after-ms": b"1200"}, 1.2),
        # what is used up decides, the latest of it; what is left says nothing
        ({b"x-ratelimit-remaining-requests": b"0", b"x-ratelimit-reset-requests": b"6m0s"}, 360),
        ({b"x-ratelimit-remaining-requests": b"9", b"x-ratelimit-reset-requests": b"6m0s"}, None),
        ({b"x-ratelimit-reset-requests": b"6m0s"}, None),
        (
            {
                b"x-ratelimit-remaining-requests": b"0",
                b"x-ratelimit-reset-requests": b"120ms",
                b"x-ratelimit-remaining-tokens": b"0",
                b"x-ratelimit-reset-tokens": b"1h2m3.5s",
            },
            3723.5,
        ),
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"1445412485000"}, 5),  # OpenRouter: ms since 1970
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"1445412485"}, 5),
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"8"}, 8),
        (
            {
                b"anthropic-ratelimit-requests-remaining": b"0",
                b"anthropic-ratelimit-requests-reset": b"2015-10-21T07:28:10Z",
            },
            10,
        ),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[bytes, bytes], seconds: float | None) -> None:
    assert retry_after_us(headers, NOW) == (None if seconds is None else seconds * 1_000_000)


@given(
    st.sampled_from([b"retry-after", b"retry-after-ms", b"x-ratelimit-reset", b"x-ratelimit-reset-tokens"]),
    st.one_of(st.binary(max_size=40), st.from_regex(r"[0-9dhms.:TZ+ -]{0,30}", fullmatch=True).map(str.encode)),
)
def test_whatever_a_header_holds_it_is_a_time_or_nothing(name: bytes, value: bytes) -> None:
    exhausted = {b"x-ratelimit-remaining": b"0", b"x-ratelimit-remaining-tokens": b"0"}
    wait = retry_after_us({**exhausted, name: value}, NOW)
    assert wait is None or 0 <= wait <= 366 * 86_400 * 1_000_000
