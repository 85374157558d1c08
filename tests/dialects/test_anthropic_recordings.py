"""What Anthropic bills at several prices, as it was recorded."""

from __future__ import annotations

from tests.dialects import recorded
from tests.dialects.recorded import Record, each, needs_recordings

RECORDS = recorded.records("anthropic.messages", "other")
RECORDS = [record for record in RECORDS if record["provider"] == "anthropic"]

pytestmark = needs_recordings


@each([record for record in RECORDS if "iterations_exceed_top_level" in (record.get("expected") or {}).get("tags", ())])
def test_an_advisor_is_billed_at_its_own_model(record: Record) -> None:
    settled = recorded.both(record)[0]
    assert settled.usage is not None
    has_advisor = b'"advisor_message"' in recorded.body_of(record)
    assert bool(settled.also) == has_advisor
    for billed in settled.also:
        assert billed.model not in (None, settled.model)
        assert billed.usage.input_tokens
