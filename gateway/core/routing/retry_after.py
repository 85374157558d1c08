"""How long a provider asks to be left alone, out of the headers of its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECOND = 1_000_000
LONGEST_US = 366 * 86_400 * SECOND
"""Anything beyond is no time to wait but a slip."""

_NUMBER = re.compile(r"\d{1,18}(?:\.\d{1,9})?\Z")
_DURATION = re.compile(
    r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9}(?:\.\d+)?)s)?(?:(\d{1,9}(?:\.\d+)?)ms)?\Z"
)
_RESETS = (
    # OpenAI and its compatibles; OpenRouter (milliseconds since 1970); Anthropic (RFC 3339)
    (b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests"),
    (b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens"),
    (b"x-ratelimit-remaining", b"x-ratelimit-reset"),
    (b"anthropic-ratelimit-requests-remaining", b"anthropic-ratelimit-requests-reset"),
    (b"anthropic-ratelimit-tokens-remaining", b"anthropic-ratelimit-tokens-reset"),
    (b"anthropic-ratelimit-input-tokens-remaining", b"anthropic-ratelimit-input-tokens-reset"),
    (b"anthropic-ratelimit-output-tokens-remaining", b"anthropic-ratelimit-output-tokens-reset"),
)
"""What is left, and when it is full again; the latter counts only where nothing is left."""


def retry_after_us(headers: Mapping[bytes, bytes], now_us: int) -> int | None:
    """From `retry-after-ms`, `x-ms-retry-after-ms`, `retry-after` (seconds or a date, RFC 9110 10.2.3), else the
    resets of what is used up. None where nothing is said, or nothing that can be read. Names are lower case."""
    for name in (b"retry-after-ms", b"x-ms-retry-after-ms"):
        if (value := headers.get(name)) is not None and (wait := _number(_text(value))) is not None:
            return _sensible(wait * 1000)
    if (value := headers.get(b"retry-after")) is not None:
        text = _text(value)
        seconds = _number(text)
        wait = _until_date(text, now_us) if seconds is None else seconds * SECOND
        if wait is not None:
            return _sensible(wait)
    waits = [
        wait
        for remaining, reset in _RESETS
        if reset in headers and _number(_text(headers.get(remaining, b""))) == 0
        if (wait := _until_reset(_text(headers[reset]), now_us)) is not None
    ]
    return _sensible(max(waits)) if waits else None


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip()


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.match(text) else None


def _until_date(text: str, now_us: int) -> float | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return _until(at, now_us)


def _until(at: datetime, now_us: int) -> float:
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() * SECOND - now_us)


def _until_reset(text: str, now_us: int) -> float | None:
    """`6m0s`, `120ms`, seconds from now, or a moment: seconds or milliseconds since 1970, RFC 3339."""
    number = _number(text)
    if number is not None:
        moment = number * 1000 if number > 1e11 else number * SECOND if number > 1e8 else None
        return number * SECOND if moment is None else max(0.0, moment - now_us)
    match = _DURATION.match(text)
    if match and text:
        days, hours, minutes, seconds, ms = (float(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 * SECOND + seconds * SECOND + ms * 1000
    try:
        return _until(datetime.fromisoformat(text), now_us)
    except ValueError:
        return None


def _sensible(wait_us: float) -> int | None:
    return round(wait_us) if wait_us <= LONGEST_US else None
