"""One rule: how it is, its values, what it said; changed, silenced or deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.alerts import alerts_of, rule_record
from gateway.core.alerts.metric import METRICS
from gateway.core.alerts.notice import SEVERITIES, said
from gateway.dashboard import urls
from gateway.dashboard.alert_form import EACH, form_of_rule, rule_of
from gateway.dashboard.alerts import LENGTHS, TONES, FiringRow, condition, firing_rows, silence
from gateway.dashboard.render import respond
from gateway.dashboard.settings.frame import Desk, Frame, desk, done, form_of
from gateway.dashboard.view import Shell
from gateway.errors import ControlError, Missing

MOST_VALUES = 20


@dataclass(frozen=True)
class AlertRulePage:
    template: ClassVar[str] = "alert_rule.html"
    shell: Shell
    frame: Frame
    name: str
    condition: str
    status: str
    """ok, pending, firing or unknown"""
    tone: str
    problem: str
    """Why it could not be measured; empty if it could."""
    facts: list[tuple[str, str]]
    values: list[tuple[str, str]]
    """What was measured last, by what the rule tells apart; the worst first."""
    firing: list[FiringRow]
    tells: list[str]
    change: str
    """Where the form goes; empty for one that cannot be changed here."""
    delete: str
    silence: str
    """Empty for who may not."""
    why_not: str
    metrics: list[str]
    back: str = urls.ALERTS
    each: tuple[str, ...] = EACH
    severities: tuple[str, ...] = SEVERITIES
    lengths: tuple[tuple[str, str], ...] = LENGTHS


async def alert_rule_page(request: Request) -> Response:
    here = await desk(request, "Alert", urls.ALERTS)
    return await _page(here, request.path_params["name"])


async def alert_rule_action(request: Request) -> Response:
    here, form = await desk(request, "Alert", urls.ALERTS), await form_of(request)
    alerts, actor, name = alerts_of(request), here.principal.actor, request.path_params["name"]
    try:
        match request.path_params["action"]:
            case "change":
                await alerts.change(rule_of({**form, "name": name}), actor=actor)
            case "silence":
                await silence(alerts, {**form, "rule": name}, actor)
                return done(urls.alerts())
            case "delete":
                await alerts.delete(name, actor=actor)
                return done(urls.alerts())
            case _:
                raise HTTPException(404)
    except ControlError as problem:
        return await _page(here, name, problem=str(problem), form=form)
    return done(urls.alert_rule(name))


async def _page(here: Desk, name: str, *, problem: str = "", form: dict[str, str] | None = None) -> Response:
    alerts = alerts_of(here.view.request)
    try:
        rule = await alerts.rule(name)
    except Missing as exc:
        raise HTTPException(404, str(exc)) from exc
    record = rule_record(rule, await alerts.book(), declared=name in alerts.declared)
    why_not = "" if here.is_admin else "You may look at this rule, not change it."
    if record.declared:
        why_not = "This rule is declared in the configuration: change it there; a running gateway reloads it."
    filled = form_of_rule(rule)
    named = ("metric", "clear", "each", "tenant", "environment", "provider", "model", "min_calls", "severity")
    page = AlertRulePage(
        here.shell,
        here.frame(problem, form=form if form else filled),
        name,
        condition(rule),
        record.state,
        TONES[record.state],
        record.problem or "",
        [(field.replace("_", " ").capitalize(), filled[field]) for field in named if filled[field]],
        [(of, said(rule.metric, value)) for of, value in list(record.values.items())[:MOST_VALUES]],
        firing_rows(record, here.when, here.view.now_us),
        list(alerts.receivers(rule)),
        "" if why_not else urls.alert_rule(name, "change"),
        "" if why_not else urls.alert_rule(name, "delete"),
        urls.alert_rule(name, "silence") if here.is_admin else "",
        why_not,
        list(METRICS),
    )
    return respond(page, 400 if problem else 200)
