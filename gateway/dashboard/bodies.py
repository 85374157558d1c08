"""Raw bodies as a tree that folds: JSON by keys, an event stream by events, anything else as text.

Nothing is cut without a way to the rest: what does not fit on the page has an address (a JSON pointer, RFC 6901) at
which the next part of it is asked for, and a search looks through all of the body, shown or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.core.sse import events
from gateway.dashboard.prose import visible

MAX_NODES = 3_000
MAX_STRING = 2_000
MAX_TEXT = 200_000
MAX_EVENTS = 300
MAX_HITS = 200
MAX_DEPTH = 60
MORE_NODES = 1_000
"""Of one answer, where more was asked for."""
OPEN_UP_TO = 40
"""Nodes below which an object stands open."""


@dataclass
class Node:
    """A value. `kind`: object, array, s, n, b."""

    kind: str
    key: str | None = None
    text: str = ""
    note: str = ""
    """`4 keys`, `2 items`, `4,812 more characters`."""
    children: list[Node] = field(default_factory=list)
    is_open: bool = False
    pointer: str | None = None
    """Where the rest of it is; None where all of it is here, or the rest has no address."""
    shown: int = 0
    """Children or characters before the rest."""


@dataclass(frozen=True)
class EventView:
    number: int
    name: str
    preview: str
    tree: Node | None
    text: str


@dataclass(frozen=True)
class Body:
    """`kind`: json, events, text, binary, none."""

    kind: str
    size: int
    """Whole size on the wire."""
    content_type: str = ""
    tree: Node | None = None
    events: list[EventView] = field(default_factory=list)
    events_total: int = 0
    text: str = ""
    is_cut: bool = False
    """More was received than is shown at first."""
    is_partly_kept: bool = False
    """More was received than is kept."""


@dataclass(frozen=True)
class Hit:
    """A place where a search found something."""

    pointer: str
    before: str
    match: str
    after: str


def body_of(data: bytes | None, content_type: str | None, size: int) -> Body:
    kind = content_type or ""
    if not data:
        return Body("none", size, kind)
    partly = size > len(data)
    if "event-stream" in kind:
        found = events(data)
        views = events_from(data, 0)
        return Body(
            "events", size, kind, None, views, len(found), is_cut=len(found) > len(views), is_partly_kept=partly
        )
    value = parsed(data)
    if value is not NOT_JSON:
        budget = [MAX_NODES]
        tree = _node(None, value, budget, 0, "")
        tree.is_open = True
        return Body("json", size, kind, tree, is_cut=budget[0] <= 0, is_partly_kept=partly)
    shown = data[:MAX_TEXT]
    text = shown.decode("utf-8", "replace")
    if not _is_utf8(shown, is_cut=partly or len(data) > MAX_TEXT):
        return Body("binary", size, kind, is_partly_kept=partly)
    return Body("text", size, kind, text=visible(text), is_cut=len(data) > MAX_TEXT, is_partly_kept=partly)


NOT_JSON = object()


def _is_utf8(data: bytes, *, is_cut: bool) -> bool:
    """Text that is cut may end within a character."""
    try:
        data.decode()
    except UnicodeDecodeError as exc:
        return is_cut and exc.start > len(data) - 4
    return True


def parsed(data: bytes) -> Any:
    """The value, or `NOT_JSON`."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOT_JSON


def tree_of(text: str) -> Node | None:
    """Laid-out JSON as a tree; None for what is no whole JSON."""
    value = parsed(text.encode("utf-8", "replace"))
    if not isinstance(value, (dict, list)):
        return None
    tree = _node(None, value, [MAX_NODES], 0, None)
    tree.is_open = True
    return tree


def events_from(data: bytes, start: int) -> list[EventView]:
    found = events(data)
    return [
        _event(start + number, each.name, each.data) for number, each in enumerate(found[start : start + MAX_EVENTS], 1)
    ]


def _event(number: int, name: bytes | None, data: bytes) -> EventView:
    text = data[:MAX_STRING].decode("utf-8", "replace")
    value = parsed(data)
    tree = None if value is NOT_JSON else _node(None, value, [400], 0, None)
    if tree is not None:
        tree.is_open = True
    return EventView(number, (name or b"").decode("utf-8", "replace"), visible(text[:160]), tree, visible(text))


def more_of(data: bytes, pointer: str, start: int) -> Node | str | None:
    """The rest of what lies at `pointer`: children from `start` on, or all of a string. None where nothing is."""
    value = value_at(parsed(data), pointer)
    if value is NOT_JSON:
        return None
    if isinstance(value, str):
        return visible(value)
    return _node(None, value, [MORE_NODES], 0, pointer, start)


def value_at(value: Any, pointer: str) -> Any:
    """`NOT_JSON` where there is nothing at it."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 9 and int(name) < len(value):
            value = value[int(name)]
        else:
            return NOT_JSON
    return value


def hits_in(data: bytes, content_type: str | None, wanted: str) -> tuple[list[Hit], int]:
    """Places in the whole body, the first `MAX_HITS` of them, and how many there are. Case does not matter."""
    found: list[Hit] = []
    total = 0
    value = NOT_JSON if "event-stream" in (content_type or "") else parsed(data)
    places = [("", data.decode("utf-8", "replace"))] if value is NOT_JSON else _strings(value, "")
    for pointer, text in places:
        lower, at = text.lower(), 0
        while (at := lower.find(wanted.lower(), at)) >= 0:
            total += 1
            if len(found) < MAX_HITS:
                end = at + len(wanted)
                pieces = (text[max(0, at - 60) : at], text[at:end], text[end : end + 90])
                found.append(Hit(pointer, *(visible(" ".join(piece.split(" "))) for piece in pieces)))
            at += max(1, len(wanted))
    return found, total


def _strings(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """(pointer, text) of every key and every value that is no container."""
    stack = [(pointer, value)]
    while stack:
        at, each = stack.pop()
        if isinstance(each, dict):
            for name in each:
                yield step(at, name), str(name)
            stack += [(step(at, name), child) for name, child in reversed(each.items())]
        elif isinstance(each, list):
            stack += [(f"{at}/{index}", each[index]) for index in range(len(each) - 1, -1, -1)]
        else:
            yield at, each if isinstance(each, str) else msgspec.json.encode(each).decode()


def step(pointer: str, name: object) -> str:
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _node(key: str | None, value: Any, budget: list[int], depth: int, pointer: str | None, start: int = 0) -> Node:
    """`budget` is how many nodes may still be made; what is over it is counted, not shown. `pointer` None: the rest
    has no address."""
    budget[0] -= 1
    if isinstance(value, (dict, list)):
        return _branch(key, value, budget, depth, pointer, start)
    if isinstance(value, str):
        rest = len(value) - MAX_STRING
        text = msgspec.json.encode(visible(value[:MAX_STRING])).decode()
        if rest <= 0:
            return Node("s", key, text)
        return Node("s", key, text, f"{rest:,} more characters", pointer=pointer, shown=MAX_STRING)
    if value is None or isinstance(value, bool):
        return Node("b", key, {None: "null", True: "true", False: "false"}[value])
    return Node("n", key, msgspec.json.encode(value).decode())


def _branch(
    key: str | None,
    value: dict[str, Any] | list[Any],
    budget: list[int],
    depth: int,
    pointer: str | None,
    start: int,
) -> Node:
    is_object = isinstance(value, dict)
    number = len(value)
    word = ("key" if is_object else "item") + ("" if number == 1 else "s")
    node = Node("object" if is_object else "array", key, "{" if is_object else "[", f"{number:,} {word}", shown=start)
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    if depth < MAX_DEPTH:
        for name, each in items[start:]:
            if budget[0] <= 0:
                break
            below = None if pointer is None else step(pointer, name)
            shown = visible(str(name)) if is_object else None
            node.children.append(_node(shown, each, budget, depth + 1, below))
            node.shown += 1
    if node.shown < number:
        node.note += f", {node.shown:,} shown"
        node.pointer = pointer
    node.is_open = number <= OPEN_UP_TO and depth < 3
    return node
