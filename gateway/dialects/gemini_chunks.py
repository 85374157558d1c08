"""The two forms of Google's streams: server-sent events (`?alt=sse`), and without that one JSON array, written piece by
piece, which a broken connection can cut anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from gateway.core.sse import events
from gateway.dialects.base import UNREADABLE
from gateway.dialects.lines import payloads, payloads_from_end

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


class Chunks:
    """The chunks of a stream, each the JSON of one `GenerateContentResponse` or of an error."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._items = array_items(data) if is_array(data) else None

    def having(self, key: bytes) -> Iterator[bytes]:
        """Those that hold a key, the first one first."""
        if self._items is None:
            return payloads(self._data, key)
        return (item for item in self._items if key in item)

    def having_from_end(self, key: bytes) -> Iterator[bytes]:
        if self._items is None:
            return payloads_from_end(self._data, key)
        return (item for item in reversed(self._items) if key in item)

    def every(self) -> Iterator[bytes]:
        if self._items is None:
            return (event.data for event in events(self._data))
        return iter(self._items)


def is_array(data: bytes) -> bool:
    return data[:64].lstrip()[:1] == b"["


def array_items(data: bytes) -> list[bytes]:
    """The objects of an array; of one that was cut, those that are whole."""
    try:
        return [bytes(item) for item in _decode_array(data)]
    except UNREADABLE:
        return list(_whole_items(data))


def _whole_items(data: bytes) -> Iterator[bytes]:
    depth = start = 0
    for token in _TOKEN.finditer(data):
        mark = token[0]
        if mark in b"[{":
            depth += 1
            if depth == 2:
                start = token.start()
        elif mark in b"]}":
            depth -= 1
            if depth == 1:
                yield data[start : token.end()]
