"""For clients of Anthropic's messages: Claude Code and other agents, at any model.

litellm's adapter turns the request into a chat completion and the answer's chunks into Anthropic's events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from gateway.translation.bridge import asking, bill, chat
from gateway.translation.bridge.channel import Heard
from gateway.translation.bridge.library import AnthropicAdapter, AnthropicStreamWrapper, litellm
from gateway.translation.engine import Request

_encode = msgspec.json.Encoder().encode
_ADAPTER = AnthropicAdapter()
_UNKNOWN = {"input_tokens": 0, "output_tokens": 0}
"""In the first event, before anything is known: Anthropic's clients insist on numbers there."""


async def ask(request: Request, heard: Heard) -> bytes | AsyncIterator[bytes]:
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    fields, names = as_chat(request, body, model)
    where = asking.provider(request, model)
    if not body.get("stream"):
        response = await litellm.acompletion(**where, **fields)
        said: dict[str, Any] = dict(_ADAPTER.translate_completion_output_params(response, tool_name_mapping=names))
        said["model"] = heard.answer().model or model
        said["usage"] = bill.messages_usage(heard) or {}
        return _encode(said)
    chunks = await litellm.acompletion(**where, **fields, **asking.streaming(request))
    return _stream(chunks, model, names, heard)


def as_chat(request: Request, body: dict[str, Any], model: str) -> tuple[dict[str, Any], dict[str, str]]:
    """(the same request as fields of a chat completion, shortened names of tools → their own)."""
    fields = asking.picked(body, asking.MESSAGES)
    if not isinstance(fields.get("messages"), list) or not fields["messages"]:
        raise asking.refused("'messages' is missing.", param="messages")
    vendor = request.backend.vendor
    translated, names = _ADAPTER.translate_completion_input_params_with_tool_mapping(
        {**fields, "model": f"{vendor}/{model}"}, custom_llm_provider=vendor
    )
    out = asking.picked(dict(translated), asking.CHAT)
    if vendor == "gemini":
        out["messages"] = chat.without_cache_hints(out["messages"])
    return out, names


async def _stream(chunks: Any, model: str, names: dict[str, str], heard: Heard) -> AsyncIterator[bytes]:
    start: dict[str, Any] | None = None
    try:
        async for event in AnthropicStreamWrapper(completion_stream=chunks, model=model, tool_name_mapping=names):
            kind = event["type"]
            if kind == "message_start":  # held until the provider has said who answers
                start = event
                continue
            if start is not None:
                start["message"] |= {"usage": _UNKNOWN, "model": heard.answer().model or model}
                yield _event(start)
                start = None
            if kind == "message_delta":
                await heard.drain()
                event["usage"] = bill.messages_usage(heard) or {"output_tokens": 0}
            yield _event(event)
    finally:
        await chat.closed(chunks, heard)


def _event(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _encode(event))
