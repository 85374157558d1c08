"""What Anthropic really answered, read as it was understood by hand."""

from __future__ import annotations

from tests.dialects import recorded
from tests.dialects.recorded import Record, each, needs_recordings

RECORDS = recorded.records("anthropic.messages", "other")
RECORDS = [record for record in RECORDS if record["provider"] == "anthropic"]
STREAMS = [record for record in RECORDS if record["streaming"]]

pytestmark = needs_recordings


@each([record for record in RECORDS if record.get("expected")])
def test_it_is_read_as_expected(record: Record) -> None:
    recorded.assert_read_as_expected(record)


@each([record for record in RECORDS if record["status"] >= 400])
def test_an_error_has_a_message(record: Record) -> None:
    recorded.assert_an_error_has_a_message(record)


@each(STREAMS)
def test_a_stream_is_incomplete_until_it_stops(record: Record) -> None:
    recorded.assert_cut_anywhere_it_is_incomplete_before(record, b'"message_stop"')


@each(STREAMS)
def test_first_content(record: Record) -> None:
    recorded.assert_first_content_is_found(record, b"event: content_block_start")


@each([record for record in RECORDS if "iterations_exceed_top_level" in (record.get("expected") or {}).get("tags", ())])
def test_an_advisor_is_billed_at_its_own_model(record: Record) -> None:
    settled = recorded.both(record)[0]
    assert settled.usage is not None
    has_advisor = b'"advisor_message"' in recorded.body_of(record)
    assert bool(settled.also) == has_advisor
    for billed in settled.also:
        assert billed.model not in (None, settled.model)
        assert billed.usage.input_tokens
