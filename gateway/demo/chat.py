"""`POST /v1/chat/completions` of the demo provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.demo.answer import Answer, Ask, Tool
from gateway.demo.surface import Body, Content, Piece, openai_error, sse, text_of

FINISH = {"tool": "tool_calls"}


class Message(msgspec.Struct):
    role: str
    content: Content = None


class Function(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}


class FunctionTool(msgspec.Struct):
    function: Function | None = None


class JsonSchema(msgspec.Struct):
    schema: dict[str, Any] = {}


class ResponseFormat(msgspec.Struct):
    type: str = "text"
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class ChatBody(Body, kw_only=True):
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    stream_options: StreamOptions | None = None


class Chat:
    body = ChatBody
    error = staticmethod(openai_error)

    def ask(self, body: ChatBody, model: str) -> Ask:
        if not body.messages:
            raise ValueError("`messages` is empty: send at least one.")
        functions = [tool.function for tool in body.tools or () if tool.function]
        return Ask(
            model=model,
            prompt="\n".join(
                [
                    *(f"{f.name} {f.parameters}" for f in functions),
                    *(f"{m.role}: {text_of(m.content)}" for m in body.messages),
                ]
            ),
            said=next((text_of(m.content) for m in reversed(body.messages) if m.role == "user"), ""),
            max_tokens=body.max_completion_tokens or body.max_tokens,
            tools=[Tool(f.name, f.parameters) for f in functions],
            tool_choice=_choice(body.tool_choice),
            answers_tool=body.messages[-1].role == "tool",
            schema=_schema(body.response_format),
        )

    def whole(self, body: ChatBody, answer: Answer) -> dict[str, object]:
        message: dict[str, object] = {"role": "assistant", "content": answer.text, "refusal": None}
        if call := answer.call:
            function = {"name": call.name, "arguments": call.arguments}
            message |= {"content": None, "tool_calls": [{"id": call.id, "type": "function", "function": function}]}
        finish = FINISH.get(answer.finish, answer.finish)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        whole = _head(answer, "chat.completion") | {"choices": [choice]}
        return whole | {"usage": usage(answer)} if answer.reports_usage else whole

    def events(self, body: ChatBody, answer: Answer) -> Iterator[Piece]:
        asked = bool(body.stream_options and body.stream_options.include_usage) and answer.reports_usage
        head = _head(answer, "chat.completion.chunk")
        tail = {"usage": None} if asked else {}

        def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return sse(head | {"choices": [choice]} | tail)

        first: dict[str, object] = {"role": "assistant", "content": "", "refusal": None}
        if call := answer.call:
            function = {"name": call.name, "arguments": ""}
            first["content"] = None
            first["tool_calls"] = [{"index": 0, "id": call.id, "type": "function", "function": function}]
        generated = answer.reasoning_tokens
        yield Piece(chunk(first), generated)
        for piece in answer.pieces:
            generated += 1
            in_call = [{"index": 0, "function": {"arguments": piece}}]
            yield Piece(chunk({"tool_calls": in_call} if call else {"content": piece}), generated)
        yield Piece(chunk({}, FINISH.get(answer.finish, answer.finish)), generated)
        if asked:
            yield Piece(sse(head | {"choices": [], "usage": usage(answer)}), generated)
        yield Piece(b"data: [DONE]\n\n", generated)

    def error_event(self, message: str) -> bytes:
        return sse(openai_error(500, message))


def usage(answer: Answer) -> dict[str, object]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
    }


def _head(answer: Answer, kind: str) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }


def _choice(choice: str | dict[str, Any] | None) -> str | None:
    if isinstance(choice, dict):
        return str(choice.get("function", {}).get("name", "")) or None
    return choice if choice in ("required", "none") else None


def _schema(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object" or wanted.json_schema is None:
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return wanted.json_schema.schema
