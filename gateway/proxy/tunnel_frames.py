"""WebSocket frames (RFC 6455) as far as a tunnel needs them: messages read from what passes by, closes written.

Extensions are not negotiated through the gateway, so no message is compressed.
"""

from __future__ import annotations

import os
import struct

import msgspec

TEXT, BINARY, CLOSE = 1, 2, 8
_CONTROL = 8
_SHORT, _LONG = struct.Struct(">H"), struct.Struct(">Q")

MOST_READ = 4 * 1024 * 1024
"""A message longer than this passes by unread."""

NORMAL, GOING_AWAY, NO_CODE, POLICY, SERVER_ERROR, SERVICE_RESTART = 1000, 1001, 1005, 1008, 1011, 1012


class Message(msgspec.Struct, frozen=True, gc=False):
    opcode: int
    data: bytes


class FrameReader:
    """The messages of one direction, from bytes cut anywhere. `feed` gives those that are complete, pings left out.

    What is no frame stops the reading for good (`is_lost`), never the tunnel: the two ends will settle it.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skip = 0
        """Bytes still to come of a payload that is not read."""
        self._parts: list[bytes] = []
        self._opcode = 0
        self._size = 0
        self.is_lost = False

    @property
    def is_between_frames(self) -> bool:
        return not (self.is_lost or self._rest or self._skip)

    def feed(self, data: bytes) -> list[Message]:
        found: list[Message] = []
        if self.is_lost:
            return found
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._rest += data
        while not self._skip and self._frame(found):
            pass
        return found

    def _frame(self, found: list[Message]) -> bool:
        """Takes one frame off the front; False where it is not all there."""
        rest = self._rest
        head = _head(rest)
        if head is None:
            return False
        final, opcode, mask, start, length = head
        if rest[0] & 0x70 or opcode in (3, 4, 5, 6, 7) or opcode > 10 or (opcode >= _CONTROL and length > 125):
            self._lose()
            return False
        if opcode < _CONTROL and self._size + length > MOST_READ:
            self._pass_over(final, start, length)
            return True
        if len(rest) < start + length:
            return False
        payload = bytes(rest[start : start + length])
        del rest[: start + length]
        if mask:
            payload = _masked(payload, mask)
        if opcode >= _CONTROL:
            if opcode == CLOSE:
                found.append(Message(CLOSE, payload))
        else:
            self._take(final, opcode, payload, found)
        return True

    def _take(self, final: bool, opcode: int, payload: bytes, found: list[Message]) -> None:
        if opcode:
            self._opcode, self._parts, self._size = opcode, [], 0
        self._parts.append(payload)
        self._size += len(payload)
        if final:
            if self._opcode:
                found.append(Message(self._opcode, b"".join(self._parts)))
            self._opcode, self._parts, self._size = 0, [], 0

    def _pass_over(self, final: bool, start: int, length: int) -> None:
        have = min(len(self._rest), start + length)
        self._skip = start + length - have
        del self._rest[:have]
        self._opcode, self._parts = 0, []
        self._size = 0 if final else MOST_READ

    def _lose(self) -> None:
        self.is_lost = True
        self._rest.clear()
        self._parts = []


def _head(data: bytearray) -> tuple[bool, int, bytes, int, int] | None:
    """(last of its message, opcode, mask, where the payload starts, its length); None where it is not all there."""
    if len(data) < 2:
        return None
    length, at = data[1] & 0x7F, 2
    extended = {126: _SHORT, 127: _LONG}.get(length)
    if extended is not None:
        if len(data) < at + extended.size:
            return None
        length, at = extended.unpack_from(data, at)[0], at + extended.size
    mask = b""
    if data[1] & 0x80:
        if len(data) < at + 4:
            return None
        mask, at = bytes(data[at : at + 4]), at + 4
    return bool(data[0] & 0x80), data[0] & 0x0F, mask, at, length


def _masked(payload: bytes, mask: bytes) -> bytes:
    """Masking and unmasking are the same; as one large number, it takes no loop."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def frame(opcode: int, payload: bytes, *, masked: bool = False) -> bytes:
    """One whole message as a frame; a client's are masked."""
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        head = bytes((0x80 | opcode, bit | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, bit | 126)) + _SHORT.pack(size)
    else:
        head = bytes((0x80 | opcode, bit | 127)) + _LONG.pack(size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + _masked(payload, mask)


def close_frame(code: int, reason: str, *, masked: bool = False) -> bytes:
    cut = reason.encode()[:123].decode("utf-8", "ignore").encode()
    return frame(CLOSE, _SHORT.pack(code) + cut, masked=masked)


def close_code(payload: bytes) -> tuple[int, str]:
    """(code, reason) of a close frame's payload (RFC 6455 7.4.1)."""
    if len(payload) < _SHORT.size:
        return NO_CODE, ""
    return _SHORT.unpack_from(payload)[0], payload[2:].decode("utf-8", "replace")
