"""Where in a text the rules hit: an automaton of all of them says for every window of it which ones may, and only these
are looked for, and only there. Pure; docs/decisions/0023-redaction-by-set.md says why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import re2

from gateway.recorder.rules import Rule

AUTOMATON_BYTES = 128 * 1024 * 1024
"""At most; what is built of it grows with the variety of the text, to a few MB."""
WINDOW_BYTES = 16 * 1024
OVERLAP_BYTES = 1024
"""Of a window with the next: no rule of ours needs to see more to know its own."""


class Found(msgspec.Struct, frozen=True):
    start: int
    end: int
    kind: str


class _Located(msgspec.Struct, frozen=True):
    """A rule ready to run."""

    rule: Rule
    expression: re2._Regexp
    groups: int


class Finder:
    """Rules are added, those of the settings before ours; where several hit the same text, the first one names it."""

    def __init__(self) -> None:
        self._options = re2.Options()
        self._options.encoding = re2.Options.Encoding.LATIN1
        self._options.max_mem = AUTOMATON_BYTES
        self._options.log_errors = False
        self._set = re2.Set.SearchSet(self._options)
        self._rules: list[_Located] = []
        self._unbounded: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, rule: Rule, *, unbounded: bool = False) -> None:
        """`unbounded`: nobody knows how much of a text it needs to see, so it gets all of it. Raises re2.error."""
        expression = re2.compile(rule.pattern, self._options)
        if unbounded:
            self._unbounded.append(len(self._rules))
        self._set.Add(rule.pattern)
        self._rules.append(_Located(rule, expression, expression.groups))

    def compile(self) -> None:
        """Once, after the last rule."""
        self._set.Compile()

    def find(self, view: bytes) -> list[Found]:
        """In order and without overlaps."""
        hits = [(index, hit) for index in self._unbounded for hit in _hits(self._rules[index], view, 0, len(view))]
        reached = dict.fromkeys(self._unbounded, len(view))
        for begin in range(0, len(view), WINDOW_BYTES):
            end = min(begin + WINDOW_BYTES, len(view))
            window = view[max(begin - 1, 0) : end + OVERLAP_BYTES] if len(view) > WINDOW_BYTES else view
            for index in self._set.Match(window) or ():
                for hit in _hits(self._rules[index], view, max(begin, reached.get(index, 0)), end):
                    hits.append((index, hit))
                    reached[index] = hit.end
        if not hits:
            return []
        return merged([hit for _, hit in sorted(hits, key=_by_rule)])


def _by_rule(hit: tuple[int, Found]) -> int:
    return hit[0]


def _hits(located: _Located, view: bytes, at: int, end: int) -> Iterator[Found]:
    """Every occurrence of one rule that begins from `at` to before `end` and passes its check."""
    rule, search = located.rule, located.expression.search
    bound = end + rule.reach_bytes
    while at < end and (match := search(view, at, bound)) is not None and match.start() < end:
        if match.end() >= bound:  # it may go on
            match = search(view, match.start())
        start, stop = _taken_out(match, located.groups)
        if start < stop and (rule.check is None or rule.check(view, start, stop)):
            yield Found(start, stop, rule.kind)
            at = stop
        else:
            at = start + 1 if rule.searches_inside else max(stop, match.start() + 1)


def _taken_out(match: re2._Match, groups: int) -> tuple[int, int]:
    """The span of the first group that took part; the whole of it where there is none."""
    for group in range(1, groups + 1):
        if match.start(group) >= 0:
            return match.start(group), match.end(group)
    return match.start(), match.end()


def merged(found: Iterable[Found]) -> list[Found]:
    """In order and without overlaps. Of those that overlap the earliest in the list names what all of them cover."""
    in_order = sorted(enumerate(found), key=lambda each: each[1].start)
    merged: list[Found] = []
    naming = 0
    """The place in the list of the one that names the last."""
    for place, hit in in_order:
        if not merged or hit.start >= merged[-1].end:
            merged.append(hit)
            naming = place
            continue
        last = merged[-1]
        merged[-1] = Found(last.start, max(last.end, hit.end), hit.kind if place < naming else last.kind)
        naming = min(naming, place)
    return merged
