"""What Anthropic, Gemini and Cohere really answered, read as it was understood by hand."""

from __future__ import annotations

from tests.dialects import recorded
from tests.dialects.recorded import Record, each, needs_recordings

pytestmark = needs_recordings

MARKS = {
    "anthropic": (b"event: content_block_start", b'"message_stop"'),
    "google": (b'"candidates"', b'"finishReason"'),
    "pydantic": (b'"candidates"', b'"finishReason"'),
}
"""By how a provider's name begins: what stands in a stream ahead of any content, and what ends it."""


def marks(record: Record) -> tuple[bytes, bytes] | None:
    return next((found for name, found in MARKS.items() if record["provider"].startswith(name)), None)


MADE = recorded.records("anthropic.messages", "google.generate", "google.stream", "other")
RECORDS = [*(record for record in MADE if marks(record)), *recorded.records("cohere")]
STREAMS = [record for record in RECORDS if record["streaming"] and marks(record)]


@each([record for record in RECORDS if record.get("expected")])
def test_it_is_read_as_expected(record: Record) -> None:
    recorded.assert_read_as_expected(record)


@each([record for record in RECORDS if record["status"] >= 400])
def test_an_error_has_a_message(record: Record) -> None:
    recorded.assert_an_error_has_a_message(record)


@each(STREAMS)
def test_a_stream_is_incomplete_until_its_end(record: Record) -> None:
    found = marks(record)
    assert found is not None
    recorded.assert_cut_anywhere_it_is_incomplete_before(record, found[1])


@each(STREAMS)
def test_first_content(record: Record) -> None:
    found = marks(record)
    assert found is not None
    recorded.assert_first_content_is_found(record, found[0])
