"""Cohere's version 1 as a conversation: one message, and what was said before it. Version 2 has OpenAI's messages."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.talk import Call, Conversation, Turn, data_part, json_part, listed, numbered, text_part

WHO = {
    "USER": ("user", "User"),
    "CHATBOT": ("assistant", "Assistant"),
    "SYSTEM": ("system", "System"),
    "TOOL": ("tool", "Tool"),
}


def request_v1(body: dict[str, Any]) -> Conversation:
    found = Conversation()
    if isinstance(preamble := body.get("preamble"), str) and preamble:
        found.setting.append(Turn("system", "System", parts=[text_part(preamble)]))
    calls: list[Call] = []
    for entry in listed(body.get("chat_history")):
        if isinstance(entry, dict):
            turn = _turn(entry, calls)
            if turn.parts or turn.calls:
                found.turns.append(turn)
    last = _turn({"role": "USER", "message": body.get("message"), "tool_results": body.get("tool_results")}, calls)
    if last.parts:
        found.turns.append(last)
    found.tools = [
        str(tool.get("name") or "tool") for tool in listed(body.get("tools"))[:100] if isinstance(tool, dict)
    ]
    return found


def _turn(entry: dict[str, Any], calls: list[Call]) -> Turn:
    role, who = WHO.get(str(entry.get("role", "")).upper(), ("user", "User"))
    message = entry.get("message")
    turn = Turn(role, who, parts=[text_part(message)] if isinstance(message, str) and message else [])
    for each in listed(entry.get("tool_calls")):
        if isinstance(each, dict):
            parameters = json_part(each["parameters"]) if each.get("parameters") else None
            turn.calls.append(Call(str(each.get("name") or "unnamed"), arguments=parameters))
    calls += turn.calls
    for result in listed(entry.get("tool_results")):
        if not isinstance(result, dict):
            continue
        asked = result.get("call")
        name = asked.get("name") if isinstance(asked, dict) else None
        outputs = result.get("outputs")
        part = data_part(outputs) if isinstance(outputs, str) else json_part(outputs)
        waiting = next((call for call in calls if call.name == name and call.result is None), None)
        if waiting is not None:
            waiting.result = part
        else:
            turn.parts.append(part)
    numbered(turn.calls)
    return turn
