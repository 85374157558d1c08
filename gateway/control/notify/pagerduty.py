"""Events as PagerDuty takes them (Events API v2), and those who take the same.

https://developer.pagerduty.com/docs/events-api-v2-overview: `dedup_key` is the incident, so that a repetition changes
nothing and the notice that it is over resolves what the first one opened. Budgets and runaways have no end of their
own: who is on call resolves those.
"""

from __future__ import annotations

import msgspec

from gateway.control.notify.post import post
from gateway.control.notify.sink import iso, one_line
from gateway.control.notify.target import RESOLVER
from gateway.core.alerts.notice import Notice
from gateway.settings.alerts import Notification

ENDPOINT = "https://events.pagerduty.com/v2/enqueue"
SOURCE = "callgate"


class PagerDuty:
    def __init__(self, settings: Notification, resolve: RESOLVER) -> None:
        self._settings = settings
        self._resolve = resolve

    async def send(self, notice: Notice, link: str) -> None:
        body = msgspec.json.encode(content(notice, link, self._settings.routing_key or ""))
        await post(self._settings.endpoint or ENDPOINT, {}, body, self._settings, self._resolve)


def content(notice: Notice, link: str, routing_key: str) -> dict[str, object]:
    is_over = notice.kind == "resolved"
    event: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": "resolve" if is_over else "trigger",
        "dedup_key": notice.incident,
    }
    if is_over:
        return event
    event["payload"] = {
        "summary": one_line(f"{notice.title}. {notice.text}", 1024),
        "source": SOURCE,
        "severity": notice.severity,
        "timestamp": iso(notice.at_us),
        "component": notice.of or None,
        "group": notice.rule,
        "class": notice.metric,
        "custom_details": {"value": notice.value, "limit": notice.limit, "notice": notice.id},
    }
    if link:
        event["links"] = [{"href": link, "text": "Open in Callgate"}]
    return event
