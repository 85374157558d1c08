"""The bytes of a segment.

    segment = magic (8) | number u64 | mark u32 | crc32 u32      then frames, then zeros to the end of the file
    frame   = length u32 | mark u32 | kind u32 | meta u32 | request u32 | crc32 u32 | meta | request | response

All integers are little-endian. `length` counts what follows the header; `meta` and `request` are the lengths of the
first two parts, the response is the rest. The checksum covers the header's other fields and the parts. The mark is
drawn at random for each segment: a frame written into a body by a client can never be mistaken for a real one when a
reader looks for the next frame after damage. Zeros where a header is expected mean that nothing more is written yet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from zlib import crc32

import msgspec

MAGIC = b"CGJRNL1\n"
SEGMENT_HEAD = struct.Struct("<8sQI")
FIELDS = struct.Struct("<IIIII")
CHECKSUM = struct.Struct("<I")
SEGMENT_HEADER_BYTES = SEGMENT_HEAD.size + CHECKSUM.size
FRAME_HEADER_BYTES = FIELDS.size + CHECKSUM.size
MARK_OFFSET = 4

OPEN = 1
CLOSE = 2


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A frame as it was read. `meta` is the msgpack of a `CallOpened` or a `CallClosed`, by `kind`."""

    journal: str
    segment: int
    end: int
    """Offset in the segment of the byte after this frame."""
    kind: int
    meta: bytes
    request: bytes
    response: bytes


class FrameError(Exception):
    """What is at this offset is not a whole frame."""


def segment_header(number: int, mark: int) -> bytes:
    head = SEGMENT_HEAD.pack(MAGIC, number, mark)
    return head + CHECKSUM.pack(crc32(head))


def segment_mark(header: bytes) -> int:
    """The mark of a segment's frames; raises FrameError where the header is not one."""
    if len(header) < SEGMENT_HEADER_BYTES:
        raise FrameError("a segment without its header")
    head = header[: SEGMENT_HEAD.size]
    magic, _, mark = SEGMENT_HEAD.unpack(head)
    if magic != MAGIC or CHECKSUM.unpack_from(header, SEGMENT_HEAD.size)[0] != crc32(head):
        raise FrameError("a segment header with a wrong checksum")
    return int(mark)


def frame_header(mark: int, kind: int, meta: bytes, request: Iterable[bytes], response: Iterable[bytes]) -> bytes:
    """The header that goes before `meta`, the pieces of the request and the pieces of the response."""
    meta_bytes = length = len(meta)
    for piece in request:
        length += len(piece)
    request_bytes = length - meta_bytes
    for piece in response:
        length += len(piece)
    fields = FIELDS.pack(length, mark, kind, meta_bytes, request_bytes)
    checksum = crc32(meta, crc32(fields))
    for piece in request:
        checksum = crc32(piece, checksum)
    for piece in response:
        checksum = crc32(piece, checksum)
    return fields + CHECKSUM.pack(checksum)


def whole_frame(mark: int, kind: int, meta: bytes, request: Sequence[bytes], response: Sequence[bytes]) -> bytes:
    """A frame as one piece: for a small one copying is cheaper than handing each part to checksum and kernel."""
    meta_bytes = len(meta)
    if request or response:
        payload = b"".join((meta, *request, *response))
        request_bytes = len(request[0]) if len(request) == 1 else sum(map(len, request))
        fields = FIELDS.pack(len(payload), mark, kind, meta_bytes, request_bytes)
    else:
        payload = meta
        fields = FIELDS.pack(meta_bytes, mark, kind, meta_bytes, 0)
    return b"".join((fields, CHECKSUM.pack(crc32(payload, crc32(fields))), payload))


def read_frame(data: bytes, at: int, mark: int, journal: str, segment: int, base: int) -> Frame | None:
    """The frame at `data[at]`, where `data[0]` lies at `base` in the segment.

    None when `data` ends before the frame does. Raises FrameError where there is none.
    """
    body = at + FRAME_HEADER_BYTES
    if body > len(data):
        return None
    length, found_mark, kind, meta_bytes, request_bytes = FIELDS.unpack_from(data, at)
    if found_mark != mark or kind not in (OPEN, CLOSE) or meta_bytes + request_bytes > length:
        raise FrameError("not a frame header")
    end = body + length
    if end > len(data):
        return None
    checksum = CHECKSUM.unpack_from(data, at + FIELDS.size)[0]
    payload = data[body:end]
    if crc32(payload, crc32(data[at : at + FIELDS.size])) != checksum:
        raise FrameError("wrong checksum")
    response_at = meta_bytes + request_bytes
    return Frame(
        journal, segment, base + end, kind, payload[:meta_bytes], payload[meta_bytes:response_at], payload[response_at:]
    )
