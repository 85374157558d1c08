"""The events of a Bedrock stream, from its binary framing and from the JSON lines that the log keeps of it.

A line is `{"contentBlockDelta": {…}}`, the shape that AWS's SDKs give an event; what `invoke` wraps as base64 is
unwrapped, so that it can be searched for secrets and read.
"""

from __future__ import annotations

import msgspec

from gateway.core import eventstream
from gateway.dialects.base import UNREADABLE

CHUNK = "chunk"
"""What `invoke` calls each of its events; its data is the model's own JSON."""


_METADATA = b":event-type\x07\x00\x08metadata"
_FAILURES = (b":message-type\x07\x00\x09exception", b":message-type\x07\x00\x05error")
"""Headers as they are written. JSON has no bytes like these, so no payload can hold them."""
_BEFORE_NAME = 13
"""From the beginning of a message to its first header's name: the prelude, and the name's length."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """`data` is JSON, unless what was sent is none."""

    name: str
    data: bytes

    @property
    def is_failure(self) -> bool:
        return self.name == "error" or self.name.endswith("Exception")


class _Chunk(msgspec.Struct):
    content: bytes = msgspec.field(name="bytes")


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode


def events(data: bytes) -> list[Event]:
    """All events of a stream, as it came or as it was stored. What cannot be read is left out."""
    if not data.lstrip().startswith(b"{"):
        return [_event(message) for message in eventstream.messages(data)]
    found = []
    for line in data.split(b"\n"):
        try:
            found += [Event(name, bytes(value)) for name, value in _decode_line(line).items()]
        except UNREADABLE:
            continue
    return found


def settling(data: bytes) -> list[Event]:
    """The events that settle a stream of `converse`: failures, and `metadata`, which ends it. A binary stream is read
    from there; as a whole only where it holds anything out of the ordinary."""
    at = data.rfind(_METADATA)
    is_plain = at >= 0 and data.rfind(_METADATA, 0, at) < 0 and all(data.rfind(mark) < 0 for mark in _FAILURES)
    if is_plain and not data.lstrip().startswith(b"{"):
        last = eventstream.messages(data[max(0, at - _BEFORE_NAME) :])
        if len(last) == 1 and last[0].text(":event-type") == "metadata":
            return [_event(last[0])]
    return events(data)


def as_lines(data: bytes) -> bytes:
    """A binary stream as JSON lines, one event each."""
    lines = (b"{%b:%b}\n" % (msgspec.json.encode(event.name), _json(event.data)) for event in events(data))
    return b"".join(lines)


def _event(message: eventstream.Message) -> Event:
    kind = message.text(":message-type")
    if kind == "error":
        failure = {"code": message.text(":error-code"), "message": message.text(":error-message")}
        return Event("error", msgspec.json.encode(failure))
    if kind == "exception":
        return Event(_exception_name(message.text(":exception-type")), message.payload)
    name = message.text(":event-type")
    if name == CHUNK:
        try:
            return Event(name, _decode_chunk(message.payload).content)
        except UNREADABLE:
            pass
    return Event(name, message.payload)


def _exception_name(name: str) -> str:
    return name if name.endswith("Exception") else f"{name}Exception"


def _json(payload: bytes) -> bytes:
    """A payload as JSON on one line; text that is no JSON as a string."""
    try:
        _decode_any(payload)
        return msgspec.json.format(payload, indent=-1) if b"\n" in payload else payload
    except UNREADABLE:
        return msgspec.json.encode(payload.decode("utf-8", "replace"))
