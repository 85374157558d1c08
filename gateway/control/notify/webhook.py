"""A POST to an address of one's own, signed as Standard Webhooks has it, so that receivers verify it with a library.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the signature is over
`id.timestamp.body`; `webhook-id` is the same each time a notice is sent, and is what a receiver knows a repetition by.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time

import msgspec

from gateway.control.notify.post import post
from gateway.control.notify.sink import iso
from gateway.control.notify.target import RESOLVER
from gateway.core.alerts.notice import Notice
from gateway.settings.alerts import Notification

SECRET_PREFIX = "whsec_"  # noqa: S105 - how such secrets begin


class Webhook:
    def __init__(self, settings: Notification, resolve: RESOLVER) -> None:
        self._settings = settings
        self._resolve = resolve

    async def send(self, notice: Notice, link: str) -> None:
        body = msgspec.json.encode(content(notice, link))
        at = int(time.time())
        headers = {"webhook-id": notice.id, "webhook-timestamp": str(at)}
        if self._settings.secret is not None:
            headers["webhook-signature"] = signature(self._settings.secret, notice.id, at, body)
        await post(self._settings.endpoint or "", headers, body, self._settings, self._resolve)


def content(notice: Notice, link: str) -> dict[str, object]:
    """`notify` and the like are the gateway's own affair and stay out."""
    return {
        "type": f"alert.{notice.kind}",
        "timestamp": iso(notice.at_us),
        "data": {
            "id": notice.id,
            "incident": notice.incident,
            "rule": notice.rule,
            "of": notice.of or None,
            "severity": notice.severity,
            "title": notice.title,
            "text": notice.text,
            "metric": notice.metric,
            "value": notice.value,
            "limit": notice.limit,
            "since": iso(notice.since_us) if notice.since_us is not None else None,
            "link": link or None,
        },
    }


def signature(secret: str, notice_id: str, at: int, body: bytes) -> str:
    signed = b".".join((notice_id.encode(), str(at).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    """`whsec_` and base64, or any text as it is."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()
