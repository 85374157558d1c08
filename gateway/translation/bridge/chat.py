"""For clients of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from gateway.translation.bridge import asking, bill
from gateway.translation.bridge.channel import Heard
from gateway.translation.bridge.library import litellm
from gateway.translation.engine import Request

_encode = msgspec.json.Encoder().encode
DONE = b"data: [DONE]\n\n"


async def ask(request: Request, heard: Heard) -> bytes | AsyncIterator[bytes]:
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    fields = asking.picked(body, asking.CHAT)
    if "messages" not in fields:
        raise asking.refused("'messages' is missing.", param="messages")
    if request.backend.vendor == "gemini":
        fields["messages"] = without_cache_hints(fields["messages"])
    if not body.get("stream"):
        whole = await litellm.acompletion(**asking.provider(request, model), **fields)
        return _encode(_whole(whole, model, heard))
    options = body.get("stream_options")
    wants_usage = isinstance(options, dict) and options.get("include_usage") is True
    chunks = await litellm.acompletion(**asking.provider(request, model), **fields, **asking.streaming(request))
    return stream(chunks, model, heard, wants_usage)


def without_cache_hints(messages: Any) -> Any:
    """Gemini caches by itself. For a hint litellm would make a cache of its own there, which is kept and paid."""
    if isinstance(messages, list):
        return [without_cache_hints(part) for part in messages]
    if isinstance(messages, dict):
        return {name: without_cache_hints(part) for name, part in messages.items() if name != "cache_control"}
    return messages


def _whole(response: Any, model: str, heard: Heard) -> dict[str, Any]:
    said = dumped(response)
    said["model"] = heard.answer().model or model
    said.pop("usage", None)
    if (usage := bill.chat_usage(heard)) is not None:
        said["usage"] = usage
    return said


async def stream(chunks: Any, model: str, heard: Heard, wants_usage: bool) -> AsyncIterator[bytes]:
    last: dict[str, Any] = {}
    answered: str | None = None
    try:
        async for chunk in chunks:
            said = dumped(chunk)
            said.pop("usage", None)
            answered = answered or heard.answer().model or model
            said["model"] = answered
            last = said
            if any(choice.get("delta") or choice.get("finish_reason") for choice in said.get("choices", ())):
                yield b"data: " + _encode(said) + b"\n\n"
        await heard.drain()
    finally:
        await closed(chunks, heard)
    if wants_usage and (usage := bill.chat_usage(heard)) is not None:
        yield b"data: " + _encode({**last, "choices": [], "usage": usage}) + b"\n\n"
    yield DONE


def dumped(response: Any) -> dict[str, Any]:
    """litellm's object as OpenAI writes it: without what is null, also in what litellm keeps of the provider's own."""
    out: dict[str, Any] = response.model_dump(exclude_none=True, warnings=False)
    for choice in out.get("choices", ()):
        message = choice.get("message") or choice.get("delta") or {}
        own = message.pop("provider_specific_fields", None) or {}
        if own := {name: value for name, value in own.items() if value is not None and name not in message}:
            message["provider_specific_fields"] = own
        choice.pop("provider_specific_fields", None)
    return out


async def closed(chunks: Any, heard: Heard) -> None:
    """litellm's streams are generators, which want closing; they leave the provider's connection open."""
    for holder in (chunks, getattr(chunks, "completion_stream", None)):
        close = getattr(holder, "aclose", None)
        if close is not None:
            await close()
    await heard.close()
