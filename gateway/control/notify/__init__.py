"""Carries notices to people: one file for each kind of receiver, and one for the way there.

Everything is sent from a task of its own, within a time, to an address that was checked and is the one connected to;
no redirect is followed. What is said of a failure holds no secret.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.control.notify.email import Email
from gateway.control.notify.pagerduty import PagerDuty
from gateway.control.notify.sink import Sink
from gateway.control.notify.slack import Slack
from gateway.control.notify.target import RESOLVER, resolved
from gateway.control.notify.webhook import Webhook
from gateway.settings.alerts import Notification

KINDS: dict[str, Callable[[Notification, RESOLVER], Sink]] = {
    "webhook": Webhook,
    "slack": Slack,
    "email": Email,
    "pagerduty": PagerDuty,
}


def sink_of(settings: Notification, resolve: RESOLVER = resolved) -> Sink:
    return KINDS[settings.kind](settings, resolve)
