"""Moderations, rerankings, pages, counts, files and batches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import Context, dialect_for
from pricing import Billed, Usage
from tests.dialects.openai_shapes import dumped


@pytest.mark.parametrize(
    ("path", "kind", "answer", "usage"),
    [
        (b"/v1/moderations", "moderation", {"id": "modr-1", "results": []}, None),
        (b"/v1/moderations", "moderation", {"usage": {"prompt_tokens": 5, "total_tokens": 5}}, (5, None)),
        (b"/v1/rerank", "rerank", {"data": [], "usage": {"total_tokens": 26}}, (26, None)),
        (b"/v1/rerank", "rerank", {"results": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}}, (1, 0)),
        (b"/v1/rerank", "rerank", {"usage": {"input_tokens": 8, "output_tokens": 0}}, (8, 0)),
        (b"/v1/responses/input_tokens", "tokens", {"object": "response.input_tokens", "input_tokens": 16}, None),
    ],
)
def test_what_they_used(path: bytes, kind: str, answer: dict[str, Any], usage: tuple[int | None, ...] | None) -> None:
    dialect = dialect_for(b"POST", path)
    found = dialect.settle(dumped({"model": "m-1", **answer}), False)
    assert (dialect.kind, found.model) == (kind, "m-1")
    assert (found.usage and (found.usage.input_tokens, found.usage.output_tokens)) == usage


def test_search_units_and_pages() -> None:
    rerank = dumped({"results": [], "meta": {"billed_units": {"search_units": 2.0}}})
    assert dialect_for(b"POST", b"/v1/rerank").settle(rerank, False).usage == Usage(search_units=2)
    ocr = dumped({"model": "ocr-1", "pages": [], "usage_info": {"pages_processed": 29, "doc_size_bytes": 3002783}})
    assert dialect_for(b"POST", b"/v1/ocr").settle(ocr, False).usage == Usage(pages=29)


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"query": "which?", "documents": ["a"]}, "which?"),
        ({"input": ["a", "b"]}, "a\nb"),
        ({"input": [{"type": "text", "text": "a"}, {"type": "image_url"}]}, "a"),
        ({}, None),
    ],
)
def test_their_prompts(body: dict[str, Any], prompt: str | None) -> None:
    assert dialect_for(b"POST", b"/v1/moderations").prompt(dumped(body)) == prompt


RESULTS = b"/v1/files/file-abc/content"


def line(number: int, model: str, status: int = 200, **usage: int) -> bytes:
    body = {"model": model, "usage": usage or None, "choices": [{"message": {"content": "line\nbreak"}}]}
    answered = {"status_code": status, "request_id": f"r{number}", "body": body}
    return dumped({"id": f"batch_req_{number}", "custom_id": f"c{number}", "response": answered, "error": None}) + b"\n"


def test_the_results_of_a_batch_are_the_bill_of_all_its_lines() -> None:
    content = (
        line(1, "m-1", prompt_tokens=10, completion_tokens=2, total_tokens=12)
        + line(2, "m-2", input_tokens=7, output_tokens=3, total_tokens=10)
        + line(3, "m-1", prompt_tokens=5, completion_tokens=1, total_tokens=6)
        + line(4, "m-1", status=429)
        + b"no json\n"
    )
    dialect = dialect_for(b"GET", RESULTS)
    answer = dialect.settle(content, False, Context(RESULTS))
    assert answer.usage == Usage(input_tokens=15, output_tokens=3, total_reported=18, largest_input_tokens=10)
    other = Usage(input_tokens=7, output_tokens=3, total_reported=10, largest_input_tokens=7)
    assert answer.also == [Billed("m-2", other, "batch")]
    assert (answer.model, answer.service_tier, answer.bill_id) == ("m-1", "batch", "file-abc")
    assert answer.usage_raw is not None
    assert json.loads(answer.usage_raw)["m-2"] == {"input_tokens": 7, "output_tokens": 3, "total_reported": 10}
    read = dialect.read(content, False, 200, Context(RESULTS))
    assert (read.usage, read.also, read.bill_id, read.kind) == (answer.usage, answer.also, "file-abc", "batch")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"prompt":"a","completion":"b"}\n',
        b"%PDF-1.7\n\xff\xfe",
        line(1, "m", prompt_tokens=1) + b"\n\n" + line(2, "m", prompt_tokens=1),
    ],
    ids=["empty", "another file", "binary", "not kept whole"],
)
def test_any_other_file_costs_nothing(content: bytes) -> None:
    answer = dialect_for(b"GET", RESULTS).settle(content, False, Context(RESULTS))
    assert (answer.usage, answer.bill_id) == (None, None)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        (b"POST", b"/v1/files", "file"),
        (b"GET", b"/v1/files/file-abc", "file"),
        (b"DELETE", b"/v1/files/file-abc", "file"),
        (b"POST", b"/v1/batches", "batch"),
        (b"GET", b"/v1/batches/batch_1", "batch"),
        (b"POST", b"/v1/batches/batch_1/cancel", "batch"),
    ],
)
def test_what_is_kept_repeats_usage_that_was_booked(method: bytes, path: bytes, kind: str) -> None:
    dialect = dialect_for(method, path)
    answer = dialect.settle(dumped({"model": "m", "usage": {"input_tokens": 5, "output_tokens": 5}}), False)
    assert (dialect.kind, answer.usage) == (kind, None)
    assert dialect.read(b'{"error":{"message":"no"}}', False, 404).error == "no"
