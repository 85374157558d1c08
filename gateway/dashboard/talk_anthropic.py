"""Messages in Anthropic's shape as a conversation: content blocks, of a request and of an answer."""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec

from gateway.dashboard.talk import (
    ROLES,
    SHOWN_TURNS,
    Call,
    Conversation,
    Part,
    Turn,
    data_part,
    decoded,
    image,
    json_part,
    listed,
    numbered,
    structured,
    text_part,
)
from gateway.dashboard.talk_openai import tool_name
from gateway.dialects.anthropic_content import Block, streamed, whole

Calls = dict[str, Call]
"""The tools asked for so far, by id, so that what came back is shown beside them."""


def request(body: dict[str, Any]) -> Conversation:
    found = Conversation()
    if body.get("system"):
        found.setting.append(_turn("system", body["system"], {}))
    calls: Calls = {}
    for message in listed(body.get("messages")):
        if not isinstance(message, dict):
            found.turns.append(Turn("user", "Message", parts=[json_part(message)]))
            continue
        turn = _turn(str(message.get("role", "")), message.get("content"), calls)
        if turn.parts or turn.calls or not message.get("content"):  # results alone stand beside their calls
            found.turns.append(turn)
    found.tools = [tool_name(tool) for tool in listed(body.get("tools"))[:100]]
    return found


def answer(data: bytes, is_stream: bool) -> Turn | None:
    """None for what is no message: an error, or a count of tokens."""
    blocks = (streamed(data) if is_stream else whole(data)).blocks
    if not blocks:
        return None
    turn = _turn("assistant", [_block(block) for block in blocks], {})
    if len(turn.parts) == 1 and turn.parts[0].kind == "prose":
        turn.parts = [structured("".join(block.text for block in blocks if isinstance(block.text, str)))]
    return turn


def _block(block: Block) -> dict[str, Any]:
    """As it stands in a whole answer; arguments that were cut are text."""
    fields = {name: value for name, value in msgspec.structs.asdict(block).items() if value is not None}
    for name in ("input", "content"):
        written = bytes(fields.pop(name))
        if written != b"null":
            value = decoded(written)
            fields[name] = written.decode("utf-8", "replace") if value is None else value
    return fields


def _turn(role: str, content: Any, calls: Calls) -> Turn:
    turn = Turn(role, ROLES.get(role, role or "Message"))
    if isinstance(content, str):
        turn.parts = [text_part(content)] if content else []
        return turn
    for block in _joined(listed(content)[:SHOWN_TURNS]):
        kind = str(block.get("type", "")) if isinstance(block, dict) else ""
        if kind.endswith("tool_use"):
            call = _call(block)
            turn.calls.append(call)
            calls[call.id] = call
        elif kind.endswith("tool_result"):
            turn.parts += _result(block, calls)
        else:
            turn.parts.append(_piece(block))
    numbered(turn.calls)
    return turn


def _joined(blocks: list[Any]) -> list[Any]:
    """Text that citations cut is one piece again; pieces without any (a user's, mostly) stay apart."""
    found: list[Any] = []
    for block in blocks:
        last = found[-1] if found else None
        if _is_text(block) and _is_text(last) and ("citations" in block or "citations" in last):
            found[-1] = {**last, "text": last["text"] + block["text"], "citations": []}
        else:
            found.append(block)
    return found


def _is_text(block: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)


def _call(block: dict[str, Any]) -> Call:
    arguments = block.get("input")
    part = data_part(arguments) if isinstance(arguments, str) else json_part(arguments) if arguments else None
    return Call(str(block.get("name") or "unnamed"), str(block.get("id") or ""), part)


def _result(block: dict[str, Any], calls: Calls) -> list[Part]:
    """Nothing where it was put beside its call; otherwise it stands where it is."""
    part = _result_part(block)
    call = calls.get(str(block.get("tool_use_id") or ""))
    if call is None or call.result is not None:
        return [part]
    call.result = part
    return []


def _result_part(block: dict[str, Any]) -> Part:
    content = block.get("content")
    pieces = listed(content)
    texts = [piece.get("text") for piece in pieces if isinstance(piece, dict)]
    if pieces and len(texts) == len(pieces) and all(isinstance(text, str) for text in texts):
        content = "\n".join(str(text) for text in texts)
    if isinstance(content, str):
        return data_part(f"Error: {content}" if block.get("is_error") else content)
    return json_part([_readable(piece) for piece in pieces] if pieces else _readable(content))


def _readable(piece: Any) -> Any:
    """Without what only the provider can read."""
    if not isinstance(piece, dict):
        return piece
    return {name: value for name, value in piece.items() if name not in ("encrypted_content", "signature")}


def _piece(block: Any) -> Part:
    if isinstance(block, str):
        return text_part(block)
    if not isinstance(block, dict):
        return json_part(block)
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        return text_part(block["text"])
    if kind == "thinking" and isinstance(block.get("thinking"), str):
        return text_part(block["thinking"], "thought")
    if kind == "redacted_thinking":
        return Part("note", "Reasoning that only the provider can read.")
    if kind == "compaction" and isinstance(block.get("content"), str):
        return text_part(block["content"], "thought")
    if kind == "image":
        return _image(block.get("source"))
    if kind in ("document", "search_result", "container_upload"):
        return _document(block)
    return json_part(_readable(block))


def _image(source: Any) -> Part:
    if not isinstance(source, dict):
        return Part("file", "image")
    if isinstance(source.get("data"), str):
        return image(f"data:{source.get('media_type')};base64,{source['data']}")
    return image(str(source["url"])) if source.get("url") else Part("file", str(source.get("file_id") or "image"))


def _document(block: dict[str, Any]) -> Part:
    source = block.get("source")
    inner = source if isinstance(source, dict) else {}
    names = (block.get("title"), inner.get("url"), inner.get("file_id"), block.get("file_id"), inner.get("media_type"))
    return Part("file", next((str(name)[:2000] for name in names if name), "document"))
