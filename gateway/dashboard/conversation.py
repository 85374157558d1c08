"""A request and its answer as a conversation, whatever dialect they are in. Pure; whatever the bytes, no error.

What cannot be understood is not guessed at: it becomes a raw part, and the raw tabs show everything anyway. Each family
of dialects has a module that makes turns of its bodies (`talk_…`); what a turn is, is in `talk`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gateway.core.span import Payload, Span, ToolCall
from gateway.dashboard import (
    talk_anthropic,
    talk_bedrock,
    talk_cohere,
    talk_gemini,
    talk_openai,
    talk_responses,
    talk_short,
)
from gateway.dashboard.prose import json_tokens, markdown
from gateway.dashboard.talk import (
    SHOWN_CHARACTERS,
    SHOWN_TURNS,
    Call,
    Conversation,
    Part,
    Turn,
    data_part,
    json_object,
    numbered,
    short,
    structured,
    text_part,
)
from gateway.dialects import Answer, Context, dialect_named

__all__ = ["SHOWN_CHARACTERS", "SHOWN_TURNS", "Call", "Conversation", "Part", "Turn", "read"]

LAID_OUT_CHARACTERS = 150_000
"""Of a whole conversation."""
QUIET_SETTINGS = frozenset(
    (
        "model", "messages", "tools", "stream", "stream_options", "metadata", "input", "prompt", "functions",
        "system", "contents", "systemInstruction", "system_instruction", "generateContentRequest", "generationConfig",
        "generation_config", "content", "requests", "instances", "message", "chat_history", "preamble",
        "tool_results", "texts", "text", "inputs", "query", "documents", "toolConfig", "inferenceConfig", "jsonrpc",
        "instructions", "id", "method", "params",
    )
)  # fmt: skip
"""What is shown as turns, or by its parts."""

Body = dict[str, Any]
_REQUESTS: dict[str, Callable[[Body], Conversation]] = {
    "anthropic.messages": talk_anthropic.request,
    "anthropic.tokens": talk_anthropic.request,
    "anthropic.vertex": talk_anthropic.request,
    "gemini.generate": talk_gemini.request,
    "gemini.stream": talk_gemini.request,
    "gemini.tokens": talk_gemini.request,
    "gemini.embed": talk_gemini.embedded,
    "gemini.vertex_embed": talk_gemini.embedded,
    "gemini.vertex_image": talk_gemini.embedded,
    "bedrock.converse": talk_bedrock.request,
    "mcp": talk_bedrock.called,
    "cohere.chat.v1": talk_cohere.request_v1,
    "cohere.embed": talk_short.inputs,
    "cohere.tokens": talk_short.inputs,
    "cohere.rerank": talk_short.query,
    "openai.rerank": talk_short.query,
    "openai.responses": talk_responses.request,
}
"""By dialect; bodies of others are known by their shape."""

_ANSWERS: dict[str, Callable[[bytes, bool], Turn | None]] = {
    "anthropic.messages": talk_anthropic.answer,
    "anthropic.vertex": talk_anthropic.answer,
    "gemini.generate": talk_gemini.answer,
    "gemini.stream": talk_gemini.answer,
    "openai.responses": talk_responses.answer,
    "openai.responses.retrieve": talk_responses.answer,
}
"""Where an answer holds more than text, reasoning and calls; it is given the bytes and whether they are a stream."""

_NOTED: dict[str, Callable[[Body], Part]] = {
    "openai.embeddings": talk_short.vectors,
    "gemini.embed": talk_short.vectors,
    "gemini.vertex_embed": talk_short.vectors,
    "cohere.embed": talk_short.vectors,
    "anthropic.tokens": talk_short.count,
    "gemini.tokens": talk_short.count,
    "cohere.tokens": talk_short.count,
    "cohere.rerank": talk_short.ranking,
    "openai.rerank": talk_short.ranking,
}
"""Answers that nobody said."""


def read(span: Span, payload: Payload | None) -> Conversation:
    request = json_object(payload.request_body if payload else None)
    answer = _answer(span, payload)
    if request is None and answer is None:
        return Conversation(is_understood=False)
    body = request or {}
    found = _request(span.dialect or "", body)
    if not found.is_understood:
        return found
    found.settings = [(name, short(value)) for name, value in _settings(body) if name not in QUIET_SETTINGS][:24]
    if answer is not None:
        found.turns.append(_answer_turn(span, payload, answer))
    if len(found.turns) > SHOWN_TURNS:
        found.skipped = len(found.turns) - SHOWN_TURNS
        found.turns = [*found.turns[: SHOWN_TURNS // 2], *found.turns[-SHOWN_TURNS // 2 :]]
    _lay_out(found)
    return found


def _request(dialect: str, body: Body) -> Conversation:
    if (known := _REQUESTS.get(dialect)) is not None:
        return known(body)
    if "anthropic_version" in body:  # on Bedrock
        return talk_anthropic.request(body)
    if dialect == "openai.chat" or isinstance(body.get("messages"), list):
        return talk_openai.chat(body)
    for name, who in (("prompt", "Prompt"), ("input", "Input")):
        if name in body:
            return Conversation(turns=[Turn("user", who, parts=talk_openai.texts(body[name]))])
    return Conversation(is_understood=False)


def _settings(body: Body) -> list[tuple[str, Any]]:
    """Google's and Bedrock's are one level down."""
    inner = body.get("generationConfig", body.get("generation_config", body.get("inferenceConfig")))
    return [*(inner.items() if isinstance(inner, dict) else ()), *body.items()]


def _lay_out(found: Conversation) -> None:
    """Markdown and colours for what comes first, plain text once there is too much of it."""
    left = LAID_OUT_CHARACTERS
    for turn in [*found.turns[::-1], *found.setting]:  # the answer and what led to it before all else
        for index, part in enumerate(turn.parts):
            left -= len(part.text) if part.kind not in ("image", "sound") else 0
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


# ------------------------------------------------------------------------------------------------ the answer


def _answer(span: Span, payload: Payload | None) -> Answer | None:
    if payload is None or payload.response_body is None:
        return Answer(text=payload.response_text) if payload and payload.response_text else None
    path = (span.endpoint or "").partition(" ")[2].encode()
    headers = {name.encode(): value.encode() for name, value in payload.response_headers}
    context = Context(path, payload.request_body or b"", headers, span.model)
    dialect = dialect_named(span.dialect or "")
    return dialect.read(payload.response_body, _is_stream(span, payload), span.status_code or 0, context)


def _is_stream(span: Span, payload: Payload) -> bool:
    types = dialect_named(span.dialect or "").stream_types
    return (payload.response_content_type or "").encode().startswith(types)


def _answer_turn(span: Span, payload: Payload | None, answer: Answer) -> Turn:
    turn = _special(span, payload, answer) or _plain(payload, answer)
    turn.note, turn.is_answer = answer.model or span.model or "", True
    if not turn.calls:
        turn.calls = numbered([_tool_call(call) for call in answer.tool_calls or span.tool_calls or []])
    if answer.error or span.error_message:
        turn.parts.append(text_part(answer.error or span.error_message or "", "error"))
    if not turn.parts and not turn.calls:
        turn.parts.append(Part("note", "Nothing was answered."))
    return turn


def _special(span: Span, payload: Payload | None, answer: Answer) -> Turn | None:
    """What the dialect itself lays out; None where there is nothing special."""
    body = payload.response_body if payload is not None else None
    if payload is None or body is None or answer.error or (span.status_code or 0) >= 400:
        return None
    dialect = span.dialect or ""
    if (noted := _NOTED.get(dialect)) is not None:
        return Turn("assistant", "Answer", parts=[noted(json_object(body) or {})])
    turns = _ANSWERS.get(dialect)
    return turns(body, _is_stream(span, payload)) if turns is not None else None


def _plain(payload: Payload | None, answer: Answer) -> Turn:
    turn = Turn("assistant", "Assistant")
    choices = _whole_choices(payload)
    if len(choices) > 1:  # n > 1: each of them
        for index, message in enumerate(choices, 1):
            each = talk_openai.message_turn("assistant", message)
            turn.parts += [Part("note", f"Choice {index} of {len(choices)}"), *each.parts]
            turn.calls += each.calls
    elif choices and isinstance(choices[0].get("content"), list):
        turn.parts += talk_openai.message_turn("assistant", choices[0]).parts
    else:
        turn.parts += [talk_openai.spoken(choices[0])] if choices and choices[0].get("audio") else []
        text = answer.text or (payload.response_text if payload else None)
        turn.parts += [text_part(answer.reasoning, "thought")] if answer.reasoning else []
        turn.parts += [structured(text)] if text else []
    return turn


def _whole_choices(payload: Payload | None) -> list[Body]:
    body = json_object(payload.response_body if payload else None) or {}
    choices = body.get("choices")
    messages = (
        [choice.get("message") for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    return [message for message in messages if isinstance(message, dict)]


def _tool_call(call: ToolCall) -> Call:
    return Call(call.name, call.id or "", data_part(call.arguments) if call.arguments else None)
