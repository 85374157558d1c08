"""Raw bodies as a tree that folds: JSON by keys, an event stream by events, anything else as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.core.sse import events
from gateway.dashboard.prose import visible

MAX_NODES = 3_000
MAX_STRING = 2_000
MAX_TEXT = 200_000
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
    """More was received than is shown here."""
    is_partly_kept: bool = False
    """More was received than is kept."""


def body_of(data: bytes | None, content_type: str | None, size: int) -> Body:
    kind = content_type or ""
    if not data:
        return Body("none", size, kind)
    partly = size > len(data)
    if "event-stream" in kind:
        found = events(data)
        views = [_event(number, each.name, each.data) for number, each in enumerate(found[:300], 1)]
        return Body("events", size, kind, None, views, len(found), is_cut=len(found) > 300, is_partly_kept=partly)
    budget = [MAX_NODES]
    try:
        tree = _node(None, msgspec.json.decode(data), budget, 0)
        tree.is_open = True
        return Body("json", size, kind, tree, is_cut=budget[0] <= 0, is_partly_kept=partly)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        text = data[:MAX_TEXT].decode("utf-8", "replace" if partly else "strict")
    except UnicodeDecodeError:
        return Body("binary", size, kind, is_partly_kept=partly)
    return Body("text", size, kind, text=visible(text), is_cut=len(data) > MAX_TEXT, is_partly_kept=partly)


def _event(number: int, name: bytes | None, data: bytes) -> EventView:
    text = data[:MAX_STRING].decode("utf-8", "replace")
    try:
        tree: Node | None = _node(None, msgspec.json.decode(data), [400], 0)
    except (msgspec.DecodeError, RecursionError):
        tree = None
    if tree is not None:
        tree.is_open = True
    return EventView(number, (name or b"").decode("utf-8", "replace"), visible(text[:160]), tree, visible(text))


def _node(key: str | None, value: Any, budget: list[int], depth: int) -> Node:
    """`budget` is how many nodes may still be made; what is over it is counted, not shown."""
    budget[0] -= 1
    if isinstance(value, (dict, list)):
        return _branch(key, value, budget, depth)
    if isinstance(value, str):
        rest = len(value) - MAX_STRING
        text = msgspec.json.encode(visible(value[:MAX_STRING])).decode()
        return Node("s", key, text, f"{rest:,} more characters" if rest > 0 else "")
    if value is None or isinstance(value, bool):
        return Node("b", key, {None: "null", True: "true", False: "false"}[value])
    return Node("n", key, msgspec.json.encode(value).decode())


def _branch(key: str | None, value: dict[str, Any] | list[Any], budget: list[int], depth: int) -> Node:
    is_object = isinstance(value, dict)
    number = len(value)
    word = ("key" if is_object else "item") + ("" if number == 1 else "s")
    node = Node("object" if is_object else "array", key, "{" if is_object else "[", f"{number:,} {word}")
    items = value.items() if isinstance(value, dict) else ((None, each) for each in value)
    if depth < 60:
        for name, each in items:
            if budget[0] <= 0:
                break
            node.children.append(_node(None if name is None else visible(str(name)), each, budget, depth + 1))
    if len(node.children) < number:
        node.note += f", {len(node.children):,} shown"
    node.is_open = number <= OPEN_UP_TO and depth < 3
    return node
