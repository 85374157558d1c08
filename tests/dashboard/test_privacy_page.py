"""Settings → Privacy: policies are made and deleted, redaction tried, somebody erased."""

from __future__ import annotations

import pytest

from gateway.core.ids import uuid7
from gateway.core.span import Payload, Span
from gateway.store.base import Batch, SpanWrite
from tests.dashboard.test_settings_pages import House, admin, house  # noqa: F401  # fixtures

PAGE = "/settings/privacy"


def test_a_policy_is_made_in_force_and_deleted(admin: House) -> None:  # noqa: F811
    made = admin.post(f"{PAGE}/policy", scope="tenant", match="acme", payloads="hash", payload_retention_days="2")
    assert (made.status_code, made.headers["location"]) == (303, PAGE)
    policies = admin.state.policies
    assert policies.capture.level("acme", None, None) == "hash"
    assert ">acme<" in admin.get(PAGE).text.replace(" acme<", ">acme<")
    assert admin.post(f"{PAGE}/delete", scope="tenant", match="acme").status_code == 303
    assert policies.capture.level("acme", None, None) == "full"
    log = admin.get("/settings/audit").text
    assert "privacy_policy" in log


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scope": "tenant", "match": "acme"}, "says nothing"),
        ({"scope": "key", "match": "app", "retention_days": "3"}, "is said for tenants"),
        ({"scope": "tenant", "match": "acme", "retention_days": "soon"}, "no number of days"),
        ({"scope": "planet", "match": "acme", "payloads": "none"}, "cannot be kept"),
    ],
)
def test_policies_that_say_nothing_sensible(admin: House, fields: dict[str, str], words: str) -> None:  # noqa: F811
    answer = admin.post(f"{PAGE}/policy", **fields)
    assert (answer.status_code, words in answer.text) == (400, True)


def test_redaction_is_tried(admin: House) -> None:  # noqa: F811
    text = "Write to jane@example.com with sk-" + "a1B2c3D4" * 6
    page = admin.post(f"{PAGE}/redact", text=text).text
    assert "Write to [redacted:email] with [redacted:openai_key]" in page
    assert "email 1, openai_key 1" in page
    assert "Nothing is taken out" in admin.post(f"{PAGE}/redact", text="Good morning").text


def test_somebody_is_erased_only_when_named_twice(admin: House) -> None:  # noqa: F811
    span = Span(request_id=uuid7(), kind="llm", started_at=1, user="u-1", tags={"userId": "u-1"})
    admin.run(admin.state.store.write(Batch(spans=[SpanWrite(span, Payload(request_body=b"x"))])))
    refused = admin.post(f"{PAGE}/erase", kind="user", value="u-1", again="u-2")
    assert (refused.status_code, "not the same" in refused.text) == (400, True)
    assert admin.run(admin.state.store.span(span.request_id)) is not None
    assert admin.post(f"{PAGE}/erase", kind="user", value="u-1", again="u-1").status_code == 303
    assert admin.run(admin.state.store.span(span.request_id)) is None
    page = admin.get(PAGE).text
    assert "user:ann@example.com" not in page
    assert ">u-1<" not in page
    assert "Nobody was erased yet" not in page
