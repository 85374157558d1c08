"""An answer as the cache keeps it: what of it holds for everybody, and in which pieces."""

from __future__ import annotations

import msgspec

from gateway.core.span import CallClosed

PIECE_BYTES = 16 * 1024
"""A kept stream is given again in pieces of at least this size, each ending where an event does."""
OVERHEAD_BYTES = 2048
"""What an answer takes beside its bytes, about."""

_OWN_HEADERS = (
    b"age:",
    b"anthropic-ratelimit-",
    b"connection:",
    b"retry-after",
    b"server-timing:",
    b"x-callgate-attempts:",
    b"x-callgate-cache:",
    b"x-callgate-cost-usd:",
    b"x-ratelimit-",
    b"x-request-id:",
)
"""Header lines that are of one call and not of the answer."""


class Recording(msgspec.Struct, array_like=True):
    """While it is made, what has come so far. The `pieces` are what clients were sent, without their framing."""

    status: int = 0
    head: bytes = b""
    """Header lines for every client; each gets its own besides."""
    streamed: bool = False
    pieces: list[bytes] = []
    size: int = 0
    complete: bool = False
    ended_at: int = 0
    """µs UTC."""
    closed: CallClosed | None = None
    """What was booked for the call that was answered first; it comes before the answer's last piece."""

    def add(self, data: bytes) -> None:
        self.pieces.append(data)
        self.size += len(data)

    @property
    def is_good(self) -> bool:
        """Whether it may be given again: all of it came, and it was a success."""
        closed = self.closed
        return self.complete and closed is not None and closed.error_type is None and 200 <= self.status < 300

    @property
    def footprint(self) -> int:
        return self.size + len(self.head) + OVERHEAD_BYTES


def shared_lines(head: bytes) -> bytes:
    """The lines of an answer's head that hold for everybody it is given to."""
    lines = head.split(b"\r\n")
    return b"".join([line + b"\r\n" for line in lines if line and not line.lower().startswith(_OWN_HEADERS)])


def in_larger_pieces(pieces: list[bytes]) -> list[bytes]:
    """The same bytes, for keeping: cut only where an event of the stream ends."""
    joined: list[bytes] = []
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES and piece.endswith((b"\n\n", b"\r\n\r\n")):
            joined.append(b"".join(gathered))
            gathered, size = [], 0
    if gathered:
        joined.append(b"".join(gathered))
    return joined


def for_keeping(recording: Recording) -> Recording:
    """As it is laid down: without what belongs to the first call alone."""
    assert recording.closed is not None
    closed = msgspec.structs.replace(recording.closed, request_headers=[], timing=None, error_message=None)
    pieces = in_larger_pieces(recording.pieces) if recording.streamed else recording.pieces
    return msgspec.structs.replace(recording, closed=closed, pieces=pieces)
