"""Whether `alerts` and `notifications` hold together: rules that can be watched, receivers that can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from gateway.core.alerts.metric import problems
from gateway.core.document import Path, Problem
from gateway.settings import Settings
from gateway.settings.alerts import NAME, AlertRule, Notification

NEEDED = {
    "webhook": ("endpoint", "secret"),
    "slack": ("endpoint",),
    "email": ("host", "sender", "to"),
    "pagerduty": ("routing_key",),
}
"""By kind, what it cannot do without."""


def misalerted(settings: Settings) -> Iterator[Problem]:
    names = [rule.name for rule in settings.alerts.rules]
    yield from _nobody(settings.alerts.notify, settings, ("alerts", "notify"))
    for index, rule in enumerate(settings.alerts.rules):
        at = ("alerts", "rules", index)
        if rule.name in names[:index]:
            yield Problem((*at, "name"), f"'{rule.name}' is there twice")
        yield from (Problem((*at, name), message) for name, message in problems(rule))
        yield from _nobody(rule.notify, settings, (*at, "notify"))
    for name, each in settings.notifications.items():
        here = ("notifications", name)
        if not re.match(NAME, name):
            yield Problem(here, "is no name: letters, digits, `.`, `_` and `-`, at most 63")
        yield from _receiver(each, here)


def unknown_receivers(rule: AlertRule, known: Iterable[str]) -> list[str]:
    return [name for name in rule.notify or () if name not in known]


def _nobody(names: list[str] | None, settings: Settings, at: Path) -> Iterator[Problem]:
    for index, name in enumerate(names or ()):
        if name not in settings.notifications:
            there = ", ".join(settings.notifications) or "none"
            yield Problem((*at, index), f"'{name}' is not under notifications; there are: {there}")


def _receiver(each: Notification, at: Path) -> Iterator[Problem]:
    for name in NEEDED[each.kind]:
        if not getattr(each, name):
            yield Problem((*at, name), f"is missing; {each.kind} cannot do without it")
    if each.endpoint is not None:
        yield from _endpoint(each, (*at, "endpoint"))
    if each.kind == "email" and each.tls == "none" and (each.password is not None or not each.allow_private):
        yield Problem((*at, "tls"), "may be none only with allow_private, and without a password")
    for name, addresses in (("sender", [each.sender] if each.sender else []), ("to", each.to)):
        if any("@" not in address or any(ord(char) < 32 for char in address) for address in addresses):
            yield Problem((*at, name), "has something in it that is no e-mail address")


def _endpoint(each: Notification, at: Path) -> Iterator[Problem]:
    """Says nothing of the address itself: that of an incoming webhook is a secret."""
    url = each.endpoint or ""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not url.isascii() or any(char.isspace() or not char.isprintable() for char in url):
        yield Problem(at, "is not an address like https://host/path")
    elif parts.username or parts.password:
        yield Problem(at, "has a user or password in it, which it may not")
    elif parts.scheme == "http" and not each.allow_private:
        yield Problem(at, "is not https; what is sent could be read on the way. allow_private lets it through")
