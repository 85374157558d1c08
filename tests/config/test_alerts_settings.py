"""What is wrong with `alerts` and `notifications` is said, and no secret with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

SLACK = "https://hooks.slack.com/services/T0/B0/hushhush"
CASES = {
    "alerts: {rules: [{name: a, metric: mood, above: 1}]}": ["alerts.rules[0].metric: 'mood' is nothing that can be"],
    "alerts: {rules: [{name: a, metric: errors}]}": ["alerts.rules[0].above: or below: a rule needs one"],
    "alerts: {rules: [{name: a, metric: errors, above: 1}, {name: a, metric: errors, above: 1}]}": [
        "alerts.rules[1].name: 'a' is there twice"
    ],
    "alerts: {notify: [ops]}": ["alerts.notify[0]: 'ops' is not under notifications; there are: none"],
    "alerts: {rules: [{name: a, metric: errors, above: 1, notify: [x]}]}": ["alerts.rules[0].notify[0]: 'x' is not"],
    "notifications: {a: {kind: webhook}}": [
        "notifications.a.endpoint: is missing; webhook cannot",
        "notifications.a.secret: is missing; webhook cannot",
    ],
    f"notifications: {{a: {{kind: webhook, endpoint: '{SLACK}', secret: short}}}}": ["notifications.a.secret: "],
    "notifications: {a: {kind: email, host: h, sender: s, to: [t@t]}}": ["notifications.a.sender: has something"],
    "notifications: {a: {kind: email, host: h, sender: s@s, to: [t@t], tls: none}}": ["notifications.a.tls: may be"],
    "notifications: {a: {kind: pagerduty}}": ["notifications.a.routing_key: is missing"],
    "notifications: {a: {kind: pigeon}}": ["notifications.a.kind: 'pigeon' is not"],
    f"notifications: {{'a b': {{kind: slack, endpoint: '{SLACK}'}}}}": ["notifications.a b: is no name"],
    f"notifications: {{a: {{kind: slack, endpoint: '{SLACK.replace('https', 'http')}'}}}}": ["is not https"],
    f"notifications: {{a: {{kind: slack, endpoint: '{SLACK.replace('//', '//me:hushhush@')}'}}}}": [
        "a user or password"
    ],
    f"notifications: {{a: {{kind: slack, endpoint: 'ftp{SLACK}'}}}}": ["is not an address like"],
}


@pytest.mark.parametrize("text", CASES)
def test_what_is_wrong_is_said(text: str, problems: Callable[..., list[str]]) -> None:
    found = problems(text)
    assert len(found) == len(CASES[text]), found
    for line, words in zip(found, CASES[text], strict=True):
        assert words in line
        assert "hushhush" not in line


def test_an_endpoint_without_tls_is_for_private_networks(read: Callable[..., object]) -> None:
    read("notifications: {a: {kind: slack, endpoint: 'http://10.1.2.3/x', allow_private: true}}")
