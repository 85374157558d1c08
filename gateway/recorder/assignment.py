"""What the supervisor tells a recorder, as one line of JSON."""

from __future__ import annotations

import msgspec

from gateway.settings import Log
from gateway.settings.privacy import Privacy


class Assignment(msgspec.Struct, frozen=True):
    """Only what the recorder needs: no provider's key passes through the pipe, but the key that seals bodies does."""

    data: str
    store_url: str
    log: Log
    restarts: int = 0
    privacy: Privacy = Privacy()


_decode = msgspec.json.Decoder(Assignment).decode


def parse(line: bytes) -> Assignment:
    """Raises msgspec.DecodeError."""
    return _decode(line)


def written(assignment: Assignment) -> bytes:
    return msgspec.json.encode(assignment) + b"\n"
