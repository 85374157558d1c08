"""Rows of the log on their way from one process to another: messages with their lengths ahead (msgpack), the columns
that are wanted first, then lists of rows as they are stored."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from gateway.core.stored import StoredRow

Columns = list[tuple[str, str]]
"""Names and annotations."""

_length = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
read_columns = msgspec.msgpack.Decoder(Columns).decode
read_rows = msgspec.msgpack.Decoder(list[StoredRow]).decode


def message(value: list[StoredRow] | Columns) -> bytes:
    body = _encode(value)
    return _length.pack(len(body)) + body


def messages(stream: BinaryIO) -> Iterator[bytes]:
    """Up to the end of the stream. Raises EOFError where that is within a message."""
    while head := stream.read(_length.size):
        if len(head) < _length.size:
            raise EOFError("the rows break off")
        [length] = _length.unpack(head)
        body = stream.read(length)
        if len(body) < length:
            raise EOFError("the rows break off")
        yield body
