"""Gemini's recorded streams in their other form."""

from __future__ import annotations

import json

from tests.dialects import recorded
from tests.dialects.contract import facts
from tests.dialects.recorded import Record, each, needs_recordings

RECORDS = recorded.records("google.generate", "google.stream", "other")
RECORDS = [record for record in RECORDS if record["provider"].startswith(("google", "pydantic"))]
STREAMS = [record for record in RECORDS if record["streaming"]]

pytestmark = needs_recordings


@each(STREAMS)
def test_the_array_form_of_a_stream_says_the_same(record: Record) -> None:
    """Without `alt=sse` the same chunks come as one array, which can be cut as well."""
    body = recorded.body_of(record)
    chunks = [line.removeprefix(b"data: ") for line in body.split(b"\r\n") if line.startswith(b"data: ")]
    array = b"[" + b",\r\n".join(json.dumps(json.loads(chunk), indent=2).encode() for chunk in chunks) + b"\n]"
    events = recorded.both(record)[0]
    settled, read = recorded.both(record, array)
    assert facts(settled) == facts(read)
    for one, other in ((settled, events),):
        assert (one.usage, one.model, one.complete, one.error) == (other.usage, other.model, other.complete, None)
    assert read.text == recorded.both(record)[1].text
    for place in range(0, len(array), max(1, len(array) // 40)):
        cut, read = recorded.both(record, array[:place])
        assert facts(cut) == facts(read), place
        assert not (cut.complete and place <= array.index(b'"finishReason"'))
