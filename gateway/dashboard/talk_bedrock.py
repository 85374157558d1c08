"""Bedrock's `converse` and MCP's calls as a conversation."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.talk import Call, Conversation, Part, Turn, image, json_part, listed, numbered, text_part

_WHO = {"user": "User", "assistant": "Assistant", "system": "System"}
_FILES = ("document", "video", "audio")
Body = dict[str, Any]
Calls = dict[str, Call]
"""The tools asked for so far, by id, so that what came back is shown beside them."""


def request(body: Body) -> Conversation:
    found = Conversation()
    calls: Calls = {}
    if system := listed(body.get("system")):
        found.setting.append(_turn("system", system, calls))
    for message in listed(body.get("messages")):
        if not isinstance(message, dict):
            found.turns.append(Turn("user", "Message", parts=[json_part(message)]))
            continue
        turn = _turn(str(message.get("role", "")), message.get("content"), calls)
        if turn.parts or turn.calls:  # results alone stand beside their calls
            found.turns.append(turn)
    tools = body.get("toolConfig")
    for tool in listed(tools.get("tools"))[:100] if isinstance(tools, dict) else ():
        spec = tool.get("toolSpec") if isinstance(tool, dict) else None
        if isinstance(spec, dict):
            found.tools.append(str(spec.get("name") or "tool"))
    return found


def _turn(role: str, content: Any, calls: Calls) -> Turn:
    turn = Turn(role if role in _WHO else "user", _WHO.get(role, "User"))
    for block in listed(content):
        if isinstance(block, dict):
            _add(turn, block, calls)
    numbered(turn.calls)
    return turn


def _add(turn: Turn, block: Body, calls: Calls) -> None:
    if isinstance(call := block.get("toolUse"), dict):
        asked = Call(str(call.get("name") or "unnamed"), str(call.get("toolUseId") or ""))
        asked.arguments = json_part(call["input"]) if call.get("input") else None
        calls[asked.id] = asked
        turn.calls.append(asked)
    elif isinstance(result := block.get("toolResult"), dict):
        part = _result(result)
        waiting = calls.get(str(result.get("toolUseId") or ""))
        if waiting is not None and waiting.result is None:
            waiting.result = part
        else:
            turn.parts.append(part)
    else:
        turn.parts.append(_part(block))


def _part(block: Body) -> Part:
    if isinstance(text := block.get("text"), str):
        return text_part(text)
    if isinstance(thought := block.get("reasoningContent"), dict):
        said = thought.get("reasoningText")
        text = said.get("text") if isinstance(said, dict) else None
        if isinstance(text, str):
            return text_part(text, "thought")
        return Part("note", "Reasoning that only the provider can read.")
    if isinstance(picture := block.get("image"), dict):
        source = picture.get("source")
        data = source.get("bytes") if isinstance(source, dict) else None
        if isinstance(data, str):
            return image(f"data:image/{picture.get('format')};base64,{data}")
    for kind in _FILES:
        if isinstance(file := block.get(kind), dict):
            return Part("file", " ".join(str(file[key]) for key in ("name", "format") if file.get(key)) or kind)
    if "cachePoint" in block:
        return Part("note", "Cached up to here.")
    return json_part(block)


def _result(result: Body) -> Part:
    content = listed(result.get("content"))
    texts = [each["text"] for each in content if isinstance(each, dict) and isinstance(each.get("text"), str)]
    if texts and len(texts) == len(content):
        return text_part("\n".join(texts), "plain")
    return json_part(content[0]["json"] if len(content) == 1 and "json" in _keys(content[0]) else content)


def _keys(value: Any) -> Body:
    return value if isinstance(value, dict) else {}


def called(body: Body) -> Conversation:
    """What a client asked of an MCP server."""
    params = _keys(body.get("params"))
    name = params.get("name") or params.get("uri") or body.get("method")
    arguments = json_part(params["arguments"]) if params.get("arguments") else None
    return Conversation(turns=[Turn("user", str(body.get("method") or "Call"), calls=[Call(str(name), "", arguments)])])
