"""Taking secrets and personal data out of what is stored, before anything of it is cut. Pure; see docs/redaction.md.

One pass of a set automaton (RE2) over a body says which rules occur in it at all; for most bodies none does. Only those
are then located and checked. JSON stays valid: what is replaced lies within one string, and a bare number that is taken
out becomes a string.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import msgspec
import re2

from gateway.errors import ConfigError
from gateway.recorder.escaped import WrittenOut
from gateway.recorder.pieces import Piece, texts, texts_in_pieces
from gateway.recorder.redaction_presidio import Recogniser
from gateway.recorder.rules import RULES, Rule
from gateway.recorder.view import between_escapes, plain_ascii, without_escapes
from gateway.settings import OwnPattern, Redaction
from gateway.settings.privacy import Presidio

AUTOMATON_BYTES = 128 * 1024 * 1024
"""At most; what is built of it grows with the variety of the text, to a few MB."""
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


class Found(msgspec.Struct, frozen=True):
    start: int
    end: int
    kind: str


class _Located(msgspec.Struct, frozen=True):
    """A rule ready to run."""

    rule: Rule
    finder: re2._Regexp
    groups: int


class Redactor:
    """Raises ConfigError for a rule of the settings that is not RE2, or a name in `skip` that is no rule."""

    def __init__(self, settings: Redaction, presidio: Presidio | None = None) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = AUTOMATON_BYTES
        options.log_errors = False
        self._short = lru_cache(REMEMBERED)(self._redacted_short)
        self._set = re2.Set.SearchSet(options)
        self._rules: list[_Located] = []
        problems = [
            f"log.redaction.skip: {name!r} is no built-in pattern; see docs/redaction.md"
            for name in sorted(set(settings.skip) - {rule.kind for rule in RULES})
        ]
        own = [_own_rule(kind, pattern) for kind, pattern in settings.rules.items()]
        self._masks = {rule.kind: rule.replacement for rule in own if rule.replacement is not None}
        built_in = [rule for rule in RULES if rule.kind not in settings.skip]
        for rule in [*own, *built_in] if settings.enabled else []:
            try:
                finder = re2.compile(rule.pattern, options)
                self._set.Add(rule.pattern)
            except re2.error as exc:
                problems.append(f"log.redaction.rules.{rule.kind}: not a pattern of RE2: {exc}")
                continue
            self._rules.append(_Located(rule, finder, finder.groups))
        if problems:
            raise ConfigError("", problems)
        self._set.Compile()
        self._recogniser = Recogniser(presidio) if presidio is not None and settings.enabled else None

    # ------------------------------------------------------------------------------------------ what is redacted

    def body(self, body: bytes, counts: Counter[str]) -> bytes:
        """A JSON or text body."""
        if not self._rules or not body:
            return body
        plain = plain_ascii(body)
        view = without_escapes(plain)
        found = _merged([*self._find(view), *self._behind_escapes(plain)])
        return self._replace(plain, view, found, counts) if found else body

    def stream(self, body: bytes, counts: Counter[str]) -> bytes:
        """An event stream. What a model says comes in pieces, so a secret may be cut over several events: it is looked
        for in the pieces put together, and taken out of each."""
        if not self._rules or not body:
            return body
        plain = plain_ascii(body)
        view = without_escapes(plain)
        found = _merged([*self._find(view), *self._behind_escapes(plain)])
        is_suspect = self._recogniser is not None or any(map(self._set.Match, texts(view)))
        for pieces in texts_in_pieces(view) if is_suspect else ():
            whole = b"".join(view[piece.start : piece.end] for piece in pieces)
            found = _merged([*_spread(self._find(whole), pieces), *found])
        return self._replace(plain, view, found, counts) if found else body

    def text(self, text: str, counts: Counter[str]) -> str:
        if not self._rules or not text:
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
        found: list[Found] = []
        for index in sorted(self._set.Match(view) or ()):
            found += _locate(self._rules[index], view)
        if self._recogniser is not None:
            found += (Found(*hit) for hit in self._recogniser.find(view))
        return _merged(found) if found else found

    def _behind_escapes(self, plain: bytes) -> list[Found]:
        """What shows only once `%40` and `\\u5bc6` are written out."""
        if b"%" not in plain and b"\\u" not in plain:
            return []
        written_out = WrittenOut(plain)
        if not written_out:
            return []
        hits = self._find(without_escapes(written_out.text))
        return [Found(written_out.place(hit.start), written_out.place(hit.end), hit.kind) for hit in hits]

    def _replace(self, body: bytes, view: bytes, found: list[Found], counts: Counter[str]) -> bytes:
        is_json = body.lstrip()[:1] in (b"{", b"[") or body.startswith((b"data:", b"event:", b":"))
        parts: list[bytes] = []
        kept_to = 0
        for hit in found:
            start, end = hit.start, hit.end
            if is_json:
                start, end = _within_a_string(view, start, end)
                start, end = between_escapes(body, start, end)
            mask = self._masks.get(hit.kind, b"[redacted:%s]" % hit.kind.encode()) if hit.kind else b""
            if is_json and mask and (number := _bare_number(view, start, end)) is not None:
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


def _locate(located: _Located, view: bytes) -> list[Found]:
    """Every occurrence of one rule that passes its check."""
    found: list[Found] = []
    rule, at = located.rule, 0
    while (match := located.finder.search(view, at)) is not None:
        start, end = match.span()
        for group in range(1, located.groups + 1):
            if match.start(group) >= 0:
                start, end = match.span(group)
                break
        if rule.check is None or rule.check(view, start, end):
            found.append(Found(start, end, rule.kind))
            at = end
        else:
            at = start + 1 if rule.searches_inside else end
    return found


def _merged(found: list[Found]) -> list[Found]:
    """In order and without overlaps. Of two that overlap the earlier in the list names what both cover."""
    accepted: list[Found] = []
    for hit in found:
        overlapping = [other for other in accepted if other.start < hit.end and hit.start < other.end]
        for other in overlapping:
            accepted.remove(other)
            hit = Found(min(hit.start, other.start), max(hit.end, other.end), other.kind)
        accepted.append(hit)
    return sorted(accepted, key=lambda hit: hit.start)


def _spread(found: list[Found], pieces: list[Piece]) -> list[Found]:
    """Spans of a text as spans of the pieces it came in: the first is named, the rest of it (kind "") goes silently."""
    spread: list[Found] = []
    for hit in found:
        at, kind = 0, hit.kind
        for piece in pieces:
            length = piece.end - piece.start
            start, end = max(hit.start - at, 0), min(hit.end - at, length)
            at += length
            if start < end:
                spread.append(Found(piece.start + start, piece.start + end, kind))
                kind = ""
    return spread


def _within_a_string(view: bytes, start: int, end: int) -> tuple[int, int]:
    """The span up to the first quote in it: a pattern (one's own, mostly) may have run over a string's end."""
    while start < end and view[start] == 0x22:
        start += 1
    quote = view.find(b'"', start, end)
    return start, end if quote < 0 else quote


def _bare_number(view: bytes, start: int, end: int) -> tuple[int, int] | None:
    """The whole number of a JSON body that the span lies in (`4111111111111111` of `4111111111111111.0`); None for
    what is a part of a string."""
    while start > 0 and view[start - 1] in NUMBER_BYTES:
        start -= 1
    while end < len(view) and view[end] in NUMBER_BYTES:
        end += 1
    if not BARE_NUMBER.fullmatch(view, start, end):
        return None
    line = view.rfind(b"\n", 0, start) + 1  # an event's JSON is on one line; elsewhere a string has no line end
    return (start, end) if view.count(b'"', line, start) % 2 == 0 else None
