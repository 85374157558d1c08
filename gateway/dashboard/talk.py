"""The nouns of a conversation as a page shows it, and its parts made from whatever a body holds. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.dashboard.prose import Tokens, lay_out, one_line, visible

SHOWN_CHARACTERS = 60_000
"""Of one part; beyond it the text is cut and says so. A 5 MB prompt must not be a 5 MB page."""
SHOWN_JSON = 20_000
SHOWN_TURNS = 200
LEAST_SOUND = 24
"""Characters of base64; fewer are no sound."""
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+\Z")


@dataclass(frozen=True)
class Part:
    """One piece of a turn. `kind`: prose, plain, json, image, sound, remote, file, note, thought, refusal."""

    kind: str
    text: str = ""
    html: str = ""
    """Of prose: from markdown-it without HTML, so it is safe as it stands. Empty in what is too long to lay out."""
    tokens: Tokens = ()
    """Of json, likewise."""
    cut: int = 0
    """Characters that are not shown."""


@dataclass
class Call:
    """A tool the model asked for, and what came back if the conversation holds it."""

    name: str
    id: str = ""
    arguments: Part | None = None
    result: Part | None = None
    number: str = ""


@dataclass
class Turn:
    role: str
    who: str
    note: str = ""
    parts: list[Part] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    is_answer: bool = False


@dataclass
class Conversation:
    setting: list[Turn] = field(default_factory=list)
    """System and developer messages at the start, folded."""
    tools: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)
    """Temperature and the like."""
    skipped: int = 0
    """Turns left out of the middle."""
    is_understood: bool = True


ROLES = {"assistant": "Assistant", "user": "User", "system": "System", "developer": "Developer", "tool": "Tool"}


def text_part(text: str, kind: str = "prose") -> Part:
    shown = text[:SHOWN_CHARACTERS]
    return Part(kind, visible(shown), cut=len(text) - len(shown))


def structured(text: str) -> Part:
    """Structured output is an object: shown as one."""
    return data_part(text) if text.lstrip()[:1] in "{[" and parsed(text) is not None else text_part(text)


def data_part(text: str) -> Part:
    """JSON laid out, or the text as it is."""
    value = parsed(text)
    return text_part(text, "plain") if value is None else json_part(value)


def json_part(value: Any) -> Part:
    text = lay_out(value)
    return Part("json", visible(text[:SHOWN_JSON]), cut=max(0, len(text) - SHOWN_JSON))


def parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    return decoded(text.encode("utf-8", "replace"))


def json_object(data: bytes | None) -> dict[str, Any] | None:
    found = decoded(data) if data else None
    return found if isinstance(found, dict) else None


def decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def short(value: Any, *, limit: int = 120) -> str:
    text = value if isinstance(value, str) else one_line(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def image(url: str) -> Part:
    """An image inside the request is shown; one that lies elsewhere is never loaded, its address is text."""
    if IMAGE.match(url):
        return Part("image", url)
    if url.startswith("data:"):
        return Part("file", url[:60].partition(",")[0])
    return Part("remote", url[:2000])


def sound(content_type: str, data: Any, words: str) -> Part:
    """Of base64; `words` stand for what is not there."""
    if isinstance(data, str) and len(data) >= LEAST_SOUND and content_type.startswith("audio/"):
        return Part("sound", f"data:{content_type};base64,{data}")
    return Part("file", words)


def numbered(calls: list[Call]) -> list[Call]:
    if len(calls) > 1:
        for index, call in enumerate(calls, 1):
            call.number = f"call {index} of {len(calls)}"
    return calls


def listed(value: Any) -> list[Any]:
    """Bodies are whatever a client sent; what should be a list and is none is taken for an empty one."""
    return value if isinstance(value, list) else []
