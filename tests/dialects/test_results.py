"""Files of results are read while they pass: cut anywhere, in memory that does not grow with them, at each line's own
price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import Answer, Billed, Context, Dialect, dialect_for
from gateway.dialects import results as results_module
from pricing import Usage
from tests.dialects.anthropic_shapes import dumped

OPENAI = b"/v1/files/file-1/content"
ANTHROPIC = b"/v1/messages/batches/msgbatch_1/results"


def openai_line(model: str, text: str, **usage: object) -> bytes:
    body = {"model": model, "choices": [{"message": {"content": text}}], "usage": usage}
    return dumped({"id": "r", "custom_id": "c", "response": {"status_code": 200, "body": body}}) + b"\n"


def anthropic_line(model: str, text: str, **usage: object) -> bytes:
    message = {"model": model, "content": [{"type": "text", "text": text}], "usage": usage}
    return dumped({"custom_id": "c", "result": {"type": "succeeded", "message": message}}) + b"\n"


FILES = {
    OPENAI: openai_line("m-1", "é\u2028", prompt_tokens=10, completion_tokens=2)
    + openai_line("m-2", "b" * 300, input_tokens=7, output_tokens=3)
    + openai_line("m-1", "c", prompt_tokens=5, completion_tokens=1).rstrip(),
    ANTHROPIC: anthropic_line("m-1", "é", input_tokens=10, output_tokens=2, cache_read_input_tokens=5)
    + anthropic_line("m-1", "b", input_tokens=1, output_tokens=1, service_tier="batch", inference_geo="us"),
}


def dialect_of(path: bytes) -> Dialect:
    return dialect_for(b"GET", path)


def metered(path: bytes, *pieces: bytes) -> Answer:
    meter = dialect_of(path).meter()
    assert meter is not None
    for piece in pieces:
        meter.feed(piece)
    return meter.settle(Context(path))


@pytest.mark.parametrize("path", FILES)
def test_all_pieces_of_a_file_come_to_what_it_is_as_a_whole(path: bytes) -> None:
    data, whole = FILES[path], dialect_of(path).settle(FILES[path], False, Context(path))
    assert whole.usage is not None
    for at in range(len(data)):
        assert metered(path, data[:at], data[at:]) == whole
    assert metered(path, *(data[at : at + 1] for at in range(len(data)))) == whole


@pytest.mark.parametrize("path", FILES)
@given(
    pieces=st.lists(st.binary(max_size=50) | st.sampled_from([b"\n", b'{"custom_id":1}\n', b'{"usage":']), max_size=9)
)
def test_no_bytes_make_a_meter_raise(path: bytes, pieces: list[bytes]) -> None:
    assert isinstance(metered(path, *pieces), Answer)


def test_what_changes_the_price_of_a_line_is_kept_apart() -> None:
    found = metered(ANTHROPIC, FILES[ANTHROPIC])
    assert (found.service_tier, found.bill_id) == ("batch", "msgbatch_1")
    assert found.also == [Billed("m-1", Usage(1, 1, largest_input_tokens=1), "batch+us")]


def test_many_small_requests_are_no_large_one() -> None:
    """A size is that of a request: above 200,000 tokens some models cost twice as much."""
    small = [openai_line("m-1", "a", prompt_tokens=90_000, completion_tokens=1)] * 5
    large = openai_line("m-1", "a", prompt_tokens=200_001, completion_tokens=1)
    found = metered(OPENAI, *small, large)
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.request_size) == (450_000, 90_000)
    assert [(part.usage.input_tokens, part.usage.request_size) for part in found.also] == [(200_001, 200_001)]


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"%PDF-1.7\n\xff\xfe", b"x" * 10_000 + b'"custom_id"\n' + FILES[OPENAI], b'{"messages": []}\n' * 9],
    ids=["empty", "an empty line", "binary", "one that is no result first", "another file"],
)
def test_any_other_file_is_not_metered(data: bytes) -> None:
    assert metered(OPENAI, data) == Answer()


def test_a_line_that_is_too_long_leaves_the_sum_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_module, "MOST_LINE", 5000)
    assert metered(OPENAI, FILES[OPENAI], openai_line("m-1", "x" * 9000, prompt_tokens=1)[:8000]) == Answer()
