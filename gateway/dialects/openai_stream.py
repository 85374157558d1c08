"""Finding the few facts of an OpenAI-shaped event stream without parsing its chunks.

An event of these streams is one `data:` line. A string inside JSON can never contain `"usage"`: its closing quote
would be escaped. So a key found as bytes is a key, and only the lines that carry one are decoded.

What may be anywhere is looked for from the end: Python searches bytes backwards at 5 GB/s, forwards at 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.core.sse import events

_OBJECT = re.compile(rb"\s*:\s*\{")
_SAID = re.compile(rb'\s*:\s*[{"]')
_EVENT_LINE = re.compile(rb"(?:^|[\n\r])event: ?$")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE = re.compile(rb"(?:^|[\n\r])data:\s*\[DONE\]")
_USAGE = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})')
"""Counts in up to three levels; there are no strings with braces among them."""
_DONE_EVENTS = (b"\ndata: [DONE]\n\n", b"\ndata: [DONE]\r\n\r\n")
"""How a stream ends that ends as OpenAI's do."""
_TAIL = 4096
"""Where a stream's end is looked for first: searching all of it is for those that have none there."""


def payload_at(data: bytes, position: int) -> bytes:
    """The JSON of the `data:` line around a position."""
    start = data.rfind(b"\n", 0, position) + 1
    end = data.find(b"\n", position)
    line = data[start:end] if end >= 0 else data[start:]
    if b"\r" in line:
        begins = line.rfind(b"\r", 0, position - start) + 1
        line = line[begins:].partition(b"\r")[0]
    return line[6:] if line.startswith(b"data: {") else line.partition(b":")[2].strip()


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
    """Lines that may carry an error, and whether it is by their event's name (`event: error`) that they do; those
    first."""
    found = [(at, sign) for at, sign in _errors(data) if sign != _VALUE]
    found.sort(key=_named_first)
    for at, sign in found:
        yield payload_at(data, at), sign == _EVENT


def failed_payloads(data: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Lines of events named `error` and lines in which something has the value `"error"`, in their order, with the
    event's name."""
    for at, sign in _errors(data):
        if sign != _KEY:
            yield payload_at(data, at), b"error" if sign == _EVENT else None


_EVENT, _KEY, _VALUE = range(3)


def _errors(data: bytes) -> list[tuple[int, int]]:
    """Where a stream speaks of an error, and how: the data of an event of that name, a key with an object or text, or
    a value. Looked for once: it takes longer than all the rest."""
    found: list[tuple[int, int]] = []
    at = len(data)
    while (at := data.rfind(b"error", 0, at)) >= 0:
        end = at + 5
        if data[end : end + 3] == b'":n':
            continue  # "error":null, as all responses have it
        if data[at - 1 : at] == b'"' and data[end : end + 1] == b'"':
            if _SAID.match(data, end + 1):
                found.append((at, _KEY))
            elif data[max(0, at - 9) : at - 1].rstrip().endswith(b":"):
                found.append((at, _VALUE))
        elif data[end : end + 1] in (b"\n", b"\r") and _EVENT_LINE.search(data[max(0, at - 8) : at]):
            begins = data.find(b"data:", end)
            if begins >= 0:
                found.append((begins, _EVENT))
    found.reverse()
    return found


def _named_first(found: tuple[int, int]) -> int:
    return found[1]


def has_done(data: bytes) -> bool:
    """Whether the stream ends with `[DONE]`."""
    if data.endswith(_DONE_EVENTS):
        return True
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
