"""For clients of Gemini's `generateContent`, `streamGenerateContent` and `countTokens`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.translation.bridge import asking, bill, chat
from gateway.translation.bridge.channel import Heard
from gateway.translation.bridge.gemini_asked import chat_fields
from gateway.translation.bridge.library import litellm
from gateway.translation.engine import Request

_encode = msgspec.json.Encoder().encode
_FINISHED = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}
"""Everything else is STOP: calls of tools are, too."""


async def ask(request: Request, heard: Heard) -> bytes | AsyncIterator[bytes]:
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    fields = asking.picked(chat_fields(body), asking.CHAT)
    asking.understood(request, fields["messages"])
    where = asking.provider(request, model)
    if request.dialect.name != "gemini.stream":
        return _encode(_whole(chat.whole(await litellm.acompletion(**where, **fields), model, heard), heard))
    chunks = await litellm.acompletion(**where, **fields, **asking.streaming(request))
    return _stream(chat.pieces(chunks, model, heard), heard, as_array=is_array(request))


async def count(request: Request, heard: Heard) -> bytes:
    """An estimate, as for other clients: see `counting`."""
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    inner = body.get("generateContentRequest")
    fields = chat_fields(inner if isinstance(inner, dict) else body)
    counted = litellm.token_counter(model=model, messages=fields["messages"], tools=fields.get("tools"))
    return _encode({"totalTokens": counted})


def is_array(request: Request) -> bool:
    """Whether a stream is asked for as one JSON array, as it is without `alt=sse`."""
    return request.dialect.name == "gemini.stream" and b"alt=sse" not in request.query


def _whole(said: dict[str, Any], heard: Heard) -> dict[str, Any]:
    candidates = []
    for choice in said.get("choices", ()):
        message = choice.get("message") or {}
        parts = [*_spoken(message), *map(_call, message.get("tool_calls") or ())]
        candidates.append(_candidate(choice.get("index", 0), parts, choice.get("finish_reason") or "stop"))
    return {"candidates": candidates, **_facts(said), "usageMetadata": bill.gemini_usage(heard)}


async def _stream(pieces: AsyncGenerator[dict[str, Any]], heard: Heard, *, as_array: bool) -> AsyncIterator[bytes]:
    """Text as it comes; calls at the end, for Gemini's are whole; then why it ended, and the usage."""
    calls: dict[int, dict[int, dict[str, str]]] = {}
    finished: dict[int, str] = {}
    last: dict[str, Any] = {}
    before = b"[" if as_array else b""
    async with aclosing(pieces):
        async for said in pieces:
            last = said
            for choice in said.get("choices", ()):
                index, delta = choice.get("index", 0), choice.get("delta") or {}
                for part in delta.get("tool_calls") or ():
                    _collect(calls.setdefault(index, {}), part)
                if choice.get("finish_reason"):
                    finished[index] = choice["finish_reason"]
                if parts := _spoken(delta):
                    chunk = {"candidates": [_candidate(index, parts)], **_facts(said)}
                    yield _written(chunk, before, as_array)
                    before = b"," if as_array else b""
    ends = [
        _candidate(index, [_call({"id": one["id"], "function": one}) for one in calls.get(index, {}).values()], reason)
        for index, reason in sorted(finished.items())
    ]
    yield _written({"candidates": ends, **_facts(last), "usageMetadata": bill.gemini_usage(heard)}, before, as_array)
    if as_array:
        yield b"]"


def _written(chunk: dict[str, Any], before: bytes, as_array: bool) -> bytes:
    return before + _encode(chunk) if as_array else b"data: " + _encode(chunk) + b"\r\n\r\n"


def _facts(said: dict[str, Any]) -> dict[str, Any]:
    return {"modelVersion": said.get("model"), "responseId": said.get("id")}


def _candidate(index: int, parts: list[dict[str, Any]], reason: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": index}
    if reason is not None:
        candidate["finishReason"] = _FINISHED.get(reason, "STOP")
    return candidate


def _spoken(message: dict[str, Any]) -> list[dict[str, Any]]:
    thought, text = message.get("reasoning_content"), message.get("content")
    parts: list[dict[str, Any]] = [{"text": thought, "thought": True}] if isinstance(thought, str) and thought else []
    return [*parts, {"text": text}] if isinstance(text, str) and text else parts


def _collect(calls: dict[int, dict[str, str]], part: dict[str, Any]) -> None:
    """A piece of a call: its name comes first, its arguments bit by bit."""
    place = part.get("index")
    call = calls.setdefault(place if isinstance(place, int) else len(calls), {"id": "", "name": "", "arguments": ""})
    function = part.get("function") or {}
    call["id"] = call["id"] or part.get("id") or ""
    call["name"] = call["name"] or function.get("name") or ""
    call["arguments"] += function.get("arguments") or ""


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    try:
        arguments = msgspec.json.decode(function.get("arguments") or "{}")
    except UNREADABLE:
        arguments = {}
    said = {"name": function.get("name") or "", "args": arguments if isinstance(arguments, dict) else {}}
    return {"functionCall": {"id": call["id"], **said} if call.get("id") else said}
