"""Taking secrets and personal data out of what is stored, before anything of it is cut. Pure; see docs/redaction.md.

JSON stays valid: what is replaced lies within one string, and a bare number that is taken out becomes a string.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate

import re2

from gateway.errors import ConfigError
from gateway.recorder.escaped import written_out
from gateway.recorder.finding import Finder, Found, merged
from gateway.recorder.pieces import Piece, texts, texts_in_pieces
from gateway.recorder.redaction_presidio import Recogniser
from gateway.recorder.rules import RULES, Rule
from gateway.recorder.view import between_escapes, plain_ascii, without_escapes
from gateway.settings import OwnPattern, Redaction
from gateway.settings.privacy import Presidio

SHORT_CHARACTERS = 100
REMEMBERED = 4096
CREDENTIAL_HEADERS = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
        "x-callgate-key",
        "openai-organization",
        "x-auth-token",
    )
)
"""Never kept, whatever the settings."""
SECRET_HEADER = re.compile(r"key|token|secret|passw|auth|cookie|signature")
BARE_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
NUMBER_BYTES = frozenset(b"-+.0123456789eE")


class Redactor:
    """Raises ConfigError for a rule of the settings that is not RE2, or a name in `skip` that is no rule."""

    def __init__(self, settings: Redaction, presidio: Presidio | None = None) -> None:
        self._short = lru_cache(REMEMBERED)(self._redacted_short)
        self._finder = Finder()
        problems = [
            f"log.redaction.skip: {name!r} is no built-in pattern; see docs/redaction.md"
            for name in sorted(set(settings.skip) - {rule.kind for rule in RULES})
        ]
        own = [_own_rule(kind, pattern) for kind, pattern in settings.rules.items()]
        self._masks = {rule.kind: rule.replacement for rule in own if rule.replacement is not None}
        built_in = [rule for rule in RULES if rule.kind not in settings.skip]
        for rule in [*own, *built_in] if settings.enabled else []:
            try:
                self._finder.add(rule, unbounded=rule in own)
            except re2.error as exc:
                problems.append(f"log.redaction.rules.{rule.kind}: not a pattern of RE2: {exc}")
        if problems:
            raise ConfigError("", problems)
        self._finder.compile()
        self._recogniser = Recogniser(presidio) if presidio is not None and settings.enabled else None

    # ------------------------------------------------------------------------------------------ what is redacted

    def body(self, body: bytes, counts: Counter[str]) -> bytes:
        """A JSON or text body."""
        if not self._finder or not body:
            return body
        plain = plain_ascii(body)
        view = without_escapes(plain)
        found = merged([*self._find(view), *self._behind_escapes(plain)])
        return self._replace(plain, view, found, counts) if found else body

    def stream(self, body: bytes, counts: Counter[str]) -> bytes:
        """An event stream. What a model says comes in pieces, so a secret may be cut over several events: it is looked
        for in the pieces put together, and taken out of each."""
        if not self._finder or not body:
            return body
        plain = plain_ascii(body)
        view = without_escapes(plain)
        found = merged([*self._find(view), *self._behind_escapes(plain)])
        is_suspect = self._recogniser is not None or any(map(self._finder.find, texts(view)))
        for pieces in texts_in_pieces(view) if is_suspect else ():
            whole = b"".join(view[piece.start : piece.end] for piece in pieces)
            found = merged([*_spread(self._find(whole), pieces), *found])
        return self._replace(plain, view, found, counts) if found else body

    def text(self, text: str, counts: Counter[str]) -> str:
        if not self._finder or not text:
            return text
        if len(text) <= SHORT_CHARACTERS:  # tags and headers: the same few values again and again
            short, found = self._short(text)
            if found:
                counts.update(found)
            return short
        return self._text(text, counts)

    def _redacted_short(self, text: str) -> tuple[str, Counter[str]]:
        found: Counter[str] = Counter()
        return self._text(text, found), found

    def _text(self, text: str, counts: Counter[str]) -> str:
        return self.body(text.encode("utf-8", "replace"), counts).decode("utf-8", "replace")

    def tags(self, tags: dict[str, str], counts: Counter[str]) -> dict[str, str]:
        return {self.text(key, counts): self.text(value, counts) for key, value in tags.items()}

    def headers(self, headers: Iterable[tuple[bytes, bytes]], counts: Counter[str]) -> list[tuple[str, str]]:
        """Credentials are left out whole, also under names that only sound like them."""
        kept: list[tuple[str, str]] = []
        for raw_name, raw_value in headers:
            name = raw_name.decode("latin-1").lower()
            if name in CREDENTIAL_HEADERS or (SECRET_HEADER.search(name) and "ratelimit" not in name):
                continue
            kept.append((name, self.text(raw_value.decode("utf-8", "replace"), counts)))
        return kept

    # ------------------------------------------------------------------------------------------ how

    def _find(self, view: bytes) -> list[Found]:
        found = self._finder.find(view)
        if self._recogniser is None:
            return found
        return merged([*found, *(Found(*hit) for hit in self._recogniser.find(view))])

    def _behind_escapes(self, plain: bytes) -> list[Found]:
        """What shows only once `%40` and `\\u5bc6` are written out."""
        return [
            Found(piece.place(hit.start), piece.place(hit.end), hit.kind)
            for piece in written_out(plain)
            for hit in self._find(without_escapes(piece.text))
            if hit.start > 0 or not piece.is_cut
        ]

    def _replace(self, body: bytes, view: bytes, found: list[Found], counts: Counter[str]) -> bytes:
        is_json = body.lstrip()[:1] in (b"{", b"[") or body.startswith((b"data:", b"event:", b":"))
        strings = _Strings(view)
        parts: list[bytes] = []
        kept_to = 0
        for hit in found:
            start, end = hit.start, hit.end
            if is_json:
                start, end = _within_a_string(view, start, end)
                start, end = between_escapes(body, start, end)
            mask = self._masks.get(hit.kind, b"[redacted:%s]" % hit.kind.encode()) if hit.kind else b""
            if is_json and mask and (number := _bare_number(view, start, end, strings)) is not None:
                start, end = number
                mask = b'"%s"' % mask
            if start >= end or start < kept_to:
                continue
            parts += (body[kept_to:start], mask)
            kept_to = end
            if hit.kind:
                counts[hit.kind] += 1
        parts.append(body[kept_to:])
        return b"".join(parts)


def _own_rule(kind: str, given: str | OwnPattern) -> Rule:
    if isinstance(given, str):
        return Rule(kind, given.encode())
    return Rule(kind, given.pattern.encode(), None, None if given.replacement is None else given.replacement.encode())


def _spread(found: list[Found], pieces: list[Piece]) -> list[Found]:
    """Spans of a text as spans of the pieces it came in: the first is named, the rest of it (kind "") goes silently."""
    ends = list(accumulate(piece.end - piece.start for piece in pieces)) if found else []
    spread: list[Found] = []
    for hit in found:
        at, kind = hit.start, hit.kind
        for place in range(bisect_right(ends, at), len(pieces)):
            piece_end, place_end = ends[place], pieces[place].end
            end = min(hit.end, piece_end)
            spread.append(Found(place_end - (piece_end - at), place_end - (piece_end - end), kind))
            at, kind = end, ""
            if at == hit.end:
                break
    return spread


def _within_a_string(view: bytes, start: int, end: int) -> tuple[int, int]:
    """The span up to the first quote in it: a pattern (one's own, mostly) may have run over a string's end."""
    while start < end and view[start] == 0x22:
        start += 1
    quote = view.find(b'"', start, end)
    return start, end if quote < 0 else quote


class _Strings:
    """Whether a place of a JSON body is within a string, asked for from left to right."""

    def __init__(self, view: bytes) -> None:
        self._view = view
        self._at = 0
        self._is_open = False

    def is_open(self, at: int) -> bool:
        line = self._view.rfind(b"\n", self._at, at) + 1  # an event's JSON is on one line; nor has a string a line end
        if line:
            self._at, self._is_open = line, False
        self._is_open ^= bool(self._view.count(b'"', self._at, at) % 2)
        self._at = at
        return self._is_open


def _bare_number(view: bytes, start: int, end: int, strings: _Strings) -> tuple[int, int] | None:
    """The whole number of a JSON body that the span lies in (`4111111111111111` of `4111111111111111.0`); None for
    what is a part of a string."""
    while start > 0 and view[start - 1] in NUMBER_BYTES:
        start -= 1
    while end < len(view) and view[end] in NUMBER_BYTES:
        end += 1
    if not BARE_NUMBER.fullmatch(view, start, end):
        return None
    return None if strings.is_open(start) else (start, end)
