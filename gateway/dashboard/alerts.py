"""Alerts: what fires, the rules, what was said and to whom, silences, and a button that tries each receiver."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.alerts import RuleRecord, alerts_of, rule_record
from gateway.control.alerts import Alerts
from gateway.control.alerts_kept import Kept
from gateway.control.keys import moment_us
from gateway.core.alerts.metric import METRICS, limit_of
from gateway.core.alerts.notice import SEVERITIES, said, spell
from gateway.dashboard import urls
from gateway.dashboard.alert_form import EACH, rule_of
from gateway.dashboard.render import respond
from gateway.dashboard.settings.frame import Desk, Frame, desk, done, form_of
from gateway.dashboard.view import Shell
from gateway.errors import ControlError
from gateway.settings.alerts import AlertRule

PAGE = 30
TONES = {"ok": "success", "pending": "warning", "firing": "error", "unknown": "info"}
SEVERITY_TONES = {"info": "info", "warning": "warning", "error": "error", "critical": "error"}
LENGTHS = (("1", "1 hour"), ("4", "4 hours"), ("24", "a day"), ("168", "a week"))
MINUTE_US = 60_000_000


@dataclass(frozen=True)
class FiringRow:
    rule: str
    href: str
    of: str
    value: str
    limit: str
    since: str
    lasts: str
    severity: str
    tone: str
    is_silenced: bool


@dataclass(frozen=True)
class Watched:
    firing: list[FiringRow]
    rules: int
    looked_at: str
    """Empty before the first look."""


@dataclass(frozen=True)
class RuleRow:
    name: str
    href: str
    state: str
    tone: str
    condition: str
    now: str
    severity: str
    tells: str
    source: str


@dataclass(frozen=True)
class NoticeRow:
    when: str
    kind: str
    tone: str
    what: str
    href: str
    """Of the rule; empty for what has none."""
    text: str
    told: list[tuple[str, str, str]]
    """(receiver, state, what went wrong)"""
    is_silenced: bool


@dataclass(frozen=True)
class SilenceRow:
    id: str
    rule: str
    of: str
    until: str
    note: str
    by: str


@dataclass(frozen=True)
class ReceiverRow:
    name: str
    kind: str
    least: str


@dataclass(frozen=True)
class AlertsPage:
    template: ClassVar[str] = "alerts.html"
    shell: Shell
    frame: Frame
    firing: list[FiringRow]
    rules: list[RuleRow]
    notices: list[NoticeRow]
    older: str
    newest: str
    silences: list[SilenceRow]
    receivers: list[ReceiverRow]
    looked_at: str
    may_change: bool
    done: str
    """What was just done, in words; empty without."""
    metrics: list[str]
    each: tuple[str, ...] = EACH
    severities: tuple[str, ...] = SEVERITIES
    lengths: tuple[tuple[str, str], ...] = LENGTHS


async def alerts_page(request: Request) -> Response:
    here = await desk(request, "Alerts", urls.ALERTS)
    return await _page(here, done_words=_told(here))


async def alerts_action(request: Request) -> Response:
    here, form = await desk(request, "Alerts", urls.ALERTS), await form_of(request)
    alerts, actor = alerts_of(request), here.principal.actor
    try:
        match request.path_params["action"]:
            case "test":
                name = form.get("receiver", "")
                await alerts.test(name, actor=actor)
                return done(urls.alerts({"tested": name}))
            case "silence":
                await silence(alerts, form, actor)
            case "unsilence":
                await alerts.unsilence(form.get("id", ""), actor=actor)
            case "create":
                rule = await alerts.create(rule_of(form), actor=actor)
                return done(urls.alert_rule(rule.name))
            case _:
                raise HTTPException(404)
    except ControlError as problem:
        return await _page(here, problem=str(problem), form=form)
    return done(urls.alerts())


async def silence(alerts: Alerts, form: dict[str, str], actor: str) -> None:
    hours = form.get("hours", "1")
    if hours not in dict(LENGTHS):
        raise ControlError(f"{hours[:20]!r} is no time that can be chosen.")
    until = time.time_ns() // 1000 + int(hours) * 60 * MINUTE_US
    await alerts.silence(form.get("rule", ""), form.get("of", ""), until, note=form.get("note", ""), actor=actor)


async def _page(here: Desk, *, problem: str = "", form: dict[str, str] | None = None, done_words: str = "") -> Response:
    alerts, given = alerts_of(here.view.request), here.view.request.query_params
    book, rules = await alerts.book(), await alerts.rules()
    records = [rule_record(rule, book, declared=name in alerts.declared) for name, rule in rules.items()]
    cursor = given.get("before") or None
    kept, older = await alerts.history(after=cursor, limit=PAGE)
    silences = await alerts.silences()
    page = AlertsPage(
        here.shell,
        here.frame(problem, form=form),
        firing=[row for record in records for row in firing_rows(record, here.when, here.view.now_us)],
        rules=[_rule_row(alerts, record) for record in records],
        notices=[notice_row(each, here.when, rules) for each in kept],
        older=urls.alerts({"before": older}) if older else "",
        newest=urls.alerts() if cursor else "",
        silences=[
            SilenceRow(key, each.rule, each.of, here.when(each.until_us), each.note, each.by)
            for key, each in silences.items()
        ],
        receivers=[
            ReceiverRow(name, each.kind, "" if each.min_severity == "info" else f"{each.min_severity} and worse")
            for name, each in alerts.settings.notifications.items()
        ],
        looked_at=here.when(book.looked_at_us),
        may_change=here.is_admin,
        done=done_words,
        metrics=list(METRICS),
    )
    return respond(page, 400 if problem else 200)


def _told(here: Desk) -> str:
    """Only of receivers that there are: the address of a page can be written by anybody."""
    name = here.view.request.query_params.get("tested", "")
    return f"{name} took the test." if name in here.state.settings.notifications else ""


def condition(rule: AlertRule) -> str:
    """`Error rate above 10 % over 10 min, for each provider`"""
    metric = METRICS[rule.metric]
    words = f"{metric.words} {'above' if rule.above is not None else 'below'} {said(rule.metric, limit_of(rule))}"
    if metric.is_of_calls:
        words += f" over {spell(rule.window_min * 60)}"
    if rule.for_min:
        words += f" for {spell(rule.for_min * 60)}"
    return words + (f", each {rule.each}" if rule.each else "")


async def watched(alerts: Alerts, when: Callable[[int], str], now_us: int) -> Watched:
    """For other pages: what fires now, of how many rules."""
    book, rules = await alerts.book(), await alerts.rules()
    records = [rule_record(rule, book, declared=name in alerts.declared) for name, rule in rules.items()]
    firing = [row for record in records for row in firing_rows(record, when, now_us)]
    return Watched(firing, len(rules), when(book.looked_at_us) if book.looked_at_us else "")


def firing_rows(record: RuleRecord, when: Callable[[int], str], now_us: int) -> list[FiringRow]:
    rule = record.rule
    return [
        FiringRow(
            rule.name,
            urls.alert_rule(rule.name),
            each.of or "",
            said(rule.metric, each.value),
            f"{'above' if rule.above is not None else 'below'} {said(rule.metric, limit_of(rule))}",
            when(moment_us(each.since)),
            spell(max(0, now_us - moment_us(each.since)) / 1_000_000),
            rule.severity,
            SEVERITY_TONES[rule.severity],
            not each.told,
        )
        for each in record.watches
        if each.state == "firing"
    ]


def _rule_row(alerts: Alerts, record: RuleRecord) -> RuleRow:
    rule, values = record.rule, record.values
    worst = next(iter(values.items()), None)
    now = "–" if worst is None else said(rule.metric, worst[1]) + (f" ({worst[0]})" if worst[0] else "")
    return RuleRow(
        rule.name,
        urls.alert_rule(rule.name),
        record.state,
        TONES[record.state],
        condition(rule),
        record.problem or now,
        rule.severity,
        ", ".join(alerts.receivers(rule)) or "nobody",
        "configuration" if record.declared else "made here",
    )


def notice_row(kept: Kept, when: Callable[[int | None], str], rules: Container[str]) -> NoticeRow:
    notice = kept.notice
    tone = "success" if notice.kind == "resolved" else SEVERITY_TONES[notice.severity]
    told = [(name, each.state, each.error or "") for name, each in sorted(kept.sent.items())]
    is_rule = notice.rule in rules
    what = (f"{notice.rule} ({notice.of})" if notice.of else notice.rule) if is_rule else notice.title
    href = urls.alert_rule(notice.rule) if is_rule else ""
    return NoticeRow(when(notice.at_us), notice.kind, tone, what, href, notice.text, told, notice.silenced)
