"""Looking through the escapes of JSON strings without losing the place.

Patterns know nothing of `\\n`, `\\"` or `\\u00fc`. So they are matched on a *view* of the body: equally long, every
escape blanked by bytes that mean the same to a pattern. What is found at an offset of the view is at that offset of
the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ASCII_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_LATIN_ESCAPE = re.compile(rb"\\u0(?:0[c-fC-F]|1[0-9a-fA-F]|2[0-4])[0-9a-fA-F]")
_OTHER_ESCAPE = re.compile(rb"\\u[0-9a-fA-F]{4}")
_NESTED_ESCAPES = ((b"\\\\\\\\u", b"%%%\\u"), (b"\\\\u", b"%\\u"))
_NESTED_TEXT_ESCAPE = re.compile(rb"\\\\[ntr]")  # of JSON within JSON: an escaped escape
_TEXT_ESCAPES = ((b"\\n", b"  "), (b'\\"', b"  "), (b"\\t", b"  "), (b"\\r", b"  "), (b"\\/", b"//"))
"""The frequent ones first: most pieces have no others, and are done then."""
PIECE_BYTES = 4096
LONGEST_ESCAPE_BYTES = 9


def plain_ascii(body: bytes) -> bytes:
    """The same JSON with printable ASCII characters written as themselves: `jane\\u0040example.com` hides an address.
    Quotes and backslashes stay escaped."""
    parts: list[bytes] = []
    kept_to = 0
    for match in _ASCII_ESCAPE.finditer(body):
        code = int(match[1], 16)
        if code not in (0x22, 0x5C, 0x7F):
            start = match.start() - _backslashes_before(body, match.start())
            parts += (body[kept_to:start], bytes((code,)))
            kept_to = match.end()
    return b"".join((*parts, body[kept_to:])) if parts else body


def without_escapes(body: bytes) -> bytes:
    """The view of a body; the body itself where it has no escapes."""
    if b"\\" not in body:
        return body
    return b"".join(map(_blanked, _pieces(body)))


def _pieces(body: bytes) -> Iterator[bytes]:
    """None begins within an escape."""
    start = 0
    while start < len(body):
        end = start + PIECE_BYTES
        while (escape := body.rfind(b"\\", end - LONGEST_ESCAPE_BYTES, end)) >= 0:
            end = escape + LONGEST_ESCAPE_BYTES + 1
        yield body[start:end]
        start = end


def _blanked(view: bytes) -> bytes:
    if b"\\" not in view:
        return view
    if b"\\u" in view:
        for escape, blank in _NESTED_ESCAPES:
            view = view.replace(escape, blank)
        view = _LATIN_ESCAPE.sub(b"%%%%%%", view)  # like ü, an address may hold a %, and it ends no word
        view = _OTHER_ESCAPE.sub(b"      ", view)
    if b"\\\\" in view:
        view = _NESTED_TEXT_ESCAPE.sub(b"   ", view).replace(b"\\\\", b"  ")
    for escape, blank in _TEXT_ESCAPES:
        if b"\\" not in view:
            break
        view = view.replace(escape, blank)
    return view


def between_escapes(body: bytes, start: int, end: int) -> tuple[int, int]:
    """The span made smaller where it would begin or end within an escape, or cut one in two."""
    if _backslashes_before(body, start) % 2:
        start += 5 if body[start : start + 1] == b"u" else 1
    else:
        for back in range(2, 6):  # within the digits of \uXXXX
            at = start - back
            if at >= 0 and body[at : at + 2] == b"\\u" and _backslashes_before(body, at) % 2 == 0:
                start = at + 6
                break
    if _backslashes_before(body, end) % 2:
        end -= 1
    else:
        for back in range(2, 6):
            at = end - back
            if at >= 0 and body[at : at + 2] == b"\\u" and _backslashes_before(body, at) % 2 == 0:
                end = at
                break
    return start, end


def _backslashes_before(body: bytes, at: int) -> int:
    count = 0
    while at > count and body[at - count - 1] == 0x5C:
        count += 1
    return count
