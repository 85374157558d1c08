"""What is asked for and what is answered, whatever API it came through: the model of the demo provider."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gateway.demo import tokens
from gateway.demo.controls import Controls
from gateway.demo.prose import prose
from gateway.demo.sample import sample

MODELS = ("echo", "lorem", "echo-thinking", "lorem-thinking")
MOST_TOKENS = 4096
"""No answer is longer, as with the real ones."""

Finish = Literal["stop", "length", "content_filter", "tool"]


class Tool(msgspec.Struct, frozen=True):
    name: str
    schema: dict[str, Any]
    """Of its arguments."""


@dataclass(frozen=True, slots=True)
class Ask:
    model: str
    prompt: str
    """Everything the model would read, in order: what is counted, and cached."""
    said: str
    """The last text of the user."""
    max_tokens: int | None = None
    tools: Sequence[Tool] = ()
    tool_choice: str | None = None
    """A tool's name, `required`, `none`; None leaves it to the model."""
    answers_tool: bool = False
    """The last message is a tool's result: time to answer in words."""
    schema: dict[str, Any] | None = None
    """Of a structured output."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    created: int
    """Seconds since 1970."""
    model: str
    pieces: list[str]
    """One token each: of the text, or of the tool's arguments."""
    call: ToolCall | None
    finish: Finish
    input_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    reports_usage: bool

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def output_tokens(self) -> int:
        """Reasoning included."""
        return self.reasoning_tokens + len(self.pieces)


def answer(ask: Ask, controls: Controls, cache: tokens.PrefixCache, *, serial: str, now_s: int) -> Answer:
    """`serial` is 24 hex digits, the part of every id that is unique."""
    rng = random.Random(ask.prompt)
    call = _tool_call(ask, serial)
    text = call.arguments if call else _text(ask, controls, rng)
    limit = min(ask.max_tokens or MOST_TOKENS, MOST_TOKENS)
    pieces = tokens.split(text, limit=limit)
    cut = sum(map(len, pieces)) < len(text)
    if call:
        call = ToolCall(call.id, call.name, "".join(pieces))
    return Answer(
        id=serial,
        created=now_s,
        model=ask.model,
        pieces=pieces,
        call=call,
        finish=controls.finish or ("length" if cut else "tool" if call else "stop"),
        input_tokens=tokens.count(ask.prompt),
        cached_tokens=cache.cached_tokens(ask.prompt),
        reasoning_tokens=rng.randint(40, 160) if ask.model.endswith("-thinking") else 0,
        reports_usage=controls.usage != "none",
    )


def _text(ask: Ask, controls: Controls, rng: random.Random) -> str:
    if ask.schema is not None:
        return msgspec.json.encode(sample(ask.schema, ask.prompt)).decode()
    if ask.model.startswith("echo"):
        return ask.said
    if controls.tokens is None:
        return prose(rng, words=rng.randint(60, 220))
    # A word has at least one token, so this is long enough.
    return "".join(tokens.split(prose(rng, words=controls.tokens), limit=controls.tokens))


def _tool_call(ask: Ask, serial: str) -> ToolCall | None:
    """A tool is called when the request insists, or when the user names it and its result is not there yet."""
    if not ask.tools or ask.tool_choice == "none":
        return None
    if ask.tool_choice == "required":
        tool: Tool | None = _named(ask) or ask.tools[0]
    elif ask.tool_choice:
        tool = next((t for t in ask.tools if t.name == ask.tool_choice), None)
    else:
        tool = None if ask.answers_tool else _named(ask)
    if tool is None:
        return None
    arguments = msgspec.json.encode(sample(tool.schema, ask.prompt)).decode()
    return ToolCall(f"call_{serial}", tool.name, arguments)


def _named(ask: Ask) -> Tool | None:
    return next((t for t in ask.tools if re.search(rf"(?<!\w){re.escape(t.name)}(?!\w)", ask.said)), None)
