"""What a model of Anthropic's said: content blocks, as a whole answer lists them or a stream builds them up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.core.sse import events
from gateway.dialects.base import NULL, UNREADABLE


class Block(msgspec.Struct):
    type: Any = None
    text: Any = None
    thinking: Any = None
    name: Any = None
    id: Any = None
    input: msgspec.Raw = NULL
    tool_use_id: Any = None
    content: msgspec.Raw = NULL
    """What a tool that ran at the provider gave back, or a compaction's summary."""
    citations: Any = None


class Message(msgspec.Struct):
    id: Any = None
    stop_reason: Any = None
    blocks: list[Block] = msgspec.field(default_factory=list, name="content")


class _Delta(msgspec.Struct):
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    stop_reason: Any = None


class _Event(msgspec.Struct):
    index: Any = None
    message: Message | None = None
    content_block: Block | None = None
    delta: _Delta | None = None


_decode_message = msgspec.json.Decoder(Message).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def whole(data: bytes) -> Message:
    try:
        return _decode_message(data)
    except UNREADABLE:
        return Message()


def streamed(data: bytes) -> Message:
    building = _Building()
    for event in events(data):
        try:
            building.add(_decode_event(event.data))
        except UNREADABLE:
            continue
    return building.message()


def text(blocks: Iterable[Block]) -> str | None:
    """Blocks of text that follow one another are one text, cut for its citations; others stand apart."""
    pieces: list[str] = []
    goes_on = False
    for block in blocks:
        is_text = block.type == "text"
        if is_text and isinstance(block.text, str) and block.text:
            if goes_on:
                pieces[-1] += block.text
            else:
                pieces.append(block.text)
        goes_on = is_text and bool(pieces)
    return "\n\n".join(pieces) or None


def thinking(blocks: Iterable[Block]) -> str | None:
    return "\n\n".join(b.thinking for b in blocks if isinstance(b.thinking, str) and b.thinking) or None


def tool_calls(blocks: Iterable[Block]) -> list[ToolCall]:
    """The client's tools (`tool_use`), and those that ran at the provider (`server_tool_use`, `mcp_tool_use`)."""
    return [
        ToolCall(
            name=block.name,
            id=block.id if isinstance(block.id, str) else None,
            arguments=bytes(block.input).decode("utf-8", "replace") if bytes(block.input) != b"null" else None,
        )
        for block in blocks
        if isinstance(block.type, str) and block.type.endswith("tool_use") and isinstance(block.name, str)
    ]


class _Building:
    """A message out of the events of a stream."""

    def __init__(self) -> None:
        self._id: Any = None
        self._stop_reason: Any = None
        self._blocks: dict[int, Block] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}

    def add(self, event: _Event) -> None:
        if event.message is not None:
            self._id = event.message.id
        index = event.index if isinstance(event.index, int) else 0
        if event.content_block is not None:
            self._blocks[index] = event.content_block
        delta = event.delta
        if delta is None:
            return
        if delta.stop_reason is not None:
            self._stop_reason = delta.stop_reason
        for kind in ("text", "thinking", "partial_json"):
            if isinstance(piece := getattr(delta, kind), str):
                self._pieces.setdefault((index, kind), []).append(piece)

    def message(self) -> Message:
        for (index, kind), pieces in self._pieces.items():
            block = self._blocks.setdefault(index, Block(type=kind))
            written = "".join(pieces)
            if kind == "text":
                block.text = (block.text if isinstance(block.text, str) else "") + written
            elif kind == "thinking":
                block.thinking = (block.thinking if isinstance(block.thinking, str) else "") + written
            elif written:
                block.input = msgspec.Raw(written.encode("utf-8", "replace"))
        return Message(self._id, self._stop_reason, [block for _, block in sorted(self._blocks.items())])
