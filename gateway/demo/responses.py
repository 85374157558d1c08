"""`POST /v1/responses` of the demo provider."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec

from gateway.demo.answer import Answer, Ask, Tool
from gateway.demo.surface import Body, Content, Piece, openai_error, sse, text_of


class Item(msgspec.Struct):
    """Of the input: a message, a function call or its output."""

    type: str = "message"
    role: str = ""
    content: Content = None
    output: Any = None
    arguments: str = ""


class ResponseTool(msgspec.Struct):
    type: str = "function"
    name: str = ""
    parameters: dict[str, Any] | None = None


class TextFormat(msgspec.Struct):
    type: str = "text"
    schema: dict[str, Any] | None = None


class TextOptions(msgspec.Struct):
    format: TextFormat | None = None


class ResponsesBody(Body):
    input: str | list[Item] = ""
    instructions: str | None = None
    max_output_tokens: int | None = None
    tools: list[ResponseTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    text: TextOptions | None = None


class Responses:
    body = ResponsesBody
    error = staticmethod(openai_error)

    def ask(self, body: ResponsesBody, model: str) -> Ask:
        items = [Item(role="user", content=body.input)] if isinstance(body.input, str) else body.input
        tools = [tool for tool in body.tools or () if tool.type == "function"]
        read = (f"{i.role or i.type}: {text_of(i.content)}{i.arguments}{i.output or ''}" for i in items)
        choice = body.tool_choice
        if isinstance(choice, dict):
            choice = choice.get("name")
        elif choice not in ("required", "none"):
            choice = None
        wanted = body.text.format if body.text else None
        return Ask(
            model=model,
            prompt="\n".join([*(f"{t.name} {t.parameters}" for t in tools), body.instructions or "", *read]),
            said=next((text_of(i.content) for i in reversed(items) if i.role == "user"), ""),
            max_tokens=body.max_output_tokens,
            tools=[Tool(t.name, t.parameters or {}) for t in tools],
            tool_choice=choice,
            answers_tool=bool(items) and items[-1].type == "function_call_output",
            schema=(wanted.schema or {"type": "object"}) if wanted and wanted.type != "text" else None,
        )

    def whole(self, body: ResponsesBody, answer: Answer) -> dict[str, object]:
        return _response(body, answer, done=True)

    def events(self, body: ResponsesBody, answer: Answer) -> Iterator[Piece]:
        numbers = count()

        def event(kind: str, **more: object) -> bytes:
            return sse({"type": kind, "sequence_number": next(numbers), **more}, kind)

        started = _response(body, answer, done=False)
        generated = answer.reasoning_tokens
        yield Piece(event("response.created", response=started), 0)
        yield Piece(event("response.in_progress", response=started), 0)
        item = _item(answer, done=False)
        at: dict[str, object] = {"item_id": item["id"], "output_index": 0}
        yield Piece(event("response.output_item.added", output_index=0, item=item), generated)
        if answer.call:
            for piece in answer.pieces:
                generated += 1
                yield Piece(event("response.function_call_arguments.delta", **at, delta=piece), generated)
            yield Piece(event("response.function_call_arguments.done", **at, arguments=answer.text), generated)
        else:
            at["content_index"] = 0
            yield Piece(event("response.content_part.added", **at, part=_part("")), generated)
            for piece in answer.pieces:
                generated += 1
                yield Piece(event("response.output_text.delta", **at, delta=piece, logprobs=[]), generated)
            yield Piece(event("response.output_text.done", **at, text=answer.text, logprobs=[]), generated)
            yield Piece(event("response.content_part.done", **at, part=_part(answer.text)), generated)
        yield Piece(event("response.output_item.done", output_index=0, item=_item(answer, done=True)), generated)
        ended = _response(body, answer, done=True)
        yield Piece(event(f"response.{ended['status']}", response=ended), generated)

    def error_event(self, message: str) -> bytes:
        failed = {"type": "error", "sequence_number": 0, "code": "server_error", "message": message, "param": None}
        return sse(failed, "error")


def _response(body: ResponsesBody, answer: Answer, *, done: bool) -> dict[str, object]:
    cut = answer.finish in ("length", "content_filter")
    reason = "max_output_tokens" if answer.finish == "length" else "content_filter"
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.created,
        "status": ("incomplete" if cut else "completed") if done else "in_progress",
        "error": None,
        "incomplete_details": {"reason": reason} if done and cut else None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "model": answer.model,
        "output": [_item(answer, done=True)] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(answer) if done and answer.reports_usage else None,
        "metadata": {},
    }


def _item(answer: Answer, *, done: bool) -> dict[str, object]:
    status = "completed" if done else "in_progress"
    if call := answer.call:
        arguments = call.arguments if done else ""
        item: dict[str, object] = {"id": f"fc_{answer.id}", "type": "function_call", "status": status}
        return item | {"call_id": call.id, "name": call.name, "arguments": arguments}
    content = [_part(answer.text)] if done else []
    return {"id": f"msg_{answer.id}", "type": "message", "status": status, "role": "assistant", "content": content}


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _usage(answer: Answer) -> dict[str, object]:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
