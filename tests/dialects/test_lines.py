"""Finding lines by bytes gives what reading every event gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sse import events
from gateway.dialects import OPAQUE, dialect_for
from gateway.dialects.lines import payloads, payloads_from_end

PIECES = st.lists(
    st.sampled_from([b'{"usage":{}}', b'{"usage":{},"usage":{}}', b'{"text":"\\"usage\\""}', b"{}", b"["])
)


@given(PIECES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.sampled_from([b"data: ", b"data:"]), st.booleans())
def test_each_line_with_a_key_is_found_once(pieces: list[bytes], end: bytes, field: bytes, named: bool) -> None:
    name = b"event: usage" + end if named else b""
    stream = b"".join(name + field + piece + end + end for piece in pieces)
    wanted = [event.data for event in events(stream) if b'"usage"' in event.data]
    assert list(payloads(stream, b'"usage"')) == wanted
    assert list(payloads_from_end(stream, b'"usage"')) == wanted[::-1]


def test_lines_of_json_are_found_too() -> None:
    assert list(payloads(b'{"a":1}\n{"b":2}\n{"a":3}', b'"a"')) == [b'{"a":1}', b'{"a":3}']


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/messages", "anthropic.messages"),
        (b"/anthropic/v1/messages", "anthropic.messages"),
        (b"/v1/threads/thread_1/messages", OPAQUE.name),
        (b"/v1/chat", "cohere.chat.v1"),
        (b"/api/chat", "ollama.chat"),
        (b"/v2/rerank", "cohere.rerank"),
        (b"/v1/rerank", "openai.rerank"),
    ],
)
def test_paths_that_look_alike(path: bytes, name: str) -> None:
    assert dialect_for(b"POST", path).name == name
