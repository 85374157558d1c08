"""Requests in OpenAI's shape as a conversation: chat and all that speak like it, completions, embeddings."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.talk import (
    ROLES,
    SHOWN_CHARACTERS,
    SHOWN_TURNS,
    Call,
    Conversation,
    Part,
    Turn,
    data_part,
    image,
    json_part,
    listed,
    numbered,
    short,
    sound,
    text_part,
)


def chat(body: dict[str, Any]) -> Conversation:
    found = Conversation()
    calls: dict[str, Call] = {}
    for message in listed(body.get("messages")):
        if not isinstance(message, dict):
            found.turns.append(Turn("user", "Message", parts=[json_part(message)]))
            continue
        role = str(message.get("role", ""))
        if role in ("system", "developer") and not found.turns:
            found.setting.append(Turn(role, ROLES[role], parts=content_parts(message.get("content"))))
        elif role in ("tool", "function") and _take_result(message, calls):
            continue
        else:
            turn = message_turn(role, message)
            calls.update({call.id: call for call in turn.calls if call.id})
            found.turns.append(turn)
    found.tools = [tool_name(tool) for tool in (listed(body.get("tools")) or listed(body.get("functions")))[:100]]
    return found


def message_turn(role: str, message: dict[str, Any]) -> Turn:
    turn = Turn(role, ROLES.get(role, role or "Message"), note=str(message.get("name") or ""))
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            turn.parts.append(text_part(message[name], "thought"))
            break
    turn.parts += content_parts(message.get("content"), is_markdown=role != "tool")
    if message.get("audio"):
        turn.parts.append(spoken(message))
    if message.get("refusal"):
        turn.parts.append(text_part(str(message["refusal"]), "refusal"))
    asked = listed(message.get("tool_calls"))
    if message.get("function_call"):
        asked = [{"function": message["function_call"]}]
    turn.calls = numbered([_call(each) for each in asked if isinstance(each, dict)])
    return turn


def spoken(message: dict[str, Any]) -> Part:
    """Of an answer that was asked for as sound; what it says is its text. An earlier one is only named."""
    audio = message["audio"]
    if not isinstance(audio, dict):
        return json_part(audio)
    return sound("audio/wav", audio.get("data"), f"audio, {audio.get('id') or 'not kept'}")


def _take_result(message: dict[str, Any], calls: dict[str, Call]) -> bool:
    """Puts a tool's answer beside the call it belongs to; False if there is none, and it is a turn of its own."""
    call = calls.get(str(message.get("tool_call_id") or ""))
    if call is None or call.result is not None:
        return False
    content = message.get("content")
    text = content if isinstance(content, str) else short(content, limit=SHOWN_CHARACTERS)
    call.result = data_part(text)
    return True


def _call(each: dict[str, Any]) -> Call:
    function = each.get("function") or each.get("custom") or {}
    arguments = function.get("arguments", function.get("input")) if isinstance(function, dict) else None
    name = str(function.get("name", "")) if isinstance(function, dict) else ""
    text = arguments if isinstance(arguments, str) else short(arguments, limit=SHOWN_CHARACTERS)
    return Call(name or "unnamed", str(each.get("id") or ""), data_part(text) if text else None)


def tool_name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return "tool"
    function = tool.get("function", tool)
    return str((function.get("name") if isinstance(function, dict) else None) or tool.get("type") or "tool")


def content_parts(content: Any, *, is_markdown: bool = True) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [text_part(content) if is_markdown else data_part(content)]
    if not isinstance(content, list):
        return [json_part(content)]
    return [_piece(each) for each in content[:SHOWN_TURNS]]


def _piece(piece: Any) -> Part:
    if isinstance(piece, str):
        return text_part(piece)
    if not isinstance(piece, dict):
        return json_part(piece)
    kind = piece.get("type")
    if kind in ("text", "input_text", "output_text") and isinstance(piece.get("text"), str):
        return text_part(piece["text"])
    if kind == "refusal":
        return text_part(str(piece.get("refusal")), "refusal")
    if kind in ("image_url", "input_image"):
        url = piece.get("image_url")
        return image(str(url.get("url") if isinstance(url, dict) else url or ""))
    if kind in ("file", "input_file"):
        inner = piece.get("file")
        file = inner if isinstance(inner, dict) else piece
        return Part("file", str(file.get("filename") or file.get("file_id") or "file"))
    if kind == "input_audio":
        audio = piece.get("input_audio")
        if not isinstance(audio, dict):
            return Part("file", "audio")
        form = str(audio.get("format", "unknown format"))
        return sound(f"audio/{form}", audio.get("data"), f"audio, {form}")
    return json_part(piece)


def texts(value: Any) -> list[Part]:
    """A prompt or the inputs of an embedding: a text, several, or tokens."""
    if isinstance(value, str):
        return [text_part(value, "plain")]
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        parts = [text_part(each, "plain") for each in value[:50]]
        return parts + ([Part("note", f"{len(value) - 50:,} more")] if len(value) > 50 else [])
    if isinstance(value, list) and value and all(isinstance(each, int) for each in value):
        return [Part("note", f"{len(value):,} tokens, sent as numbers")]
    return content_parts(value)
