"""AWS's binary event stream (`application/vnd.amazon.eventstream`), read from bytes cut anywhere, and written.

A message is a prelude (its length, its headers' length, a checksum of the two), headers, a payload and a checksum of it
all. https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from zlib import crc32

import msgspec

CONTENT_TYPE = "application/vnd.amazon.eventstream"

LARGEST_MESSAGE = 24 * 1024 * 1024
LARGEST_HEADERS = 128 * 1024

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_PLAUSIBLE = re.compile(rb"(?=[\x00\x01].{3}\x00[\x00-\x02].{2})", re.DOTALL)
"""What the two lengths of a prelude look like: where to look for one among bytes that are no message."""

_TRUE, _FALSE, _BYTES, _STRING, _UUID = 0, 1, 6, 7, 9
_INTEGERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_INTEGERS[8] = _INTEGERS[5]  # a time stamp, in ms
_LENGTH = struct.Struct(">H")

Value = bool | int | str | bytes


class Message(msgspec.Struct, frozen=True, gc=False):
    headers: Mapping[str, Value]
    """By name, e.g. `:event-type`, `:message-type`."""
    payload: bytes

    def text(self, name: str) -> str:
        """A header's string, empty where there is none."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class EventStreamDecoder:
    """`feed` gives the messages that are complete, `flush` those that only the end of the stream lets find.

    Never raises: bytes whose checksums do not hold are passed over up to the next message, and `is_damaged` says so.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.is_damaged = False

    @property
    def is_between_messages(self) -> bool:
        return not self._rest

    def feed(self, data: bytes) -> list[Message]:
        return self._take(self._rest + data if self._rest else data, ended=False)

    def flush(self) -> list[Message]:
        found = self._take(self._rest, ended=True)
        self._rest = b""
        return found

    def _take(self, data: bytes, *, ended: bool) -> list[Message]:
        found: list[Message] = []
        at = 0
        while len(data) - at >= _PRELUDE.size:
            length, headers_length, checksum = _PRELUDE.unpack_from(data, at)
            if not _is_prelude(length, headers_length) or crc32(data[at : at + 8]) != checksum:
                at = self._next_candidate(data, at + 1)
                continue
            if at + length > len(data):
                if not ended:
                    break
                at = self._next_candidate(data, at + _PRELUDE.size)
                continue
            message = _message(data, at, at + length, headers_length)
            if message is None:
                at = self._next_candidate(data, at + _PRELUDE.size)
            else:
                found.append(message)
                at += length
        self._rest = data[at:]
        self.is_damaged |= ended and bool(self._rest)
        return found

    def _next_candidate(self, data: bytes, at: int) -> int:
        """Where a message may begin; the end is kept, as far as it may be the beginning of a prelude."""
        self.is_damaged = True
        plausible = _PLAUSIBLE.search(data, at)
        return plausible.start() if plausible else max(at, len(data) - 7)


def messages(data: bytes) -> list[Message]:
    """All whole messages of a stream."""
    decoder = EventStreamDecoder()
    return decoder.feed(data) + decoder.flush()


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message, its headers strings."""
    lines = b"".join([_string_header(name, value) for name, value in headers.items()])
    lengths = struct.pack(">II", _PRELUDE.size + len(lines) + len(payload) + _CHECKSUM.size, len(lines))
    body = lengths + _CHECKSUM.pack(crc32(lengths)) + lines + payload
    return body + _CHECKSUM.pack(crc32(body))


def _is_prelude(length: int, headers_length: int) -> bool:
    room = length - _PRELUDE.size - _CHECKSUM.size
    return 0 <= headers_length <= min(room, LARGEST_HEADERS) and length <= LARGEST_MESSAGE


def _message(data: bytes, start: int, end: int, headers_length: int) -> Message | None:
    """None where the checksum or a header does not hold."""
    end -= _CHECKSUM.size
    if crc32(memoryview(data)[start:end]) != _CHECKSUM.unpack_from(data, end)[0]:
        return None
    start += _PRELUDE.size
    try:
        headers = _headers(data[start : start + headers_length])
    except (struct.error, IndexError, UnicodeDecodeError, ValueError):
        return None
    return Message(headers, data[start + headers_length : end])


@lru_cache(maxsize=256)
def _headers(data: bytes) -> dict[str, Value]:
    """Remembered: the messages of a stream are of few types, each with the same headers."""
    found: dict[str, Value] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name = data[at + 1 : name_end].decode()
        found[name], at = _value(data, data[name_end], name_end + 1)
    return found


def _value(data: bytes, kind: int, at: int) -> tuple[Value, int]:
    """A header's value and where it ends."""
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in _INTEGERS:
        form = _INTEGERS[kind]
        number: int = form.unpack_from(data, at)[0]
        return number, at + form.size
    if kind == _UUID:
        start, end = at, at + 16
    elif kind in (_BYTES, _STRING):
        start = at + _LENGTH.size
        end = start + _LENGTH.unpack_from(data, at)[0]
    else:
        raise ValueError(f"a header of unknown type {kind}")
    if end > len(data):
        raise ValueError("a header is longer than the headers")
    raw = data[start:end]
    return (raw.decode() if kind == _STRING else raw), end


def _string_header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    return b"%c%b%c%b%b" % (len(name_bytes), name_bytes, _STRING, _LENGTH.pack(len(value_bytes)), value_bytes)
