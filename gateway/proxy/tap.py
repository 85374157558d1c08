"""What is kept of a body that flows by: references to its pieces, in bounded memory, for the meter and the journal."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable

import zstandard

from gateway.dialects import Answer, Context, Meter

TAIL_BYTES = 256 * 1024
"""How much of the end is kept of a body longer than its limit: usage comes last."""

MOST_DECODED = 64 * 1024 * 1024


class Tap:
    """Keeps a body's first `limit` bytes and its last `TAIL_BYTES`; what lies between is dropped."""

    __slots__ = ("_limit", "_tail", "_tail_size", "head", "kept", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.size = 0
        """Bytes that went by."""
        self.kept = 0
        self.head: list[bytes] = []
        """Pieces of the beginning, for the journal."""
        self._tail: deque[bytes] | None = None
        self._tail_size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self._tail is None:
            if self.kept + len(data) <= self._limit:
                self.kept += len(data)
                self.head.append(data)
                return
            room = self._limit - self.kept
            self.kept = self._limit
            if room:
                self.head.append(data[:room])
            data = data[room:]
            self._tail = deque()
        tail = self._tail
        tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(tail[0]) > TAIL_BYTES:
            self._tail_size -= len(tail.popleft())

    def first(self, limit: int) -> list[bytes]:
        """The pieces of the first `limit` bytes, the last of them cut where need be."""
        if self.kept <= limit:
            return self.head
        pieces, room = [], limit
        for piece in self.head:
            pieces.append(piece[:room])
            room -= len(piece)
            if room <= 0:
                break
        return pieces

    def joined(self) -> bytes:
        """All that is kept, as one; of a longer body the tail follows the head on a line of its own, so that a reader
        of events finds its way back in."""
        if self._tail is None:
            return self.head[0] if len(self.head) == 1 else b"".join(self.head)
        if self.size == self.kept + self._tail_size:
            return b"".join([*self.head, *self._tail])
        return b"".join([*self.head, b"\n\n", *self._tail])


def decoding(meter: Meter | None, encoding: bytes | None) -> Meter | None:
    """The same meter for a body that has a content coding."""
    if meter is None or not encoding or encoding == b"identity":
        return meter
    return _Decoding(meter, encoding)


class _Decoding:
    """Decodes what it hands on; what cannot be decoded ends it."""

    def __init__(self, meter: Meter, encoding: bytes) -> None:
        self._meter = meter
        self._inflate: Callable[[bytes], bytes] | None
        if encoding == b"zstd":
            self._inflate = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj().decompress
        else:
            self._inflate = zlib.decompressobj(47).decompress

    def feed(self, data: bytes) -> None:
        if self._inflate is None:
            return
        try:
            self._meter.feed(self._inflate(data))
        except (zlib.error, zstandard.ZstdError):
            self._inflate = None

    def settle(self, context: Context) -> Answer:
        return self._meter.settle(context) if self._inflate is not None else Answer()


def decoded(body: bytes, encoding: bytes | None) -> bytes:
    """A body without its content coding, as far as it can be read (a cut one gives its beginning)."""
    if not encoding or encoding == b"identity":
        return body
    try:
        if encoding == b"zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(body, read_across_frames=True)
            return reader.read(MOST_DECODED)
        return zlib.decompressobj(47).decompress(body, MOST_DECODED)
    except (zlib.error, zstandard.ZstdError):
        return b""
