"""What people are told of: rules over the log and the health of the parts, and where notices go."""

# ruff: noqa: RUF012 (msgspec copies an empty default for each instance, which ruff does not see through `Section`)

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.section import Count, NotNegative, Port, Positive, Section

Severity = Literal["info", "warning", "error", "critical"]
Each = Literal["", "tenant", "environment", "provider", "model", "key", "prompt"]
NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class AlertRule(Section, frozen=True):
    """One of `above` and `below`. Declared in the file, or kept in the store as it is."""

    name: Annotated[str, Meta(description="What notices call it.", pattern=NAME)]
    metric: Annotated[str, Meta(description="What is watched; docs/alerts.md lists what there is.")]
    above: Annotated[float | None, Meta(description="Too much is more than this.")] = None
    below: Annotated[float | None, Meta(description="Too little is less than this.")] = None
    clear: Annotated[
        float | None,
        Meta(description="It is over only when the value is back beyond this, so that it does not flap."),
    ] = None
    window_min: Annotated[Annotated[float, Meta(gt=0, le=44_640)], Meta(description="Calls of the last minutes.")] = 10
    for_min: Annotated[NotNegative, Meta(description="How long it must hold before anybody is told.")] = 0
    each: Annotated[Each, Meta(description="Every value of this by itself; without it all calls together.")] = ""
    tenant: Annotated[list[str], Meta(description="Only calls of these tenants.")] = []
    environment: Annotated[list[str], Meta(description="Only calls of these environments.")] = []
    provider: Annotated[list[str], Meta(description="Only calls to these providers.")] = []
    model: Annotated[list[str], Meta(description="Only calls of these models.")] = []
    min_calls: Annotated[
        Count, Meta(description="A rate or a latency of fewer calls than this says nothing and is not judged.")
    ] = 10
    severity: Annotated[Severity, Meta(description="How bad it is.")] = "warning"
    notify: Annotated[
        list[str] | None, Meta(description="Names under `notifications`; without it those of `alerts.notify`.")
    ] = None


class Alerts(Section, frozen=True):
    every_s: Annotated[Annotated[float, Meta(ge=1, le=300)], Meta(description="How often the rules are looked at.")] = (
        15
    )
    notify: Annotated[
        list[str] | None,
        Meta(description="Who is told, of budgets and runaways too; null is all of `notifications`."),
    ] = None
    history_days: Annotated[Count, Meta(description="Notices are kept so long.")] = 400
    rules: Annotated[list[AlertRule], Meta(description="Rules declared here: read-only elsewhere.")] = []


class Notification(Section, frozen=True):
    """Where notices go. What each kind needs of it is checked with the configuration."""

    kind: Annotated[
        Literal["webhook", "slack", "email", "pagerduty"],
        Meta(description="How it is told: a signed webhook, Slack, e-mail, or events as PagerDuty takes them."),
    ]
    endpoint: Annotated[
        str | None,
        Meta(description="Where to post: of a webhook, Slack's incoming webhook, another host than PagerDuty's."),
    ] = None
    secret: Annotated[
        Annotated[str, Meta(min_length=16)] | None,
        Meta(description="Signs a webhook (Standard Webhooks); `whsec_…` or any text."),
    ] = None
    routing_key: Annotated[str | None, Meta(description="Of the PagerDuty service.")] = None
    host: Annotated[str | None, Meta(description="The mail server.")] = None
    port: Annotated[Port, Meta(description="Its port.")] = 587
    tls: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="How the way to it is kept private; `none` only with allow_private and without a password."),
    ] = "starttls"
    username: Annotated[str | None, Meta(description="At the mail server.")] = None
    password: Annotated[str | None, Meta(description="At the mail server; use ${VAR}.")] = None
    sender: Annotated[str | None, Meta(description="The From of mails.")] = None
    to: Annotated[list[str], Meta(description="Who gets the mails.")] = []
    min_severity: Annotated[Severity, Meta(description="What is less bad is not sent.")] = "info"
    allow_private: Annotated[
        bool, Meta(description="It may be on this machine or a private network, and be spoken to without TLS.")
    ] = False
    timeout_s: Annotated[Positive, Meta(description="For one attempt, all of it.")] = 10
