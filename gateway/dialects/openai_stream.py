"""Finding the few facts of an OpenAI-shaped event stream without parsing its chunks.

An event of these streams is one `data:` line. A string inside JSON can never contain `"usage"`: its closing quote
would be escaped. So a key found as bytes is a key, and only the lines that carry one are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_ERROR = re.compile(rb'(?:^|\n|\r)event: ?error[\n\r]|"error"\s*:\s*[{"]')
_MODEL = re.compile(rb'"model"\s*:')
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE = re.compile(rb"(?:^|[\n\r])data:\s*\[DONE\]")


def payload_at(data: bytes, position: int) -> bytes:
    """The JSON of the `data:` line around a position."""
    start = max(data.rfind(b"\n", 0, position), data.rfind(b"\r", 0, position)) + 1
    ends = [end for end in (data.find(b"\n", position), data.find(b"\r", position)) if end >= 0]
    line = data[start : min(ends)] if ends else data[start:]
    return line.partition(b":")[2].strip()


def usage_payloads(data: bytes) -> Iterator[bytes]:
    """Lines with a usage object, the last one first: the last one counts."""
    for found in reversed(list(_USAGE.finditer(data))):
        yield payload_at(data, found.start())


def first_with_model(data: bytes) -> bytes | None:
    found = _MODEL.search(data)
    return payload_at(data, found.start()) if found else None


def error_payloads(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Lines that may carry an error, and whether it is by their event's name (`event: error`) that they do."""
    for found in _ERROR.finditer(data):
        if data[found.start() : found.start() + 1] == b'"':
            yield payload_at(data, found.start()), False
        elif (at := data.find(b"data:", found.end())) >= 0:
            yield payload_at(data, at), True


def is_complete(data: bytes) -> bool:
    """Whether the stream came to its own end: `[DONE]` or a finish reason."""
    return _DONE.search(data, max(0, len(data) - 4096)) is not None or _FINISHED.search(data) is not None
