"""Taking out of a stream the one chunk the gateway caused by asking for usage, and no other byte."""

from __future__ import annotations

import re

import msgspec

from gateway.core.sse import EVENT_END, events

_EMPTY_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_AFTER_EMPTY = (b"]", b" ", b"\n", b"\r", b"\t", b"")
"""What follows the bracket of a list that may be empty."""
_LONGEST_HELD = 32 * 1024
"""A usage chunk is under 4 kB; a longer unfinished event is passed on as it comes."""


_NULL = msgspec.Raw(b"null")


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: dict[str, msgspec.Raw] | None = None
    error: msgspec.Raw = _NULL


_decode = msgspec.json.Decoder(_Chunk).decode


def _is_usage_chunk(event: bytes) -> bool:
    """An event with `choices: []` and a usage object: what `stream_options.include_usage` adds to an OpenAI stream.
    One that also carries an error is more than that."""
    if not _EMPTY_CHOICES.search(event):
        return False
    for parsed in events(event):
        try:
            chunk = _decode(parsed.data)
        except (msgspec.DecodeError, RecursionError):
            return False
        if chunk.choices == [] and chunk.usage and bytes(chunk.error) == b"null":
            return True
    return False


def _blank_lines(event: bytes) -> bytes:
    """What stands before an event and is no part of it."""
    return event[: len(event) - len(event.lstrip(b"\r\n"))]


def _may_be_empty(data: bytes) -> bool:
    """The quick question that most chunks answer with no. One byte is found ten times as fast as two in a row."""
    at = data.find(b"[")
    while at >= 0:
        if data[at + 1 : at + 2] in _AFTER_EMPTY:
            return _EMPTY_CHOICES.search(data) is not None
        at = data.find(b"[", at + 1)
    return False


class UsageChunkFilter:
    """`feed` gives the bytes to pass on. Whole events go through at once, whatever pieces they arrive in; an
    unfinished one waits for its end, since only then can it be told from the usage chunk."""

    __slots__ = ("_done", "_held", "_long", "removed")

    def __init__(self) -> None:
        self.removed = False
        self._done = False
        self._held = b""
        self._long = False  # inside an event too long to be the usage chunk

    def feed(self, data: bytes) -> bytes:
        if self._done:
            return data
        if self._held:
            data = self._held + data
            self._held = b""
        if data.endswith(b"\n\n") and not self._long and not _may_be_empty(data):
            return data
        return self._split(data)

    def _split(self, data: bytes) -> bytes:
        start = 0
        out: list[bytes] = []
        for boundary in EVENT_END.finditer(data):
            if boundary.end() == len(data) and data.endswith(b"\r"):
                break  # may be half of a CRLF
            event = data[start : boundary.end()]
            if not self._long and _is_usage_chunk(event):
                self.removed = self._done = True
                return b"".join([*out, _blank_lines(event), data[boundary.end() :]])
            out.append(event)
            start = boundary.end()
            self._long = False
        rest = data[start:]
        if self._long or len(rest) > _LONGEST_HELD:
            self._long = True
            passed = rest.rstrip(b"\r\n")  # its blank line may come in two pieces
            out.append(passed)
            self._held = rest[len(passed) :]
        else:
            self._held = rest
        return b"".join(out)

    def flush(self) -> bytes:
        """What is left when the stream ends: an unfinished event, unless it is the usage chunk itself."""
        held, self._held = self._held, b""
        if held and not self._done and not self._long and _is_usage_chunk(held):
            self.removed = self._done = True
            return _blank_lines(held)
        return held
