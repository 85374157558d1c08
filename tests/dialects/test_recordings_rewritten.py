"""Recorded answers written in other ways that mean the same: a provider may order keys, space, escape and end lines as
it likes, and does after any Tuesday's release."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.span import ToolCall
from tests.dialects import recorded
from tests.dialects.contract import facts
from tests.dialects.recorded import Record, each, needs_recordings

RECORDS = [
    record
    for record in recorded.records(*sorted(path.name.split(".jsonl")[0] for path in recorded.RECORDINGS.glob("*.gz")))
    if record["response_body_encoding"] == "utf-8" and record["method"] == "POST"
]
WHOLE = [record for record in RECORDS if not record["streaming"]]
STREAMS = [record for record in RECORDS if record["streaming"]]

pytestmark = needs_recordings


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _escaped(value: Any) -> str:
    return json.dumps(value)


def _sorted(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _reversed(value: Any) -> str:
    def turned(some: Any) -> Any:
        if isinstance(some, dict):
            return {key: turned(some[key]) for key in reversed(some)}
        return [turned(each) for each in some] if isinstance(some, list) else some

    return json.dumps(turned(value), separators=(",", ":"))


def _with_strangers(value: Any) -> str:
    """Fields that nobody has heard of, some with telling names."""
    stranger = {"usage": {"input_tokens": 7, "prompt_tokens": 7}, "error": {"message": "no"}, "type": "message_stop"}
    return (
        json.dumps({"x_new": stranger, **value, "x_newer": [stranger]}) if isinstance(value, dict) else _escaped(value)
    )


REWRITTEN = (_pretty, _escaped, _sorted, _reversed, _with_strangers)


def _in_events(write: Callable[[Any], str]) -> Callable[[bytes], bytes]:
    """The data of each event written anew, on one line."""

    def data(match: re.Match[bytes]) -> bytes:
        try:
            value = json.loads(match[1])
        except ValueError:
            return match[0]
        return b"data: " + write(value).encode()

    return lambda body: re.sub(rb"^data: ?(.*?)(?=\r?$)", data, body, flags=re.MULTILINE)


def _lines(end: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", end)


def _without_spaces(body: bytes) -> bytes:
    return re.sub(rb"^(data|event): ", rb"\1:", body, flags=re.MULTILINE)


def _with_comments(body: bytes) -> bytes:
    return b": hello\n\n" + re.sub(rb"^data:", b": still here\nid: 7\ndata:", body, flags=re.MULTILINE)


EVENTS = {
    **{write.__name__: _in_events(write) for write in (_escaped, _sorted, _reversed, _with_strangers)},
    "crlf": _lines(b"\r\n"),
    "lf": _lines(b"\n"),
    "cr": _lines(b"\r"),
    "without spaces": _without_spaces,
    "with comments": _with_comments,
}


def meant_the_same(record: Record, body: bytes) -> None:
    (settled, read), (other, other_read) = recorded.both(record), recorded.both(record, body)
    for one, rewritten in ((settled, other), (read, other_read)):
        told, again = facts(one), facts(rewritten)
        raw, raw_again = told.pop("usage_raw"), again.pop("usage_raw")
        assert told == again
        assert (raw is None) is (raw_again is None)
        assert one.also == rewritten.also
    for name in ("text", "reasoning", "finish_reasons", "response_id"):
        assert getattr(read, name) == getattr(other_read, name), name
    assert [called(call) for call in read.tool_calls] == [called(call) for call in other_read.tool_calls]


def called(call: ToolCall) -> tuple[str, str | None, Any]:
    """Arguments that are JSON within JSON are kept as they were written, spaces and all."""
    try:
        return call.name, call.id, json.loads(call.arguments or "null")
    except ValueError:
        return call.name, call.id, call.arguments


@pytest.mark.parametrize("write", REWRITTEN)
@each(WHOLE)
def test_a_whole_answer(record: Record, write: Callable[[Any], str]) -> None:
    meant_the_same(record, write(json.loads(recorded.body_of(record))).encode())


@pytest.mark.parametrize("how", EVENTS)
@each(STREAMS)
def test_a_stream(record: Record, how: str) -> None:
    meant_the_same(record, EVENTS[how](recorded.body_of(record)))
