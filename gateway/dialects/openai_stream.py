"""Finding the few facts of an OpenAI-shaped event stream without parsing its chunks.

An event of these streams is one `data:` line. A string inside JSON can never contain `"usage"`: its closing quote
would be escaped. So a key found as bytes is a key, and only the lines that carry one are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.core.sse import events

_OBJECT = re.compile(rb"\s*:\s*\{")
_ERROR = re.compile(rb'"error"\s*:\s*[{"]')
_ERROR_EVENT = re.compile(rb"(?:^|[\n\r])event: ?error(?=[\r\n])")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE = re.compile(rb"(?:^|[\n\r])data:\s*\[DONE\]")
_USAGE = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})')
"""Counts in up to three levels; there are no strings with braces among them."""
_TAIL = 4096
"""Where a stream's end is looked for first: searching all of it is for those that have none there."""


def payload_at(data: bytes, position: int) -> bytes:
    """The JSON of the `data:` line around a position."""
    start = max(data.rfind(b"\n", 0, position), data.rfind(b"\r", 0, position)) + 1
    ends = [end for end in (data.find(b"\n", position), data.find(b"\r", position)) if end >= 0]
    line = data[start : min(ends)] if ends else data[start:]
    return line.partition(b":")[2].strip()


def payloads(data: bytes) -> Iterator[bytes]:
    """The data of every event."""
    return (event.data for event in events(data))


def usage_payloads(data: bytes) -> Iterator[bytes]:
    """Lines with a usage object, the last one first: the last one counts."""
    at = data.rfind(b'"usage"')
    while at >= 0:
        if _OBJECT.match(data, at + 7):
            yield payload_at(data, at)
        at = data.rfind(b'"usage"', 0, at)


def first_with_model(data: bytes) -> bytes | None:
    at = data.find(b'"model"')
    return payload_at(data, at) if at >= 0 else None


def error_payloads(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Lines that may carry an error, and whether it is by their event's name (`event: error`) that they do."""
    if b"error" not in data:
        return
    for found in _ERROR_EVENT.finditer(data):
        if (at := data.find(b"data:", found.end())) >= 0:
            yield payload_at(data, at), True
    for found in _ERROR.finditer(data):
        yield payload_at(data, found.start()), False


def marked_payloads(data: bytes, mark: re.Pattern[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Lines of events named `error` (`event: error`) and lines that hold the mark, in their order, with the name."""
    if b"error" not in data:
        return
    found: list[tuple[int, bytes | None]] = [(match.start(), None) for match in mark.finditer(data)]
    for match in _ERROR_EVENT.finditer(data):
        if (at := data.find(b"data:", match.end())) >= 0:
            found.append((at, b"error"))
    for at, name in sorted(found, key=_place):
        yield payload_at(data, at), name


def _place(found: tuple[int, bytes | None]) -> int:
    return found[0]


def has_done(data: bytes) -> bool:
    """Whether the stream ends with `[DONE]`."""
    at = data.rfind(b"[DONE]", max(0, len(data) - _TAIL))
    return at >= 0 and _DONE.search(data, max(0, at - 16)) is not None


def is_complete(data: bytes) -> bool:
    """Whether the stream came to its own end: `[DONE]` or a finish reason."""
    if has_done(data):
        return True
    return _FINISHED.search(data, max(0, len(data) - _TAIL)) is not None or _FINISHED.search(data) is not None


def lone_usage(data: bytes) -> bytes | None:
    """The last usage object of a body that is no JSON any more, because what was kept of it has a gap: it comes after
    everything that is long."""
    at = data.rfind(b'"usage"')
    found = _USAGE.match(data, at) if at >= 0 else None
    return found[1] if found else None


def lone_text(data: bytes, key: bytes) -> str | None:
    """The first string under a key of such a body."""
    found = re.search(rb'"%b"\s*:\s*"([^"\\]{1,200})"' % re.escape(key), data)
    return found[1].decode("utf-8", "replace") if found else None
