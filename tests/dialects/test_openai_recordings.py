"""What OpenAI and everything that speaks like it really answered, read as it was understood by hand."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects import Answer, Dialect, dialect_for
from pricing import Usage

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


def records() -> list[dict[str, Any]]:
    found = []
    for name in ("openai.chat", "openai.responses", "mistral.chat", "openai.embeddings", "other"):
        path = RECORDINGS / f"{name}.jsonl.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                found += [json.loads(line) for line in lines]
    return [record for record in found if record["dialect"] != "other" or record["provider"] == "openai"]


RECORDS = records()
EXPECTED = [record for record in RECORDS if record.get("expected")]
STREAMS = [record for record in EXPECTED if record["streaming"]]

pytestmark = pytest.mark.skipif(not RECORDS, reason="no recordings beside the project (../shared/recordings)")


def each(some: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", some, ids=lambda record: record["id"])


def body_of(record: dict[str, Any]) -> bytes:
    body: str = record["response_body"]
    return base64.b64decode(body) if record["response_body_encoding"] == "base64" else body.encode()


def dialect_of(record: dict[str, Any]) -> Dialect:
    return dialect_for(record["method"].encode(), record["path"].encode())


def both(record: dict[str, Any], body: bytes) -> tuple[Answer, Answer]:
    dialect, streaming = dialect_of(record), record["streaming"]
    return dialect.settle(body, streaming), dialect.read(body, streaming, record["status"])


def counts(expected: dict[str, Any]) -> dict[str, int]:
    """The usage a record is known to report, by our names, without what is not reported."""
    named = {THEIR_NAMES.get(name, name): count for name, count in (expected["usage"] or {}).items()}
    return {name: count for name, count in named.items() if count is not None}


def reported(usage: Usage | None) -> dict[str, int]:
    """Without searches in files, which the recordings' expectations do not count."""
    fields = [name for name in Usage.__struct_fields__ if name != "file_searches"] if usage is not None else ()
    return {name: count for name in fields if (count := getattr(usage, name)) is not None}


@each(EXPECTED)
def test_usage_is_what_was_reported_count_by_count(record: dict[str, Any]) -> None:
    for answer in both(record, body_of(record)):
        if record["status"] < 400:
            assert reported(answer.usage) == counts(record["expected"])


@each(EXPECTED)
def test_model_tier_and_error(record: dict[str, Any]) -> None:
    expected = record["expected"]
    settled, read = both(record, body_of(record))
    assert (read.error is not None) == (expected["error"] is not None)
    if record["status"] < 400:
        assert (read.model, read.service_tier) == (expected["answered_model"], expected["service_tier"])
        assert (settled.model, settled.service_tier) == (expected["answered_model"], expected["service_tier"])
        assert settled.error == read.error


@each(EXPECTED)
def test_finish_and_tools(record: dict[str, Any]) -> None:
    _, read = both(record, body_of(record))
    assert read.finish_reasons == record["expected"]["finish_reasons"]
    assert [call.name for call in read.tool_calls] == record["expected"]["tool_calls"]


@each(EXPECTED)
def test_the_raw_usage_is_the_providers_own_object(record: dict[str, Any]) -> None:
    body = body_of(record)
    settled, read = both(record, body)
    if settled.usage_raw is not None:
        assert settled.usage_raw in body
        assert isinstance(json.loads(settled.usage_raw), dict)
        assert read.usage_raw == settled.usage_raw


@each([record for record in RECORDS if record["status"] >= 400])
def test_an_error_has_a_message(record: dict[str, Any]) -> None:
    assert dialect_of(record).read(body_of(record), record["streaming"], record["status"]).error


@each(STREAMS)
def test_a_stream_cut_anywhere_is_incomplete_until_its_finish_and_read_the_same_twice(record: dict[str, Any]) -> None:
    body = body_of(record)
    ends = (b'"finish_reason":"', b'"type":"response.completed"', b"[DONE]")
    end = min(at for at in (*map(body.find, ends), len(body)) if at >= 0)
    whole = both(record, body)[0]
    places = {0, 1, end, len(body) - 1, len(body) - 2, *range(0, len(body), max(1, len(body) // 60))}
    for place in sorted(places):
        settled, read = both(record, body[:place])
        assert (settled.model, settled.usage, settled.usage_raw) == (read.model, read.usage, read.usage_raw)
        assert (settled.service_tier, settled.error, settled.complete) == (read.service_tier, read.error, read.complete)
        assert settled.model in (None, whole.model)
        if place <= end:
            assert not settled.complete


@each(STREAMS)
def test_its_first_content_is_found_where_it_has_any(record: dict[str, Any]) -> None:
    body = body_of(record)
    read = both(record, body)[1]
    if read.text or read.reasoning or read.tool_calls:
        assert dialect_of(record).first_content(body)
        begins = max(body.find(b"choices"), body.find(b"event: response.output"))
        assert not dialect_of(record).first_content(body[:begins])
