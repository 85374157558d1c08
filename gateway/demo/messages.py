"""`POST /v1/messages` of the demo provider, as Anthropic speaks it: cached tokens are not part of `input_tokens`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.demo import tokens
from gateway.demo.answer import Answer, Ask, Tool
from gateway.demo.surface import Body, Content, Piece, sse, text_of

STOP = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "content_filter": "refusal"}
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Message(msgspec.Struct):
    role: str
    content: Content = None


class MessageTool(msgspec.Struct):
    name: str
    input_schema: dict[str, Any] = {}


class ToolChoice(msgspec.Struct):
    type: str = "auto"
    name: str | None = None


class MessagesBody(Body, kw_only=True):
    messages: list[Message]
    system: Content = None
    max_tokens: int | None = None
    tools: list[MessageTool] | None = None
    tool_choice: ToolChoice | None = None


class Messages:
    body = MessagesBody

    def ask(self, body: MessagesBody, model: str) -> Ask:
        if not body.messages:
            raise ValueError("messages: at least one message is required.")
        last = body.messages[-1].content
        tools = body.tools or []
        read = (f"{m.role}: {text_of(m.content)}" for m in body.messages)
        return Ask(
            model=model,
            prompt="\n".join([*(f"{t.name} {t.input_schema}" for t in tools), text_of(body.system), *read]),
            said=next((t for m in reversed(body.messages) if m.role == "user" and (t := text_of(m.content))), ""),
            max_tokens=body.max_tokens,
            tools=[Tool(t.name, t.input_schema) for t in tools],
            tool_choice=_choice(body.tool_choice),
            answers_tool=isinstance(last, list) and any(part.type == "tool_result" for part in last),
        )

    def whole(self, body: MessagesBody, answer: Answer) -> dict[str, object]:
        content: dict[str, object] = {"type": "text", "text": answer.text}
        if call := answer.call:
            content = _tool_use(answer) | {
                "input": msgspec.Raw(call.arguments.encode()) if answer.finish == "tool" else {}
            }
        stop = {"stop_reason": STOP[answer.finish], "stop_sequence": None}
        return _head(answer) | {"content": [content], **stop, "usage": _usage(answer, answer.output_tokens)}

    def events(self, body: MessagesBody, answer: Answer) -> Iterator[Piece]:
        def event(kind: str, **more: object) -> bytes:
            return sse({"type": kind, **more}, kind)

        generated = answer.reasoning_tokens
        empty: dict[str, object] = {
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(answer, 1),
        }
        yield Piece(event("message_start", message=_head(answer) | empty), 0)
        block = _tool_use(answer) | {"input": {}} if answer.call else {"type": "text", "text": ""}
        yield Piece(event("content_block_start", index=0, content_block=block), generated)
        yield Piece(event("ping"), generated)
        for piece in answer.pieces:
            generated += 1
            delta = {"type": "text_delta", "text": piece}
            if answer.call:
                delta = {"type": "input_json_delta", "partial_json": piece}
            yield Piece(event("content_block_delta", index=0, delta=delta), generated)
        yield Piece(event("content_block_stop", index=0), generated)
        stop = {"stop_reason": STOP[answer.finish], "stop_sequence": None}
        usage = {"output_tokens": answer.output_tokens} if answer.reports_usage else {}
        yield Piece(event("message_delta", delta=stop, usage=usage), generated)
        yield Piece(event("message_stop"), generated)

    def error(self, status: int, message: str, code: str | None = None) -> dict[str, object]:
        return {"type": "error", "error": {"type": ERRORS.get(status, "api_error"), "message": message}}

    def error_event(self, message: str) -> bytes:
        return sse(self.error(529, message), "error")

    def count_tokens(self, body: MessagesBody) -> dict[str, object]:
        return {"input_tokens": tokens.count(self.ask(body, "").prompt)}


def _head(answer: Answer) -> dict[str, object]:
    return {"id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": answer.model}


def _tool_use(answer: Answer) -> dict[str, object]:
    assert answer.call
    return {"type": "tool_use", "id": answer.call.id.replace("call_", "toolu_"), "name": answer.call.name}


def _choice(choice: ToolChoice | None) -> str | None:
    if choice is None:
        return None
    return {"any": "required", "none": "none", "tool": choice.name}.get(choice.type)


def _usage(answer: Answer, output_tokens: int) -> dict[str, object]:
    if not answer.reports_usage:
        return {}
    return {
        "input_tokens": answer.input_tokens - answer.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": answer.cached_tokens,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }
