"""Text behind escapes that change its length: `%40`, `%2B` of URLs and forms, `\\u5bc6` of JSON in ASCII.

Around them the text is written out, looked through, and what is found is brought back to where it stands in the
original. Left alone is what would be read as structure: a quote, a backslash, a control, half a surrogate pair.
"""

from __future__ import annotations

import re
from bisect import bisect_right

import msgspec

BEFORE_BYTES = 256
"""What an escape may belong to begins no further before it."""
BEHIND_BYTES = 1024

_PERCENT = rb"%(?!22|5[cC]|[01])[0-9A-Fa-f]{2}"
_UNICODE = rb"u(?!00(?:[01]|22|5[cC])|[dD][89a-fA-F])[0-9a-fA-F]{4}"
_ESCAPE = re.compile(_PERCENT + rb"|\\{1,4}" + _UNICODE)
_RUNS = (  # each begins with letters that can be searched for, which is what makes them quick
    re.compile(rb"%s(?:%s)*" % (_PERCENT, _PERCENT)),
    re.compile(rb"\\%s(?:\\{1,4}%s)*" % (_UNICODE, _UNICODE)),
)
_BREAK = re.compile(rb"[\s\"]")


class _Run(msgspec.Struct, frozen=True, gc=False):
    """Escapes one after the other: where they are, and where what they say is in the text written out."""

    start: int
    end: int
    said_from: int
    said_to: int


class WrittenOut:
    """`text` is a piece of the original without its escapes; `place` says where an offset of it is in the original."""

    def __init__(self, original: bytes, begin: int, end: int, escapes: list[tuple[int, int]]) -> None:
        self._original = original
        self._runs = [_Run(begin, begin, 0, 0)]
        parts: list[bytes] = []
        kept_to, length = begin, 0
        for start, stop in escapes:
            said = _said(original[start:stop])
            parts += (original[kept_to:start], said)
            length += start - kept_to
            self._runs.append(_Run(start, stop, length, length + len(said)))
            length += len(said)
            kept_to = stop
        parts.append(original[kept_to:end])
        self.text = b"".join(parts)
        self.is_cut = begin > 0
        """Whether it begins in the middle, perhaps of a word."""

    def place(self, at: int) -> int:
        """An offset within a character that was an escape is the escape's beginning."""
        run = self._runs[bisect_right(self._runs, at, key=_said_from) - 1]
        if at >= run.said_to:
            return run.end + at - run.said_to
        said = run.said_from
        for escape in _ESCAPE.finditer(self._original, run.start, run.end):
            said += len(_said(escape[0]))
            if at < said:
                return escape.start()
        return run.end


def _said_from(run: _Run) -> int:
    return run.said_from


def written_out(original: bytes) -> list[WrittenOut]:
    """The neighbourhoods of all its escapes, each written out; where they are close, they are one."""
    around: list[tuple[int, int, list[tuple[int, int]]]] = []
    for start, stop in _runs(original):
        begin, end = max(0, start - BEFORE_BYTES), stop + BEHIND_BYTES
        escapes: list[tuple[int, int]] = []
        if around and begin <= around[-1][1]:
            begin, _, escapes = around.pop()
        escapes.append((start, stop))
        around.append((begin, end, escapes))
    pieces: list[WrittenOut] = []
    for begin, end, escapes in around:
        word_end = _BREAK.search(original, end)
        pieces.append(WrittenOut(original, begin, word_end.start() if word_end else len(original), escapes))
    return pieces


def _runs(original: bytes) -> list[tuple[int, int]]:
    """Where escapes of the same kind are, one after the other, with all their backslashes."""
    percent, unicode = ([match.span() for match in run.finditer(original)] for run in _RUNS)
    for place, (start, stop) in enumerate(unicode):
        behind = len(original[max(0, start - 3) : start]) - len(original[max(0, start - 3) : start].rstrip(b"\\"))
        unicode[place] = (start - behind, stop)
    return sorted(percent + unicode) if percent else unicode


def _said(escapes: bytes) -> bytes:
    """What a run of escapes says, as UTF-8."""
    if escapes.startswith(b"%"):
        return bytes.fromhex(escapes.replace(b"%", b"").decode())
    return bytes.fromhex(escapes.translate(None, b"\\u").decode()).decode("utf-16-be").encode()
