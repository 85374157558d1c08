"""What passes between a worker and the annex: one question a connection, then its answer as it is made.

Frames are a length and so many bytes: the question there; back `TAKEN`, the head, pieces of the body, and an empty
frame as the end. A connection that ends without it was an answer that broke off; one that ends before `TAKEN` a
question that nobody heard.
"""

from __future__ import annotations

import asyncio
import struct

import msgspec

from gateway.control.admission_status import Standings
from gateway.control.machine import Own
from gateway.control.principal import Principal
from gateway.core.health import JournalHealth

SOCKET = "annex.sock"
TAKEN = b"+"
PIECE = 64 * 1024
"""The worker passes on so much in one turn of its loop."""
LARGEST = 16 * 1024 * 1024
"""A head of a request is much smaller (`server.max_header_kb`)."""

_LENGTH = struct.Struct(">I")

Headers = list[tuple[bytes, bytes]]


class Facts(msgspec.Struct, array_like=True, frozen=True):
    """What only the worker knows and pages show."""

    journal: JournalHealth
    standings: Standings = Standings()
    """Only where the page shows them."""
    own: Own | None = None
    """Only where it is about the installation."""


class Question(msgspec.Struct, array_like=True, frozen=True):
    method: str
    path: str
    query: bytes
    headers: Headers
    scheme: str
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    principal: Principal
    """The worker found out who asks, and that they may."""
    facts: Facts


class Head(msgspec.Struct, array_like=True, frozen=True):
    status: int
    headers: Headers

    def is_event_stream(self) -> bool:
        """Which never ends by itself."""
        return any(name == b"content-type" and b"text/event-stream" in value for name, value in self.headers)


encode = msgspec.msgpack.Encoder().encode
read_question = msgspec.msgpack.Decoder(Question).decode
read_head = msgspec.msgpack.Decoder(Head).decode


def put(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(_LENGTH.pack(len(frame)) + frame)


async def take(reader: asyncio.StreamReader) -> bytes:
    """The next frame. Raises EOFError where there is none, whole."""
    try:
        [length] = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > LARGEST:
            raise EOFError(f"a frame of {length} bytes is none of ours")
        return await reader.readexactly(length) if length else b""
    except OSError as exc:
        raise EOFError(str(exc)) from exc
