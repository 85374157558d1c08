"""What of alerts is kept in the store, as documents.

| kind | id | |
|---|---|---|
| `alert_rule` | its name | a rule made in the dashboard, by the API or on the command line |
| `alert_silence` | UUIDv7 | |
| `alert_book` | `rules` | what fires, and who looks after it: one document, so that a look is one transaction |
| `alert_event` | the notice's | a budget's level or a runaway that a worker heard of and nobody has taken up yet |
| `alert_notice` | time and the notice's | the history, and how sending went |
| `alert_known` | the notice's | that an event has become a notice, so that it never does again |
| `alert_delivery` | receiver, time and the notice's | what is still to be sent |
"""

from __future__ import annotations

import msgspec

from gateway.core.alerts.notice import Notice
from gateway.core.alerts.watch import Watch

RULE = "alert_rule"
SILENCE = "alert_silence"
BOOK = "alert_book"
BOOK_ID = "rules"
EVENT = "alert_event"
NOTICE = "alert_notice"
KNOWN = "alert_known"
DELIVERY = "alert_delivery"

KEY_SEPARATOR = "\x1f"
"""Between a rule's name and the value it tells apart: neither has it."""


class Book(msgspec.Struct, kw_only=True):
    """Written whole by one process at a time: whoever has the version that it read last."""

    holder: str = ""
    until_us: int = 0
    """From when another process may take it over."""
    looked_at_us: int = 0
    watches: dict[str, Watch] = {}
    """By rule and value."""
    readings: dict[str, dict[str, float | None]] = {}
    """By rule, the values measured last; the highest hundred of each."""
    troubles: dict[str, str] = {}
    """By rule, why it could not be measured."""
    leaving: list[Notice] = []
    """Decided with the watches, in the same transaction, and not in the history yet."""


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How telling one receiver went, as the history keeps it."""

    state: str = "waiting"
    """waiting, sent, failed"""
    attempts: int = 0
    at_us: int | None = None
    error: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """A notice in the history."""

    notice: Notice
    sent: dict[str, Sending] = {}
    """By receiver."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    receiver: str
    notice: Notice
    attempts: int = 0
    next_us: int = 0
    """Also set while an attempt is under way: another process leaves it alone until then."""


def delivery_id(receiver: str, notice: Notice) -> str:
    return f"{receiver}/{notice.at_us_id}"


def watch_key(rule: str, of: str) -> str:
    return f"{rule}{KEY_SEPARATOR}{of}"
