"""OpenAI's Responses as a conversation: items of the input and of the output, put together into turns.

An item is a message, a reasoning, a call of a tool or what came back of one. Those that the model made one after the
other are one turn, as they are in the other dialects; a result stands beside its call.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.core.sse import events
from gateway.dashboard.talk import (
    ROLES,
    Call,
    Conversation,
    Part,
    Turn,
    data_part,
    decoded,
    image,
    json_object,
    json_part,
    listed,
    numbered,
    short,
    structured,
    text_part,
)
from gateway.dashboard.talk_openai import content_parts, texts, tool_name

RESULT = "_call_output"
"""How the kinds end of what came back to a call that the client carried out."""
ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
ARGUMENTS = ("arguments", "input", "code", "action", "queries", "operation")
"""Where the different calls hold what they ask for."""
ANSWERED = ("output", "outputs", "results")
"""Where the calls that the provider runs itself hold what came back."""
UNREADABLE = "Reasoning that only the provider can read."


def request(body: dict[str, Any]) -> Conversation:
    found = Conversation()
    if isinstance(instructions := body.get("instructions"), str) and instructions:
        found.setting.append(Turn("system", ROLES["system"], parts=[text_part(instructions)]))
    if body.get("prompt"):  # kept at the provider
        found.setting.append(Turn("system", "Prompt", parts=[json_part(body["prompt"])]))
    given = body.get("input")
    if isinstance(given, list) and all(isinstance(item, dict) for item in given):
        turns = turns_of(given)
        while turns and turns[0].role in ("system", "developer"):
            found.setting.append(turns.pop(0))
        found.turns = turns
    elif given is not None:
        found.turns.append(Turn("user", ROLES["user"], parts=texts(given)))
    found.tools = [tool_name(tool) for tool in listed(body.get("tools"))[:100]]
    return found


def answer(data: bytes, streaming: bool) -> Turn | None:
    """None for a stream that broke off before it told its items, and for what has none."""
    whole = _last_response(data) if streaming else json_object(data)
    items = [item for item in listed((whole or {}).get("output")) if isinstance(item, dict)]
    made = Turn("assistant", ROLES["assistant"])
    for turn in turns_of(items, is_answer=True):
        made.parts += turn.parts
        made.calls += turn.calls
    made.calls = numbered(made.calls)
    return made if made.parts or made.calls else None


def turns_of(items: Iterable[dict[str, Any]], *, is_answer: bool = False) -> list[Turn]:
    book = _Book()
    for item in items:
        kind = str(item.get("type") or ("message" if "role" in item else ""))
        if kind == "message":
            role, parts = str(item.get("role") or "assistant"), _said(item.get("content"), is_structured=is_answer)
            if role == "assistant":
                book.model.parts += parts
            else:
                book.turns.append(Turn(role, ROLES.get(role, role), parts=parts))
        elif kind.endswith(RESULT):
            book.take_result(item)
        elif kind == "reasoning":
            book.model.parts += _reasoning(item)
        elif kind == "image_generation_call":
            book.model.parts.append(_picture(item))
        elif kind.endswith("_call"):
            book.take_call(_call(kind, item))
        else:
            book.model.parts.append(json_part(_readable(item)))
    for turn in book.turns:
        turn.calls = numbered(turn.calls)
    return book.turns


class _Book:
    """The turns so far, and the calls whose results may still come."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._calls: dict[str, Call] = {}
        self._has_results = False
        """Something came back since the model spoke: what it says next is another turn."""

    @property
    def model(self) -> Turn:
        """The turn that the model's items go to."""
        if not self.turns or self.turns[-1].role != "assistant" or self._has_results:
            self.turns.append(Turn("assistant", ROLES["assistant"]))
            self._has_results = False
        return self.turns[-1]

    def take_call(self, call: Call) -> None:
        self.model.calls.append(call)
        self._calls[call.id] = call

    def take_result(self, item: dict[str, Any]) -> None:
        """Beside its call, or as a turn of its own where that is not in the input: an earlier response made it."""
        output = item.get("output")
        call, pictures = self._calls.get(str(item.get("call_id") or "")), _pictures(output)
        self._has_results = True
        if call is not None and call.result is None and not pictures:
            call.result = _data(output)
            return
        note = call.name if call else ""
        self.turns.append(Turn("tool", ROLES["tool"], note=note, parts=pictures or [_data(output)]))


def _said(content: Any, *, is_structured: bool) -> list[Part]:
    """Structured output is shown as the object it is."""
    if not is_structured:
        return content_parts(content)
    parts: list[Part] = []
    for piece in listed(content):
        text = piece.get("text") if isinstance(piece, dict) and piece.get("type") == "output_text" else None
        parts += [structured(text)] if isinstance(text, str) else content_parts([piece])
    return parts or content_parts(content if isinstance(content, str) else None)


def _reasoning(item: dict[str, Any]) -> list[Part]:
    pieces = [*listed(item.get("summary")), *listed(item.get("content"))]
    said = [piece["text"] for piece in pieces if isinstance(piece, dict) and isinstance(piece.get("text"), str)]
    if said:
        return [text_part("\n\n".join(said), "thought")]
    return [Part("note", UNREADABLE)] if item.get("encrypted_content") else []


def _call(kind: str, item: dict[str, Any]) -> Call:
    """Of a function, or of a tool that the provider runs: those have no name but their kind."""
    name = str(item.get("name") or kind.removesuffix("_call").replace("_", " "))
    asked = next((item[field] for field in ARGUMENTS if item.get(field)), None)
    came = next((item[field] for field in ANSWERED if item.get(field)), item.get("error"))
    return Call(
        name,
        str(item.get("call_id") or item.get("id") or ""),
        _data(asked) if asked else None,
        _data(came) if came else None,
    )


def _pictures(output: Any) -> list[Part]:
    """The parts of an output that holds an image; none of any other."""
    pieces = output if isinstance(output, list) else [output]
    shown = [piece for piece in pieces if isinstance(piece, dict) and piece.get("image_url")]
    if not shown:
        return []
    return [image(str(piece["image_url"])) if piece in shown else content_parts([piece])[0] for piece in pieces]


def _data(value: Any) -> Part:
    if isinstance(value, list) and value and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in value):
        value = "\n".join(piece["text"] for piece in value)
    if isinstance(value, str):
        return data_part(value)
    return json_part(_readable(value)) if isinstance(value, dict | list) else text_part(short(value), "plain")


def _picture(item: dict[str, Any]) -> Part:
    result = item.get("result")
    if not isinstance(result, str) or not result:
        return Part("note", f"An image that was not made: {item.get('status') or 'no result'}")
    kind = str(item.get("output_format") or "png")
    return image(f"data:image/{kind};base64,{result}")


def _readable(value: Any) -> Any:
    """Without what only the provider can read."""
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name != "encrypted_content"}


def _last_response(data: bytes) -> dict[str, Any] | None:
    """The response object of a stream's last event."""
    for event in reversed(events(data)):
        found = decoded(event.data)
        if isinstance(found, dict) and found.get("type") in ENDS and isinstance(found.get("response"), dict):
            response: dict[str, Any] = found["response"]
            return response
    return None
