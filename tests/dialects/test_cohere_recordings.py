"""What Cohere really answered, read as it was understood by hand."""

from __future__ import annotations

from tests.dialects import recorded
from tests.dialects.recorded import Record, each, needs_recordings

RECORDS = recorded.records("cohere")

pytestmark = needs_recordings


@each([record for record in RECORDS if record.get("expected")])
def test_it_is_read_as_expected(record: Record) -> None:
    recorded.assert_read_as_expected(record)


@each([record for record in RECORDS if record["status"] >= 400])
def test_an_error_has_a_message(record: Record) -> None:
    recorded.assert_an_error_has_a_message(record)
