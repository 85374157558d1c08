"""What every dialect must do. A dialect's own test module imports all of this and gives three fixtures: `dialect`,
`whole` (answers of its provider, status 200) and `streams` (event streams, whole and with their end)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.dialects import OPAQUE, Answer, Dialect, dialect_named
from gateway.errors import CallError

SAME = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The fixtures are values that no example changes."""

STATUSES = st.sampled_from([200, 400, 429, 500])
ODD_BYTES = st.sampled_from(
    [b"", b"\xff", b'"', b"}", b"]", b"\\", b"\x00", b"\n\n", b"null", b"-1", b"1e999", b"[[", b'"\\ud800"', b"data: "]
)
ERRORS = [
    CallError(400, "invalid_request_error", "'model' is missing.", error_type="invalid_request", param="model"),
    CallError(401, "invalid_api_key", 'This "key" is\nnot known: é \u2028.'),
    CallError(429, "rate_limit_exceeded", "Later.", error_type="limit"),
    CallError(502, "upstream_reset", "It broke.", error_type="network"),
    CallError(418, "teapot", "I am one."),
]
FACTS = ("model", "usage", "usage_raw", "service_tier", "error", "complete")
"""What both ways of reading say."""


def facts(answer: Answer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in FACTS}


def agree(settled: Answer, read: Answer) -> None:
    assert facts(settled) == facts(read)


def ask_everything(dialect: Dialect, data: bytes, status: int) -> None:
    for streaming in (False, True):
        assert isinstance(dialect.settle(data, streaming), Answer)
        assert isinstance(dialect.read(data, streaming, status), Answer)
    assert isinstance(dialect.prompt(data), str | None)
    assert isinstance(dialect.first_content(data), bool)


def test_it_is_found_by_its_name(dialect: Dialect) -> None:
    assert dialect_named(dialect.name) is dialect


@SAME
@given(st.binary(max_size=300), STATUSES)
def test_no_bytes_make_it_raise(dialect: Dialect, data: bytes, status: int) -> None:
    ask_everything(dialect, data, status)


@SAME
@given(st.data(), STATUSES)
def test_nor_do_its_own_answers_damaged(
    dialect: Dialect, whole: list[bytes], streams: list[bytes], data: st.DataObject, status: int
) -> None:
    damaged = data.draw(st.sampled_from(whole + streams))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        skipped = data.draw(st.integers(0, 8))
        damaged = damaged[:at] + data.draw(ODD_BYTES) + damaged[at + skipped :]
    ask_everything(dialect, damaged, status)


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\\ud800"])
def test_nor_does_text_that_is_no_unicode(
    dialect: Dialect, whole: list[bytes], streams: list[bytes], text: bytes
) -> None:
    """Every string of an answer in turn: a parser looks into those that it wants."""
    for answer in whole + streams:
        at = answer.find(b'":"')
        while at >= 0:
            ask_everything(dialect, answer[: at + 3] + text + answer[at + 3 :], 200)
            at = answer.find(b'":"', at + 1)


def test_nor_does_nesting(dialect: Dialect) -> None:
    for depth in (500, 990, 1000, 5000, 200_000):
        deep = b"[" * depth + b"]" * depth
        for key in (b"model", b"usage", b"error", b"choices", b"messages", b"input", b"prompt", b"detail"):
            ask_everything(dialect, b'{"%b":%b}' % (key, deep), 400)
            ask_everything(dialect, b'data: {"%b":%b}\n\n' % (key, deep), 200)


def test_settle_and_read_agree(dialect: Dialect, whole: list[bytes], streams: list[bytes]) -> None:
    for streaming, answers in ((False, whole), (True, streams)):
        for answer in answers:
            agree(dialect.settle(answer, streaming), dialect.read(answer, streaming, 200))


@SAME
@given(st.data())
def test_they_agree_on_a_stream_cut_anywhere(dialect: Dialect, streams: list[bytes], data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(streams))
    cut = stream[: data.draw(st.integers(0, len(stream)))]
    agree(dialect.settle(cut, True), dialect.read(cut, True, 200))


def test_first_content_once_there_stays(dialect: Dialect, streams: list[bytes]) -> None:
    for stream in streams:
        seen = [dialect.first_content(stream[:end]) for end in range(0, min(len(stream), 20_000), 7)]
        assert seen == sorted(seen)
        assert not seen[0]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_its_errors_say_the_same_as_a_body_and_as_an_event(dialect: Dialect, error: CallError) -> None:
    body = dialect.error_body(error)
    json.loads(body)
    assert dialect.read(body, False, error.status).error == error.message

    event = dialect.error_event(error)
    if b"text/event-stream" in dialect.stream_types:
        assert event.endswith(b"\n\n")
        assert event.count(b"\n\n") == 1
        assert b"\r" not in event
    if dialect is not OPAQUE:
        assert dialect.settle(event, True).error == error.message
