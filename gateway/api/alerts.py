"""`/api/alerts` and `/api/notifications`: rules, what fires, silences, the history, and a test of who is told."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.audit import number
from gateway.api.errors import invalid
from gateway.api.filters import iso_time
from gateway.api.keys import answer
from gateway.api.reading import Body, read_json
from gateway.api.scope import state_of
from gateway.control.alerts import Alerts
from gateway.control.alerts_kept import KEY_SEPARATOR, Book, Kept
from gateway.control.keys import moment_us
from gateway.core.alerts.silence import Silence
from gateway.errors import CallError
from gateway.settings.alerts import AlertRule

LIMIT = 50
MOST = 500


class WatchRecord(msgspec.Struct):
    of: str | None
    """The value that the rule tells apart; null where it tells none apart."""
    state: str
    """pending or firing"""
    since: str
    value: float | None
    incident: str | None
    told: bool
    """False: it is silenced."""


class RuleRecord(msgspec.Struct):
    rule: AlertRule
    declared: bool
    state: str
    """ok, pending, firing, or unknown: it could not be measured, and `problem` says why."""
    problem: str | None
    values: dict[str, float | None]
    """Measured last, by what the rule tells apart; `""` where it tells nothing apart."""
    watches: list[WatchRecord]


class SilenceRecord(msgspec.Struct):
    id: str
    rule: str
    of: str
    until: str
    note: str
    by: str
    created_at: str


class NewSilence(Body):
    rule: str
    until: str
    of: str = "*"
    note: str = ""


class ReceiverRecord(msgspec.Struct):
    """Nothing of where it is: that can be a secret."""

    name: str
    kind: str
    min_severity: str
    allow_private: bool


class NoticeRecord(msgspec.Struct):
    id: str
    at: str
    kind: str
    severity: str
    rule: str
    of: str | None
    title: str
    text: str
    incident: str
    metric: str | None
    value: float | None
    limit: float | None
    silenced: bool
    sent: dict[str, dict[str, Any]]
    """By receiver: state (waiting, sent, failed), attempts, at, error."""


def alerts_of(request: Request) -> Alerts:
    alerts = state_of(request).alerts
    if alerts is None:
        raise CallError(503, "no_alerts", "This process watches nothing.")
    return alerts


# ------------------------------------------------------------------------------------------------ rules


async def list_rules(request: Request) -> Response:
    alerts = alerts_of(request)
    rules, book = await alerts.rules(), await alerts.book()
    items = [rule_record(rule, book, declared=name in alerts.declared) for name, rule in rules.items()]
    return answer({"items": items, "next_cursor": None, "looked_at": _time(book.looked_at_us)})


async def one_rule(request: Request) -> Response:
    alerts, name = alerts_of(request), request.path_params["name"]
    rule = await alerts.rule(name)
    return answer(rule_record(rule, await alerts.book(), declared=name in alerts.declared))


async def create_rule(request: Request) -> Response:
    rule = await read_json(request, AlertRule)
    return answer(await alerts_of(request).create(rule, actor=reader(request).actor), 201)


async def change_rule(request: Request) -> Response:
    rule, name = await read_json(request, AlertRule), request.path_params["name"]
    if rule.name != name:
        raise invalid("name", f"The rule is called {name!r}; a rule of another name is another rule.")
    return answer(await alerts_of(request).change(rule, actor=reader(request).actor))


async def delete_rule(request: Request) -> Response:
    return answer(await alerts_of(request).delete(request.path_params["name"], actor=reader(request).actor))


def rule_record(rule: AlertRule, book: Book, *, declared: bool) -> RuleRecord:
    watches = []
    for key, watch in book.watches.items():
        name, _, of = key.partition(KEY_SEPARATOR)
        if name == rule.name:
            state = "firing" if watch.firing else "pending"
            since = iso_time(watch.since_us)
            watches.append(WatchRecord(of or None, state, since, watch.value, watch.incident or None, watch.told))
    states = {each.state for each in watches}
    problem = book.troubles.get(rule.name)
    state = next((each for each in ("firing", "pending") if each in states), "unknown" if problem else "ok")
    return RuleRecord(rule, declared, state, problem, book.readings.get(rule.name, {}), watches)


# ------------------------------------------------------------------------------------------------ silences


async def list_silences(request: Request) -> Response:
    found = await alerts_of(request).silences()
    return answer({"items": [silence_record(key, each) for key, each in found.items()], "next_cursor": None})


async def create_silence(request: Request) -> Response:
    new = await read_json(request, NewSilence)
    try:
        until_us = moment_us(new.until)
    except (ValueError, OverflowError) as exc:
        raise invalid("until", f"'until' has the value {new.until[:50]!r}. It takes an ISO date or time.") from exc
    key, made = await alerts_of(request).silence(new.rule, new.of, until_us, note=new.note, actor=reader(request).actor)
    return answer(silence_record(key, made), 201)


async def delete_silence(request: Request) -> Response:
    key = request.path_params["silence_id"]
    return answer(silence_record(key, await alerts_of(request).unsilence(key, actor=reader(request).actor)))


def silence_record(key: str, each: Silence) -> SilenceRecord:
    return SilenceRecord(
        key, each.rule, each.of, iso_time(each.until_us), each.note, each.by, iso_time(each.created_at)
    )


# ------------------------------------------------------------------------------------------------ what was said


async def list_history(request: Request) -> Response:
    given = dict(request.query_params)
    unknown = [name for name in given if name not in ("limit", "cursor")]
    if unknown:
        raise invalid(unknown[0], f"There is no parameter {unknown[0][:50]!r} here; limit and cursor are.")
    limit = min(number(given, "limit", LIMIT), MOST)
    found, older = await alerts_of(request).history(after=given.get("cursor"), limit=limit)
    return answer({"items": [notice_record(each) for each in found], "next_cursor": older})


def notice_record(kept: Kept) -> NoticeRecord:
    notice = kept.notice
    sent = {
        name: {"state": each.state, "attempts": each.attempts, "at": _time(each.at_us), "error": each.error}
        for name, each in kept.sent.items()
    }
    return NoticeRecord(
        notice.id,
        iso_time(notice.at_us),
        notice.kind,
        notice.severity,
        notice.rule,
        notice.of or None,
        notice.title,
        notice.text,
        notice.incident,
        notice.metric,
        notice.value,
        notice.limit,
        notice.silenced,
        sent,
    )


async def list_notifications(request: Request) -> Response:
    found = alerts_of(request).settings.notifications
    items = [ReceiverRecord(name, each.kind, each.min_severity, each.allow_private) for name, each in found.items()]
    return answer({"items": items, "next_cursor": None})


async def test_notification(request: Request) -> Response:
    name = request.path_params["name"]
    await alerts_of(request).test(name, actor=reader(request).actor)
    return answer({"name": name, "sent": True})


def _time(at_us: int | None) -> str | None:
    return iso_time(at_us) if at_us else None
