"""What Bedrock really answered, read as it was understood by hand."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.core.eventstream import EventStreamDecoder
from gateway.dialects import Answer, Context, Dialect, dialect_for
from gateway.dialects.bedrock_events import as_lines
from pricing import Catalog, Usage

RECORDING = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "bedrock.jsonl.gz"

THEIR_NAMES = {
    "cache_creation_tokens": "cache_write_tokens",
    "cache_creation_5m_tokens": "cache_write_5m_tokens",
    "cache_creation_1h_tokens": "cache_write_1h_tokens",
}
"""The recordings' names for counts where ours are others."""


def records() -> list[dict[str, Any]]:
    if not RECORDING.is_file():
        return []
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


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
    return dialect_for(b"POST", record["path"].encode())


def context_of(record: dict[str, Any]) -> Context:
    headers = {name.encode(): values[-1].encode() for name, values in record["response_headers"].items()}
    return Context(path=record["path"].encode(), headers=headers)


def both(record: dict[str, Any], body: bytes) -> tuple[Answer, Answer]:
    dialect, streaming, context = dialect_of(record), record["streaming"], context_of(record)
    return dialect.settle(body, streaming, context), dialect.read(body, streaming, record["status"], context)


def counts(expected: dict[str, Any]) -> dict[str, int]:
    named = {THEIR_NAMES.get(name, name): count for name, count in (expected["usage"] or {}).items()}
    return {name: count for name, count in named.items() if count is not None}


def reported(usage: Usage | None) -> dict[str, int]:
    fields = usage.__struct_fields__ if usage is not None else ()
    return {name: count for name in fields if (count := getattr(usage, name)) is not None}


def places_to_cut(body: bytes) -> list[int]:
    return sorted({0, 1, len(body) - 1, *range(0, len(body), max(1, len(body) // 80))})


def test_all_of_them_are_here():
    assert len(RECORDS) == 81


@each(EXPECTED)
def test_all_that_is_expected(record: dict[str, Any]):
    expected = record["expected"]
    settled, read = both(record, body_of(record))
    for answer in (settled, read):
        assert reported(answer.usage) == counts(expected)
        assert (answer.model, answer.service_tier) == (expected["answered_model"], expected["service_tier"])
        assert answer.error is expected["error"] is None
        assert answer.complete
    assert read.finish_reasons == expected["finish_reasons"]
    assert [call.name for call in read.tool_calls] == expected["tool_calls"]
    assert settled.usage_raw == read.usage_raw


@each(RECORDS)
def test_the_model_is_in_the_path_and_can_be_another(record: dict[str, Any]):
    dialect, path = dialect_of(record), record["path"].encode()
    model = dialect.model_in(path)
    assert model is not None
    if record.get("expected"):
        assert model == record["expected"]["requested_model"]
    assert dialect.model_in(dialect.with_model(path, model)) == model
    assert (
        dialect.model_in(dialect.with_model(path, "arn:aws:bedrock:eu-west-1:1:x/y"))
        == "arn:aws:bedrock:eu-west-1:1:x/y"
    )
    assert dialect.streams(path) is record["streaming"]


@each([record for record in RECORDS if record["status"] >= 400])
def test_an_error_has_a_message(record: dict[str, Any]):
    assert both(record, body_of(record))[1].error == json.loads(record["response_body"])["message"]


@each(STREAMS)
def test_a_stream_cut_anywhere_is_incomplete_and_read_the_same_twice(record: dict[str, Any]):
    body = body_of(record)
    for place in places_to_cut(body):
        settled, read = both(record, body[:place])
        assert not settled.complete
        assert not read.complete
        assert settled.usage is read.usage is None


@each(STREAMS)
def test_a_stream_in_pieces_has_the_same_messages(record: dict[str, Any]):
    body = body_of(record)
    whole = EventStreamDecoder().feed(body)
    for place in places_to_cut(body):
        decoder = EventStreamDecoder()
        assert decoder.feed(body[:place]) + decoder.feed(body[place:]) == whole
        assert not decoder.is_damaged


@each(STREAMS)
def test_what_the_log_keeps_of_a_stream_is_read_the_same(record: dict[str, Any]):
    body = body_of(record)
    lines = as_lines(body)
    assert [len(json.loads(line)) for line in lines.splitlines()] == [1] * len(EventStreamDecoder().feed(body))
    for first, second in zip(both(record, body), both(record, lines), strict=True):
        assert first == second


@each(STREAMS)
def test_its_first_content_is_found(record: dict[str, Any]):
    body = body_of(record)
    assert dialect_of(record).first_content(body)
    assert not dialect_of(record).first_content(body[: body.find(b"contentBlock")])


def test_what_is_recorded_has_a_price_where_it_has_usage():
    """But for a profile of somebody's own, whose ARN does not say which model it stands for, and a retired model."""
    catalog = Catalog.load()
    unpriced = set()
    for record in EXPECTED:
        settled, _ = both(record, body_of(record))
        model = settled.priced_as or settled.model
        assert model is not None
        if settled.usage is not None and catalog.find("bedrock", model) is None:
            unpriced.add(model.rpartition("/")[2])
    assert unpriced == {"otnfa2ysixqd", "anthropic.claude-v2"}
