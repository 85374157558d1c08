"""Text behind escapes that change its length: `%40`, `%2B` of URLs and forms, `\\u5bc6` of JSON in ASCII.

The text is written out, looked through, and what is found is brought back to where it stands in the original.
"""

from __future__ import annotations

import re
from bisect import bisect_right

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})|\\{1,4}u([0-9a-fA-F]{4})")


class WrittenOut:
    """`text` is the original without these escapes; `place` says where an offset of it is in the original."""

    def __init__(self, original: bytes) -> None:
        parts: list[bytes] = []
        self._starts = [0]
        """Offsets in `text` from which on the original is further by the same number of bytes."""
        self._shifts = [0]
        kept_to = length = 0
        for match in _ESCAPE.finditer(original):
            character = _character(match)
            if character is None:
                continue
            start, end = match.span()
            parts += (original[kept_to:start], character)
            length += start - kept_to + len(character)
            kept_to = end
            self._starts.append(length)
            self._shifts.append(end - length)
        parts.append(original[kept_to:])
        self.text = b"".join(parts)

    def __bool__(self) -> bool:
        return len(self._starts) > 1

    def place(self, at: int) -> int:
        """An offset within a character that was an escape is the escape's beginning or end."""
        return at + self._shifts[bisect_right(self._starts, at) - 1]


def _character(match: re.Match[bytes]) -> bytes | None:
    """None for what would be read as structure: a quote, a backslash, a control, half a surrogate pair."""
    if match[1] is not None:
        byte = bytes.fromhex(match[1].decode())
        return None if byte in b'"\\' or byte < b" " else byte
    code = int(match[2], 16)
    if code < 0x20 or code in (0x22, 0x5C) or 0xD800 <= code < 0xE000:
        return None
    return chr(code).encode()
