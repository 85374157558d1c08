"""Recorded calls, for tests that want what providers really answered; and what is true of every one of them."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.dialects import Answer, Context, Dialect, dialect_for
from pricing import Usage
from tests.dialects.contract import facts

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "recordings"

THEIR_NAMES = {
    "cache_creation_tokens": "cache_write_tokens",
    "cache_creation_5m_tokens": "cache_write_5m_tokens",
    "cache_creation_1h_tokens": "cache_write_1h_tokens",
    "input_audio_tokens": "audio_input_tokens",
    "input_image_tokens": "image_input_tokens",
    "input_video_tokens": "video_input_tokens",
    "output_audio_tokens": "audio_output_tokens",
    "output_image_tokens": "image_output_tokens",
}
"""The recordings' names for counts where ours are others."""

Record = dict[str, Any]


def records(*names: str) -> list[Record]:
    found = []
    for name in names:
        path = RECORDINGS / f"{name}.jsonl.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                found += [json.loads(line) for line in lines]
    return found


def each(some: list[Record]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", some, ids=lambda record: record["id"])


needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings beside the project (../shared/recordings)"
)


def body_of(record: Record) -> bytes:
    body: str = record["response_body"]
    return base64.b64decode(body) if record["response_body_encoding"] == "base64" else body.encode()


def request_of(record: Record) -> bytes:
    body = record["request_body"]
    if record["request_body_encoding"] == "base64":
        return base64.b64decode(body)
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def dialect_of(record: Record) -> Dialect:
    return dialect_for(record["method"].encode(), record["path"].encode())


def context_of(record: Record) -> Context:
    path, request = record["path"].encode(), request_of(record)
    model = dialect_of(record).model_in(path) or json.loads(request).get("model")
    return Context(path=path, request=request, model=model)


def both(record: Record, body: bytes | None = None) -> tuple[Answer, Answer]:
    """The answer as the data plane settles it, and as the recorder reads it."""
    dialect, streaming, context = dialect_of(record), record["streaming"], context_of(record)
    data = body_of(record) if body is None else body
    return dialect.settle(data, streaming, context), dialect.read(data, streaming, record["status"], context)


def counts(record: Record) -> dict[str, int]:
    """The usage a record is known to report, by our names, without what is not reported."""
    named = {THEIR_NAMES.get(name, name): count for name, count in (record["expected"]["usage"] or {}).items()}
    return {name: count for name, count in named.items() if count is not None}


def reported(answer: Answer) -> dict[str, int]:
    """The same of an answer: its own model's tokens and those of others, count by count."""
    total: dict[str, int] = {}
    for usage in (answer.usage, *(billed.usage for billed in answer.also)):
        for name, count in msgspec.structs.asdict(usage or Usage()).items():
            if count is not None:
                total[name] = total.get(name, 0) + count
    return total


def assert_read_as_expected(record: Record) -> None:
    expected, context, body = record["expected"], context_of(record), body_of(record)
    settled, read = both(record)
    for answer in (settled, read):
        assert reported(answer) == counts(record)
        assert (answer.model or context.model) == (expected["answered_model"] or context.model)
        assert answer.service_tier == expected["service_tier"]
        assert (answer.error is not None) == (expected["error"] is not None)
        assert answer.complete
    assert read.finish_reasons == expected["finish_reasons"]
    assert [call.name for call in read.tool_calls] == expected["tool_calls"]
    assert facts(settled) == facts(read)
    assert settled.also == read.also
    if settled.usage_raw is not None and not record["streaming"]:
        assert settled.usage_raw in body
    if settled.usage_raw is not None:
        assert isinstance(json.loads(settled.usage_raw), dict)


def assert_an_error_has_a_message(record: Record) -> None:
    for streaming in (False, True):
        read = dialect_of(record).read(body_of(record), streaming, record["status"])
        assert read.error


def assert_cut_anywhere_it_is_incomplete_before(record: Record, end_mark: bytes) -> None:
    """Cut at every event's edge and in between: incomplete up to the line with the mark, read the same twice."""
    body = body_of(record)
    whole = both(record)[0]
    end = body.index(end_mark)
    edges = {at + shift for at in range(len(body)) if body[at : at + 1] == b"\n" for shift in (-1, 0, 1)}
    places = edges | {0, 1, end, *range(0, len(body), max(1, len(body) // 60))}
    for place in sorted(places)[:: max(1, len(places) // 250)]:
        settled, read = both(record, body[:place])
        assert facts(settled) == facts(read), place
        assert settled.model in (None, whole.model)
        assert not (place <= end and settled.complete), place


def assert_first_content_is_found(record: Record, before: bytes) -> None:
    """`before` is what stands in the stream ahead of any content."""
    body, dialect = body_of(record), dialect_of(record)
    assert dialect.first_content(body)
    assert not dialect.first_content(body[: body.index(before)])
