"""A request of Gemini's `generateContent` as the fields of a chat completion.

litellm has an adapter for it, which knows fewer parts, loses the ids of calls and ends a broken stream as if it were
whole; so this is our own. Google's JSON may write every name in camel case or with underscores.
https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.translation.bridge.asking import refused

_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")
_CONFIG = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}
_CHOICES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
_EFFORTS = ((1024, "low"), (8192, "medium"))
"""What a budget of thoughts up to so many tokens is called elsewhere; above it is `high`."""
_ONLY_GOOGLES = frozenset(("propertyOrdering", "property_ordering", "nullable", "example"))
_AUDIO = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def chat_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Fields of a chat completion. CallError 400 for what only Google has."""
    contents = body.get("contents")
    contents = [contents] if isinstance(contents, dict) else contents
    if not isinstance(contents, list) or not contents:
        raise refused("'contents' is missing.", param="contents")
    if _named(body, "cachedContent"):
        raise refused("'cachedContent' is kept at Google, and the model is elsewhere.", param="cachedContent")
    fields: dict[str, Any] = {"messages": [*_system(_named(body, "systemInstruction")), *_Messages(contents).found]}
    config = _named(body, "generationConfig")
    fields |= _configured(config if isinstance(config, dict) else {})
    tools = body.get("tools")
    declared = [tool for given in (tools if isinstance(tools, list) else [tools]) for tool in _declared(given)]
    if declared:
        fields["tools"] = declared
        choice = _choice(_named(body, "toolConfig"))
        if choice is not None:
            fields["tool_choice"] = choice
    return fields


def _named(holder: Any, name: str) -> Any:
    """The value of a field in either spelling; None where there is none."""
    if not isinstance(holder, dict):
        return None
    value = holder.get(name)
    return holder.get(_CAMEL.sub("_", name).lower()) if value is None else value


def _system(given: Any) -> list[dict[str, Any]]:
    parts = [given] if isinstance(given, str) else _named(given, "parts")
    texts = [part if isinstance(part, str) else _named(part, "text") for part in _listed(parts)]
    text = "\n\n".join(text for text in texts if isinstance(text, str))
    return [{"role": "system", "content": text}] if text else []


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


class _Messages:
    """Contents as messages. A result names its function; which call it answers is told by its id, or by its turn."""

    def __init__(self, contents: list[Any]) -> None:
        self.found: list[dict[str, Any]] = []
        self._open: list[tuple[str, str]] = []
        """(name, id) of calls that have no result yet."""
        self._calls = 0
        for content in contents:
            parts = [content] if isinstance(content, str) else _listed(_named(content, "parts"))
            if _named(content, "role") == "model":
                self._said(parts)
            else:
                self._asked(parts)

    def _said(self, parts: list[Any]) -> None:
        texts, calls = [], []
        for part in parts:
            call = _named(part, "functionCall")
            if isinstance(call, dict):
                calls.append(self._call(call))
            elif _named(part, "thought") is not True and isinstance(text := _named(part, "text"), str):
                texts.append(text)
        message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
        if calls:
            message["tool_calls"] = calls
        if texts or calls:
            self.found.append(message)

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        self._calls += 1
        name, identity = str(call.get("name") or ""), str(call.get("id") or f"call_{self._calls}")
        self._open.append((name, identity))
        arguments = msgspec.json.encode(call.get("args") or {}).decode()
        return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}

    def _asked(self, parts: list[Any]) -> None:
        spoken = []
        for part in parts:
            result = _named(part, "functionResponse")
            if isinstance(result, dict):
                content = msgspec.json.encode(result.get("response") or {}).decode()
                self.found.append({"role": "tool", "tool_call_id": self._answered(result), "content": content})
            else:
                spoken.append(_part(part))
        if len(spoken) == 1 and spoken[0]["type"] == "text":
            self.found.append({"role": "user", "content": spoken[0]["text"]})
        elif spoken:
            self.found.append({"role": "user", "content": spoken})

    def _answered(self, result: dict[str, Any]) -> str:
        name, identity = str(result.get("name") or ""), result.get("id")
        turn = next((call for call in self._open if identity == call[1] or (not identity and name == call[0])), None)
        if turn is not None:
            self._open.remove(turn)
            return turn[1]
        return str(identity or f"call_{name}")


def _part(part: Any) -> dict[str, Any]:
    text = part if isinstance(part, str) else _named(part, "text")
    if isinstance(text, str):
        return {"type": "text", "text": text}
    data, file = _named(part, "inlineData"), _named(part, "fileData")
    kind = str(_named(data if isinstance(data, dict) else file, "mimeType") or "")
    if isinstance(data, dict):
        url = f"data:{kind};base64,{data.get('data') or ''}"
        if kind.startswith("image/"):
            return {"type": "image_url", "image_url": {"url": url}}
        if kind in _AUDIO:
            return {"type": "input_audio", "input_audio": {"data": data.get("data") or "", "format": _AUDIO[kind]}}
        if kind == "application/pdf":
            return {"type": "file", "file": {"file_data": url, "filename": "document.pdf"}}
    elif isinstance(file, dict) and kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": str(_named(file, "fileUri") or "")}}
    what = kind or next(iter(part), "nothing") if isinstance(part, dict) else "nothing"
    raise refused(f"A part with {what} is not translated for a model that is not Google's.", param="contents")


def _configured(config: dict[str, Any]) -> dict[str, Any]:
    fields = {ours: value for theirs, ours in _CONFIG.items() if (value := _named(config, theirs)) is not None}
    own, google = _named(config, "responseJsonSchema"), _named(config, "responseSchema")
    if isinstance(own, dict) or isinstance(google, dict):
        schema = own if isinstance(own, dict) else json_schema(google)
        fields["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    elif _named(config, "responseMimeType") == "application/json":
        fields["response_format"] = {"type": "json_object"}
    thinking = _named(config, "thinkingConfig")
    level, budget = _named(thinking, "thinkingLevel"), _named(thinking, "thinkingBudget")
    if isinstance(level, str):
        fields["reasoning_effort"] = level.lower()
    elif isinstance(budget, int) and budget > 0:
        fields["reasoning_effort"] = next((name for most, name in _EFFORTS if budget <= most), "high")
    return fields


def _declared(tool: Any) -> list[dict[str, Any]]:
    """CallError 400 for tools that run at Google."""
    if not isinstance(tool, dict):
        return []
    functions = _named(tool, "functionDeclarations")
    if functions is None and tool:
        raise refused(f"The tool {next(iter(tool))!r} is Google's own, and the model is elsewhere.", param="tools")
    found = []
    for function in _listed(functions):
        own, google = _named(function, "parametersJsonSchema"), _named(function, "parameters")
        schema = own if isinstance(own, dict) else json_schema(google) if isinstance(google, dict) else None
        named = {"name": str(_named(function, "name") or ""), "description": _named(function, "description")}
        known = {"parameters": schema or {"type": "object", "properties": {}}}
        found.append({"type": "function", "function": {**{k: v for k, v in named.items() if v}, **known}})
    return found


def _choice(config: Any) -> Any:
    calling = _named(config, "functionCallingConfig")
    names, mode = _named(calling, "allowedFunctionNames"), _named(calling, "mode")
    if mode == "ANY" and isinstance(names, list) and len(names) == 1:
        return {"type": "function", "function": {"name": names[0]}}
    return _CHOICES.get(mode) if isinstance(mode, str) else None


def json_schema(schema: Any) -> Any:
    """Google's schema as JSON Schema: types in small letters, nullable ones as lists, without what only Google has."""
    if isinstance(schema, list):
        return [json_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: json_schema(value) for name, value in schema.items() if name not in _ONLY_GOOGLES}
    if isinstance(schema.get("properties"), dict):  # whose names are the caller's, whatever they are
        out["properties"] = {name: json_schema(value) for name, value in schema["properties"].items()}
    kind = schema.get("type")
    if isinstance(kind, str):
        out["type"] = [kind.lower(), "null"] if schema.get("nullable") is True else kind.lower()
    return out
