"""Spans on their way from one process to another: messages with their lengths ahead (msgpack), the columns that are
wanted first, then lists of spans."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from gateway.core.span import Span

Columns = list[tuple[str, str]]
"""Names and annotations."""

_length = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
read_columns = msgspec.msgpack.Decoder(Columns).decode
read_spans = msgspec.msgpack.Decoder(list[Span]).decode


def message(value: list[Span] | Columns) -> bytes:
    body = _encode(value)
    return _length.pack(len(body)) + body


def messages(stream: BinaryIO) -> Iterator[bytes]:
    """Up to the end of the stream. Raises EOFError where that is within a message."""
    while head := stream.read(_length.size):
        if len(head) < _length.size:
            raise EOFError("the spans break off")
        [length] = _length.unpack(head)
        body = stream.read(length)
        if len(body) < length:
            raise EOFError("the spans break off")
        yield body
