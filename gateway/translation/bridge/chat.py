"""For clients of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
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
    asking.understood(request, fields["messages"])
    if request.backend.vendor == "gemini":
        fields["messages"] = without_cache_hints(fields["messages"])
    if not body.get("stream"):
        response = await litellm.acompletion(**asking.provider(request, model), **fields)
        return _encode(whole(response, model, heard))
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


def whole(response: Any, model: str, heard: Heard) -> dict[str, Any]:
    """An answer as OpenAI writes it, with what the provider says of itself."""
    said = dumped(response)
    answer = heard.answer()
    said["model"] = answer.model or model
    said.pop("usage", None)
    said.pop("service_tier", None)
    if answer.service_tier is not None:
        said["service_tier"] = answer.service_tier
    if (usage := bill.chat_usage(heard)) is not None:
        said["usage"] = usage
    return said


async def stream(chunks: Any, model: str, heard: Heard, wants_usage: bool) -> AsyncIterator[bytes]:
    last: dict[str, Any] = {}
    async with aclosing(pieces(chunks, model, heard)) as found:
        async for said in found:
            last = said
            yield b"data: " + _encode(said) + b"\n\n"
    if wants_usage and (usage := usage_chunk(last, heard)) is not None:
        yield b"data: " + _encode(usage) + b"\n\n"
    yield DONE


async def pieces(chunks: Any, model: str, heard: Heard) -> AsyncGenerator[dict[str, Any]]:
    """The chunks that say something, without usage; when it has ended, all that the provider sent was heard."""
    answered: str | None = None
    held: list[dict[str, Any]] = []
    """From the finish on: it is told when all of the stream has been heard, and was not cut."""
    try:
        async for chunk in chunks:
            said = dumped(chunk)
            said.pop("usage", None)
            answered = answered or heard.answer().model or model
            said["model"] = answered
            choices = said.get("choices", ())
            if any(choice.get("finish_reason") for choice in choices) or (held and choices):
                held.append(said)
            elif any(choice.get("delta") for choice in choices):
                yield said
        await heard.drain()
        for said in held:
            yield said
    finally:
        await closed(chunks, heard)


def usage_chunk(last: dict[str, Any], heard: Heard) -> dict[str, Any] | None:
    """What ends a stream that was asked for its usage; None where the provider reported none."""
    usage, tier = bill.chat_usage(heard), heard.answer().service_tier
    if usage is None:
        return None
    return {**last, "choices": [], "usage": usage, **({"service_tier": tier} if tier is not None else {})}


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
