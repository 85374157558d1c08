"""Slack's incoming webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.

They know no id of a message: one whose answer got lost is sent again and seen twice.
"""

from __future__ import annotations

import msgspec

from gateway.control.notify.post import post
from gateway.control.notify.sink import one_line
from gateway.control.notify.target import RESOLVER
from gateway.core.alerts.notice import Notice
from gateway.settings.alerts import Notification

MARKS = {
    "info": ":information_source:",
    "warning": ":warning:",
    "error": ":red_circle:",
    "critical": ":rotating_light:",
}
OVER = ":white_check_mark:"


class Slack:
    def __init__(self, settings: Notification, resolve: RESOLVER) -> None:
        self._settings = settings
        self._resolve = resolve

    async def send(self, notice: Notice, link: str) -> None:
        body = msgspec.json.encode(content(notice, link))
        await post(self._settings.endpoint or "", {}, body, self._settings, self._resolve)


def content(notice: Notice, link: str) -> dict[str, object]:
    mark = OVER if notice.kind == "resolved" else MARKS[notice.severity]
    title = one_line(notice.title, 150)
    text = f"{mark} *{escaped(title)}*\n{escaped(one_line(notice.text, 2000))}"
    if link:
        text += f"\n<{escaped(link)}|Open in Callgate>"
    return {"text": escaped(title), "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}


def escaped(text: str) -> str:
    """A tenant called `<!channel>` must not call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
