"""Results of Anthropic's batches are billed when they are fetched, once, at batch prices."""

from __future__ import annotations

import pytest

from gateway.dialects import OPAQUE, Answer, Billed, Context, dialect_for
from pricing import Usage
from tests.dialects.anthropic_shapes import USAGE, dumped

PATH = b"/v1/messages/batches/msgbatch_1/results"
RESULTS = dialect_for(b"GET", PATH)


def line(model: str, **usage: object) -> bytes:
    message = {"model": model, "type": "message", "content": [], "usage": usage}
    return dumped({"custom_id": "c", "result": {"type": "succeeded", "message": message}}) + b"\n"


FAILED = dumped({"custom_id": "c", "result": {"type": "errored", "error": {"type": "error"}}}) + b"\n"
ONE, OTHER = line("m-1", input_tokens=10, output_tokens=2), line("m-2", input_tokens=5, output_tokens=1)


def test_each_model_is_billed_for_its_lines() -> None:
    settled = RESULTS.settle(ONE + FAILED + OTHER + ONE, False, Context(path=PATH))
    assert settled.usage == Usage(input_tokens=20, output_tokens=4, largest_input_tokens=10)
    assert (settled.model, settled.service_tier, settled.bill_id) == ("m-1", "batch", "msgbatch_1")
    assert settled.also == [Billed("m-2", Usage(input_tokens=5, output_tokens=1, largest_input_tokens=5), "batch")]
    assert RESULTS.read(ONE, False, 200).usage == RESULTS.settle(ONE, False).usage


def test_cache_writes_keep_their_split() -> None:
    settled = RESULTS.settle(line("m-1", **USAGE) * 2, False)
    assert settled.usage is not None
    assert (settled.usage.cache_write_1h_tokens, settled.usage.web_searches) == (200, 4)


@pytest.mark.parametrize(
    "data", [b"", FAILED, b"\xff", b'{"custom_id":1}\n[[[', ONE + b"\n" + ONE, dumped({"type": "error", "error": {}})]
)
def test_what_is_no_result_or_not_whole_is_not_billed(data: bytes) -> None:
    assert RESULTS.settle(data, False) == Answer()


def test_an_error_is_read_in_its_shape() -> None:
    body = dumped({"type": "error", "error": {"type": "not_found_error", "message": "No such batch."}})
    assert RESULTS.read(body, False, 404).error == "No such batch."


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        (b"GET", PATH, "file"),
        (b"POST", b"/v1/messages/batches", "batch"),
        (b"GET", b"/v1/messages/batches", "batch"),
        (b"GET", b"/v1/messages/batches/msgbatch_1", "batch"),
        (b"POST", b"/v1/messages/batches/msgbatch_1/cancel", "batch"),
        (b"DELETE", b"/v1/messages/batches/msgbatch_1", "batch"),
    ],
)
def test_the_paths_of_batches(method: bytes, path: bytes, kind: str) -> None:
    dialect = dialect_for(method, path)
    assert dialect is not OPAQUE
    assert (dialect.family, dialect.kind, dialect.reads_body) == ("anthropic", kind, False)
