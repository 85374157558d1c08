"""The tightest of all that fits holds."""

from __future__ import annotations

import pytest

from gateway.core.capture import Capture, tightest
from gateway.settings.privacy import PrivacyPolicy

POLICIES = [
    PrivacyPolicy(scope="tenant", match="acme", payloads="preview"),
    PrivacyPolicy(scope="environment", match="production", payloads="hash"),
    PrivacyPolicy(scope="key", match="hr", payloads="none"),
    PrivacyPolicy(scope="key", match="open", payloads="full"),
    PrivacyPolicy(scope="tenant", match="short", retention_days=1),
]


@pytest.mark.parametrize(
    ("default", "tenant", "environment", "key", "level"),
    [
        ("full", None, None, None, "full"),
        ("full", "acme", None, None, "preview"),
        ("full", "acme", "production", None, "hash"),
        ("full", "acme", "production", "hr", "none"),
        ("full", "acme", None, "open", "preview"),
        ("hash", None, None, "open", "hash"),
        ("full", "short", None, None, "full"),
        ("none", "acme", "production", "open", "none"),
    ],
)
def test_level(default, tenant, environment, key, level):
    assert Capture(default, POLICIES).level(tenant, environment, key) == level


def test_no_opinion_is_full():
    assert tightest(None, None) == "full"
    assert tightest("preview", None, "hash") == "hash"
