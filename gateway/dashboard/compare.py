"""Two requests side by side: figures, settings, and their conversations message by message, changed words marked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.core.span import Span
from gateway.dashboard.conversation import Call, Conversation, Part, Turn, read
from gateway.dashboard.format import Delta, Figure, change, count, duration, money
from gateway.dashboard.prose import lay_out, visible
from gateway.store.base import SpanDetail
from pricing.usage import Usage

MOST_PIECES = 1_500
"""Words (beyond: lines; beyond that: the whole) that are compared: what is compared grows with their square."""
MOST_TURNS = 400
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")

Pieces = list[tuple[bool, str]]
"""(whether it differs from the other side, text)."""


@dataclass(frozen=True)
class FigureRow:
    label: str
    left: Figure
    right: Figure
    change: Delta | None
    """Of the right against the left."""


@dataclass(frozen=True)
class SettingRow:
    name: str
    left: str
    right: str


@dataclass(frozen=True)
class Pair:
    """Two messages that stand for each other. `kind`: same, changed, left (only there), right."""

    kind: str
    who: str
    left: Pieces
    right: Pieces


@dataclass(frozen=True)
class Comparison:
    left: Span
    right: Span
    figures: list[FigureRow]
    settings: list[SettingRow]
    """Only those that differ."""
    pairs: list[Pair]
    changes: int = 0
    """Pairs that are not the same."""
    is_raw: bool = field(default=False)
    """Not conversations: the bodies are compared line by line."""


def compare(left: SpanDetail, right: SpanDetail) -> Comparison:
    talks = [read(each.span, each.payload) for each in (left, right)]
    is_raw = not all(talk.is_understood for talk in talks)
    messages = [_bodies(each) for each in (left, right)] if is_raw else [_messages(talk) for talk in talks]
    pairs = _pairs(*(each[:MOST_TURNS] for each in messages))
    return Comparison(
        left=left.span,
        right=right.span,
        figures=_figures(left.span, right.span),
        settings=_settings(left.span, right.span, *talks),
        pairs=pairs,
        changes=sum(pair.kind != "same" for pair in pairs),
        is_raw=is_raw,
    )


# ------------------------------------------------------------------------------------------------ figures


def _figures(left: Span, right: Span) -> list[FigureRow]:
    a, b = left.usage or Usage(), right.usage or Usage()
    costs = [0 if span.cost_nanousd is None and span.usage is None else span.cost_nanousd for span in (left, right)]
    rows = [
        FigureRow("Cost", money(costs[0]), money(costs[1]), change(costs[1], costs[0])),
        _row("Latency", duration(left.latency_us), duration(right.latency_us), right.latency_us, left.latency_us),
        _row("First token", duration(left.ttft_us), duration(right.ttft_us), right.ttft_us, left.ttft_us),
    ]
    for label, name in (
        ("Input", "input_tokens"),
        ("from cache", "cached_input_tokens"),
        ("Output", "output_tokens"),
        ("for reasoning", "reasoning_tokens"),
    ):
        old, new = getattr(a, name), getattr(b, name)
        if old is not None or new is not None:
            rows.append(FigureRow(label, count(old), count(new), change(new, old)))
    return rows


def _row(label: str, left: Figure, right: Figure, new: int | None, old: int | None) -> FigureRow:
    return FigureRow(label, left, right, change(new, old, better="down"))


def _settings(left: Span, right: Span, old: Conversation, new: Conversation) -> list[SettingRow]:
    sides = []
    for span, talk in ((left, old), (right, new)):
        model = "/".join(filter(None, (span.provider, span.model or span.model_requested)))
        found = {"model": model, "status": str(span.status_code or ""), "finish reason": span.finish_reason or ""}
        found |= dict(talk.settings)
        if talk.tools:
            found["tools"] = ", ".join(talk.tools)
        sides.append(found)
    names = dict.fromkeys((*sides[0], *sides[1]))
    rows = [SettingRow(name, sides[0].get(name, ""), sides[1].get(name, "")) for name in names]
    return [row for row in rows if row.left != row.right]


# ------------------------------------------------------------------------------------------------ messages


def _messages(talk: Conversation) -> list[tuple[str, str]]:
    """(who, everything said) of each turn."""
    return [(turn.who, _said(turn)) for turn in (*talk.setting, *talk.turns)]


def _said(turn: Turn) -> str:
    return "\n\n".join([*(_text(part) for part in turn.parts), *(_call(call) for call in turn.calls)])


def _text(part: Part) -> str:
    return f"[{part.kind}]" if part.text.startswith("data:") else part.text


def _call(call: Call) -> str:
    asked = f"{call.name}({call.arguments.text if call.arguments else ''})"
    return f"{asked} → {call.result.text}" if call.result else asked


def _bodies(found: SpanDetail) -> list[tuple[str, str]]:
    payload = found.payload
    if payload is None:
        return []
    return [
        (who, _laid_out(data))
        for who, data in (("Request", payload.request_body), ("Response", payload.response_body))
        if data
    ]


def _laid_out(data: bytes) -> str:
    try:
        return lay_out(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return visible(data[:200_000].decode("utf-8", "replace"))


def _pairs(left: Sequence[tuple[str, str]], right: Sequence[tuple[str, str]]) -> list[Pair]:
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    pairs: list[Pair] = []
    for how, i, i_end, j, j_end in matcher.get_opcodes():
        if how == "equal":
            pairs += [Pair("same", who, [(False, text)], [(False, text)]) for who, text in left[i:i_end]]
            continue
        old, new = list(left[i:i_end]), list(right[j:j_end])
        while old and new and old[0][0] == new[0][0]:  # the same speaker: one message that became the other
            (who, before), (_, after) = old.pop(0), new.pop(0)
            pairs.append(Pair("changed", who, *marked(before, after)))
        pairs += [Pair("left", who, [(True, text)], []) for who, text in old]
        pairs += [Pair("right", who, [], [(True, text)]) for who, text in new]
    return pairs


def marked(before: str, after: str) -> tuple[Pieces, Pieces]:
    """Both texts in pieces; what the other does not have is marked. Joined they are the texts again."""
    a, b = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(a), len(b)) > MOST_PIECES:
        a, b = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(len(a), len(b)) > MOST_PIECES:
        return [(True, before)], [(True, after)]
    left: Pieces = []
    right: Pieces = []
    for how, i, i_end, j, j_end in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        differs = how != "equal"
        if i < i_end:
            left.append((differs, "".join(a[i:i_end])))
        if j < j_end:
            right.append((differs, "".join(b[j:j_end])))
    return left, right
