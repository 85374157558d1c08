"""Server-sent events, read as the WHATWG standard says, from bytes cut anywhere.

httpx's and most other line decoders split on U+2028 or need text; both break provider streams.
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re

import msgspec

LINE_END = re.compile(rb"\r\n|\n|\r")
EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
"""A blank line: two line ends. Atomic, so that the CR and LF of one line end are never taken for two."""

BOM = b"\xef\xbb\xbf"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event. `name` is None where there was no `event:` line."""

    name: bytes | None
    data: bytes


class SSEDecoder:
    """`feed` gives the events that are complete, `flush` what the end of the stream leaves.

    The standard drops an event that has no blank line after it; providers do send one last, so `flush` gives it.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name: bytes | None = None
        self._data: list[bytes] = []
        self._started = False

    def feed(self, data: bytes) -> list[Event]:
        buffer = self._rest + data if self._rest else data
        if not self._started:
            if len(buffer) < 3 and BOM.startswith(buffer):
                self._rest = buffer
                return []
            self._started = True
            buffer = buffer.removeprefix(BOM)
        held_cr = buffer.endswith(b"\r")  # may be half of a CRLF
        lines = LINE_END.split(buffer[:-1] if held_cr else buffer)
        self._rest = lines.pop() + (b"\r" if held_cr else b"")
        return self._take(lines)

    def flush(self) -> list[Event]:
        lines = LINE_END.split(self._rest)
        self._rest = b""
        return self._take([*lines, b""])

    def _take(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if line:
                field, _, value = line.partition(b":")
                if field == b"data":
                    self._data.append(value.removeprefix(b" "))
                elif field == b"event":
                    self._name = value.removeprefix(b" ")
                continue
            if self._data:
                events.append(Event(self._name, b"\n".join(self._data)))
                self._data = []
            self._name = None
        return events


def events(data: bytes) -> list[Event]:
    """All events of a whole stream, an unterminated last one included."""
    decoder = SSEDecoder()
    return decoder.feed(data) + decoder.flush()
