"""A request and its answer as a conversation: OpenAI chat, completions, embeddings. Pure; whatever the bytes, no error.

What cannot be understood is not guessed at: it becomes a raw part, and the raw tabs show everything anyway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from gateway.core.span import Payload, Span, ToolCall
from gateway.dashboard.prose import Tokens, json_tokens, lay_out, markdown, one_line, visible
from gateway.dialects import Answer, Context, dialect_named

SHOWN_CHARACTERS = 60_000
"""Of one part; beyond it the text is cut and says so. A 5 MB prompt must not be a 5 MB page."""
SHOWN_JSON = 20_000
SHOWN_TURNS = 200
LAID_OUT_CHARACTERS = 150_000
"""Of a whole conversation."""
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+\Z")


@dataclass(frozen=True)
class Part:
    """One piece of a turn. `kind`: prose, plain, json, image, remote, file, note, thought, refusal."""

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
QUIET_SETTINGS = ("model", "messages", "tools", "stream", "stream_options", "metadata", "input", "prompt", "functions")


def read(span: Span, payload: Payload | None) -> Conversation:
    request = _object(payload.request_body if payload else None)
    answer = _answer(span, payload)
    dialect = span.dialect or ""
    if request is None and answer is None:
        return Conversation(is_understood=False)
    body = request or {}
    if dialect == "openai.chat" or isinstance(body.get("messages"), list):
        found = _chat(body)
    elif "prompt" in body:
        found = Conversation(turns=[Turn("user", "Prompt", parts=_texts(body["prompt"]))])
    elif "input" in body:
        found = Conversation(turns=[Turn("user", "Input", parts=_texts(body["input"]))])
    else:
        return Conversation(is_understood=False)
    found.settings = [(name, _short(value)) for name, value in body.items() if name not in QUIET_SETTINGS][:24]
    if dialect == "openai.embeddings":
        found.turns.append(Turn("assistant", "Answer", parts=[_vectors(payload)], is_answer=True))
    elif answer is not None:
        found.turns.append(_answer_turn(span, payload, answer))
    if len(found.turns) > SHOWN_TURNS:
        found.skipped = len(found.turns) - SHOWN_TURNS
        found.turns = [*found.turns[: SHOWN_TURNS // 2], *found.turns[-SHOWN_TURNS // 2 :]]
    _lay_out(found)
    return found


def _lay_out(found: Conversation) -> None:
    """Markdown and colours for what comes first, plain text once there is too much of it."""
    left = LAID_OUT_CHARACTERS
    for turn in [*found.turns[::-1], *found.setting]:  # the answer and what led to it before all else
        for index, part in enumerate(turn.parts):
            left -= len(part.text)
            turn.parts[index] = _laid_out(part) if left > 0 else part
        for call in turn.calls:
            for name in ("arguments", "result"):
                each = getattr(call, name)
                left -= len(each.text) if each else 0
                if each and left > 0:
                    setattr(call, name, _laid_out(each))


def _laid_out(part: Part) -> Part:
    if part.kind == "prose":
        return replace(part, html=markdown(part.text))
    return replace(part, tokens=json_tokens(part.text)) if part.kind == "json" else part


# ------------------------------------------------------------------------------------------------ the request


def _chat(body: dict[str, Any]) -> Conversation:
    found = Conversation()
    calls: dict[str, Call] = {}
    for message in _list(body.get("messages")):
        if not isinstance(message, dict):
            found.turns.append(Turn("user", "Message", parts=[_json_part(message)]))
            continue
        role = str(message.get("role", ""))
        if role in ("system", "developer") and not found.turns:
            found.setting.append(Turn(role, ROLES[role], parts=_parts(message.get("content"))))
        elif role in ("tool", "function") and _take_result(message, calls):
            continue
        else:
            turn = _message(role, message)
            calls.update({call.id: call for call in turn.calls if call.id})
            found.turns.append(turn)
    found.tools = [_tool_name(tool) for tool in (_list(body.get("tools")) or _list(body.get("functions")))[:100]]
    return found


def _message(role: str, message: dict[str, Any]) -> Turn:
    turn = Turn(role, ROLES.get(role, role or "Message"), note=str(message.get("name") or ""))
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            turn.parts.append(_text_part(message[name], "thought"))
            break
    turn.parts += _parts(message.get("content"), is_markdown=role != "tool")
    if message.get("refusal"):
        turn.parts.append(_text_part(str(message["refusal"]), "refusal"))
    asked = _list(message.get("tool_calls"))
    if message.get("function_call"):
        asked = [{"function": message["function_call"]}]
    turn.calls = _numbered([_call(each) for each in asked if isinstance(each, dict)])
    return turn


def _take_result(message: dict[str, Any], calls: dict[str, Call]) -> bool:
    """Puts a tool's answer beside the call it belongs to; False if there is none, and it is a turn of its own."""
    call = calls.get(str(message.get("tool_call_id") or ""))
    if call is None or call.result is not None:
        return False
    content = message.get("content")
    text = content if isinstance(content, str) else _short(content, limit=SHOWN_CHARACTERS)
    call.result = _data_part(text)
    return True


def _call(each: dict[str, Any]) -> Call:
    function = each.get("function") or each.get("custom") or {}
    arguments = function.get("arguments", function.get("input")) if isinstance(function, dict) else None
    name = str(function.get("name", "")) if isinstance(function, dict) else ""
    text = arguments if isinstance(arguments, str) else _short(arguments, limit=SHOWN_CHARACTERS)
    return Call(name or "unnamed", str(each.get("id") or ""), _data_part(text) if text else None)


def _numbered(calls: list[Call]) -> list[Call]:
    if len(calls) > 1:
        for index, call in enumerate(calls, 1):
            call.number = f"call {index} of {len(calls)}"
    return calls


def _list(value: Any) -> list[Any]:
    """Bodies are whatever a client sent; what should be a list and is none is taken for an empty one."""
    return value if isinstance(value, list) else []


def _tool_name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return "tool"
    function = tool.get("function", tool)
    return str((function.get("name") if isinstance(function, dict) else None) or tool.get("type") or "tool")


def _parts(content: Any, *, is_markdown: bool = True) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [_text_part(content) if is_markdown else _data_part(content)]
    if not isinstance(content, list):
        return [_json_part(content)]
    return [_piece(each) for each in content[:SHOWN_TURNS]]


def _piece(piece: Any) -> Part:
    if isinstance(piece, str):
        return _text_part(piece)
    if not isinstance(piece, dict):
        return _json_part(piece)
    kind = piece.get("type")
    if kind in ("text", "input_text", "output_text") and isinstance(piece.get("text"), str):
        return _text_part(piece["text"])
    if kind == "refusal":
        return _text_part(str(piece.get("refusal")), "refusal")
    if kind in ("image_url", "input_image"):
        url = piece.get("image_url")
        return _image(str(url.get("url") if isinstance(url, dict) else url or ""))
    if kind in ("file", "input_file"):
        inner = piece.get("file")
        file = inner if isinstance(inner, dict) else piece
        return Part("file", str(file.get("filename") or file.get("file_id") or "file"))
    if kind == "input_audio":
        audio = piece.get("input_audio")
        return Part("file", f"audio, {audio.get('format', 'unknown format')}" if isinstance(audio, dict) else "audio")
    return _json_part(piece)


def _image(url: str) -> Part:
    """An image inside the request is shown; one that lies elsewhere is never loaded, its address is text."""
    if IMAGE.match(url):
        return Part("image", url)
    if url.startswith("data:"):
        return Part("file", url[:60].partition(",")[0])
    return Part("remote", url[:2000])


def _texts(value: Any) -> list[Part]:
    """A prompt or the inputs of an embedding: a text, several, or tokens."""
    if isinstance(value, str):
        return [_text_part(value, "plain")]
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        parts = [_text_part(each, "plain") for each in value[:50]]
        return parts + ([Part("note", f"{len(value) - 50:,} more")] if len(value) > 50 else [])
    if isinstance(value, list) and value and all(isinstance(each, int) for each in value):
        return [Part("note", f"{len(value):,} tokens, sent as numbers")]
    return _parts(value)


# ------------------------------------------------------------------------------------------------ the answer


def _answer(span: Span, payload: Payload | None) -> Answer | None:
    if payload is None or payload.response_body is None:
        return Answer(text=payload.response_text) if payload and payload.response_text else None
    dialect = dialect_named(span.dialect or "")
    streamed = (payload.response_content_type or "").encode().startswith(dialect.stream_types)
    path = (span.endpoint or "").partition(" ")[2].encode()
    headers = {name.encode(): value.encode() for name, value in payload.response_headers}
    context = Context(path, payload.request_body or b"", headers, span.model)
    return dialect.read(payload.response_body, streamed, span.status_code or 0, context)


def _answer_turn(span: Span, payload: Payload | None, answer: Answer) -> Turn:
    turn = Turn("assistant", "Assistant", note=answer.model or span.model or "", is_answer=True)
    choices = _whole_choices(payload)
    if len(choices) > 1:  # n > 1: each of them
        for index, message in enumerate(choices, 1):
            each = _message("assistant", message)
            turn.parts += [Part("note", f"Choice {index} of {len(choices)}"), *each.parts]
            turn.calls += each.calls
    elif choices and isinstance(choices[0].get("content"), list):
        turn.parts += _message("assistant", choices[0]).parts
    else:
        text = answer.text or (payload.response_text if payload else None)
        turn.parts += [_text_part(answer.reasoning, "thought")] if answer.reasoning else []
        turn.parts += [_structured(text)] if text else []
    if not turn.calls:
        turn.calls = _numbered([_tool_call(call) for call in answer.tool_calls or span.tool_calls or []])
    if answer.error or span.error_message:
        turn.parts.append(_text_part(answer.error or span.error_message or "", "error"))
    if not turn.parts and not turn.calls:
        turn.parts.append(Part("note", "Nothing was answered."))
    return turn


def _whole_choices(payload: Payload | None) -> list[dict[str, Any]]:
    body = _object(payload.response_body if payload else None) or {}
    choices = body.get("choices")
    messages = (
        [choice.get("message") for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    return [message for message in messages if isinstance(message, dict)]


def _tool_call(call: ToolCall) -> Call:
    return Call(call.name, call.id or "", _data_part(call.arguments) if call.arguments else None)


def _vectors(payload: Payload | None) -> Part:
    body = _object(payload.response_body if payload else None) or {}
    data = body.get("data")
    if not isinstance(data, list) or not data or not isinstance(data[0], dict):
        return Part("note", "No vectors are kept of this answer.")
    first = data[0].get("embedding")
    size = f" of {len(first):,} numbers" if isinstance(first, list) else ", base64"
    return Part("note", f"{len(data):,} vector{'s' if len(data) > 1 else ''}{size}")


# ------------------------------------------------------------------------------------------------ parts


def _text_part(text: str, kind: str = "prose") -> Part:
    shown = text[:SHOWN_CHARACTERS]
    return Part(kind, visible(shown), cut=len(text) - len(shown))


def _structured(text: str) -> Part:
    """Structured output is an object: shown as one."""
    return _data_part(text) if text.lstrip()[:1] in "{[" and _parsed(text) is not None else _text_part(text)


def _data_part(text: str) -> Part:
    """JSON laid out, or the text as it is."""
    parsed = _parsed(text)
    if parsed is None:
        return _text_part(text, "plain")
    return _json_part(parsed)


def _json_part(value: Any) -> Part:
    text = lay_out(value)
    return Part("json", visible(text[:SHOWN_JSON]), cut=max(0, len(text) - SHOWN_JSON))


def _parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    return _decode(text.encode("utf-8", "replace"))


def _object(data: bytes | None) -> dict[str, Any] | None:
    found = _decode(data) if data else None
    return found if isinstance(found, dict) else None


def _decode(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _short(value: Any, *, limit: int = 120) -> str:
    text = value if isinstance(value, str) else one_line(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
